"""An extract comes in document by document: whole, once, and never over what was released."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from engine.act import Installation
from engine.audit import AuditEvent
from engine.definitions import deploy_all
from engine.errors import Invalid
from engine.instances import instances_of
from processes.bundle import bundle_files
from processes.importing import Report, Weight, import_folder
from processes.importing.people import login_of
from processes.requisition_to_po import start
from records.external import Discrepancy, DiscrepancyKind, DiscrepancyStatus, ExternalRef, Observation, Severity
from records.origin import Origin
from records.part import Part, PartRevision, RevisionStatus
from records.person import User, UserStatus
from records.purchase_order import LineStatus, OrderStatus, PurchaseOrder
from records.requisition import PurchaseType, Requisition, RequisitionStatus
from records.supplier import CataloguePrice, Supplier, SupplierStatus
from tests.makers import D, make_cast, make_order, make_rate, make_revision, make_supplier
from tests.processes.importing import extract
from tests.processes.importing.extract import Rows

Spoil = Callable[[dict[str, Rows]], object]


@pytest.fixture
def house(installation: Installation) -> Installation:
    with installation.acting("user:adam") as act:
        make_cast(act)
    return installation


@pytest.fixture
def bring(house: Installation, tmp_path: Path) -> Callable[..., Report]:
    """Write an extract, spoiled or not, and import it."""

    def run(spoil: Spoil = lambda _rows: None, **options: Any) -> Report:
        return import_folder(house, extract.write(tmp_path / "extract", spoil), **options)

    return run


def order_of(house: Installation, native_id: str) -> PurchaseOrder:
    with house.reading() as session:
        wanted = select(PurchaseOrder).where(PurchaseOrder.proposal_no == f"TRYTON-{native_id}")
        found = session.scalars(wanted).one()
        assert found.lines is not None
        return found


def changed(file: str, native_id: str, **cells: str) -> Spoil:
    """Return what changes cells of the row with this id; ``__`` in a name stands for the slash of a path."""

    def spoil(content: dict[str, Rows]) -> None:
        (row,) = [row for row in content[file] if row.get("id") == native_id]
        row.update({name.replace("__", "/"): value for name, value in cells.items()})

    return spoil


def test_everything_arrives_with_its_origin(house: Installation, bring: Callable[..., Report]) -> None:
    report = bring()
    assert report.errors == []
    assert {kind: tally.new for kind, tally in report.tallies.items()} == {
        "people": 2, "suppliers": 1, "processes": 5, "parts": 4, "revisions": 4, "prices": 2, "work centres": 1, "routings": 1,
        "requisitions": 4, "orders": 5,
    }  # fmt: skip
    with house.reading() as session:
        for kind in (Part, PartRevision, Supplier, Requisition, PurchaseOrder):
            assert set(session.scalars(select(kind.origin))) == {Origin.ERP}
        supplier = session.scalars(select(Supplier)).one()
        assert (supplier.name, supplier.email, supplier.lead_time_days) == (
            "Łódzkie Zakłady Metals",
            "sales@metals.example",
            21,
        )
        assert (supplier.status, supplier.sites[0].city) == (SupplierStatus.APPROVED, "Łódź")
        steps = session.scalars(select(CataloguePrice).order_by(CataloguePrice.min_quantity)).all()
        assert [(step.min_quantity, step.unit_price) for step in steps] == [(D(0), D("42.50")), (D(100), D("39.99"))]


def test_a_revision_is_the_end_of_a_product_code(house: Installation, bring: Callable[..., Report]) -> None:
    bring()
    with house.reading() as session:
        revisions = {revision.number: revision for revision in session.scalars(select(PartRevision))}
        assert {number: revision.status for number, revision in revisions.items()} == {
            "P-2020/C": RevisionStatus.SUPERSEDED,
            "P-2020/D": RevisionStatus.RELEASED,
            "P-2049-04/A": RevisionStatus.OBSOLETE,
            "RM-0103/-": RevisionStatus.RELEASED,
        }
        kinds = sorted((given.kind, given.native_rev) for given in revisions["P-2020/D"].definitions)
        assert kinds == [("BOM", "D"), ("ROUTING", "")]
        service = session.scalars(select(Part).where(Part.part_no == "SV-HT-01A")).one()
        assert (service.type, service.process_code, service.revisions) == ("SERVICE", "HEAT_TREAT", [])


def test_employees_become_users_who_cannot_sign_in(house: Installation, bring: Callable[..., Report]) -> None:
    report = bring(changed(extract.REQUISITION, "4", employee="Peter O'Brien"))
    with house.reading() as session:
        people = {user.id: user for user in session.scalars(select(User).where(User.origin == Origin.ERP))}
    assert {user_id: user.status for user_id, user in people.items()} == {
        "sian.nguyen": UserStatus.ACTIVE,
        "luis.smith.jr": UserStatus.ACTIVE,
        "peter.obrien": UserStatus.DISABLED,
    }
    assert not any(user.can_sign_in for user in people.values())
    assert report.codes["FORMER_EMPLOYEE"] == 1


@pytest.mark.parametrize(
    ("name", "login"),
    [
        ("Siân Nguyen", "sian.nguyen"),
        ("Łukasz Strößner", "lukasz.strossner"),
        ("Peter O'Brien", "peter.obrien"),
        ("陈", "person"),
    ],
)
def test_a_login_name_is_made_of_plain_letters(name: str, login: str) -> None:
    assert login_of(name) == login


def test_a_name_that_is_taken_gets_a_number(house: Installation, bring: Callable[..., Report]) -> None:
    def spoil(content: dict[str, Rows]) -> None:
        content[extract.EMPLOYEE].append({"id": "3", "party": "Rita", "active": "1"})

    bring(spoil)
    with house.reading() as session:
        assert session.get_one(User, "rita.2").name == "Rita"
        assert session.get_one(User, "rita").name == "Rita Okafor"


def test_orders_arrive_in_the_status_the_erp_gave_them(house: Installation, bring: Callable[..., Report]) -> None:
    bring()
    orders = {native: order_of(house, native) for native in "12345"}
    assert {native: order.status for native, order in orders.items()} == {
        "1": OrderStatus.ACKNOWLEDGED,
        "2": OrderStatus.DRAFT,
        "3": OrderStatus.CLOSED,
        "4": OrderStatus.TRANSMITTED,
        "5": OrderStatus.CANCELLED,
    }
    assert {order.approved_hash for order in orders.values()} == {None}
    assert orders["1"].is_approved_elsewhere
    assert not orders["2"].is_approved_elsewhere
    assert (orders["1"].number, orders["1"].revision, orders["1"].buyer_id) == ("N1", 1, "luis.smith.jr")
    assert (orders["2"].number, orders["2"].type) == ("TRYTON-2", PurchaseType.OSP)
    assert orders["2"].lines[0].cost_object == "WO:1 [CO48391]"
    assert (orders["3"].lines[0].status, orders["3"].lines[0].open_quantity) == (LineStatus.CLOSED, 0)


def test_titles_and_comments_of_an_order_are_text_and_not_lines(
    house: Installation, bring: Callable[..., Report]
) -> None:
    bring()
    order = order_of(house, "1")
    assert (len(order.lines), order.comment) == (1, 'Phase A — "urgent"')


def test_an_order_line_knows_the_requisition_line_it_came_from(
    house: Installation, bring: Callable[..., Report]
) -> None:
    bring()
    with house.reading() as session:
        requisition = session.scalars(select(Requisition).where(Requisition.number == "3")).one()
        assert order_of(house, "1").lines[0].requisition_line_id == requisition.lines[0].id
        assert [line.open_quantity for line in requisition.lines] == [D(0), D(1)]
        assert (requisition.status, requisition.short_closed_reason) == (RequisitionStatus.CLOSED, "Closed in the ERP")
        assert (requisition.lines[1].item, requisition.lines[1].uom) == ("Shelf, as discussed", "EA")


def test_open_requisitions_start_their_flow_and_appear_in_inboxes(
    house: Installation, bring: Callable[..., Report]
) -> None:
    with house.acting("user:pat") as act:
        deploy_all(act, bundle_files())
    report = bring(start=start)
    assert report.started == 1
    with house.reading() as session:
        by_number = {found.number: found for found in session.scalars(select(Requisition))}
        assert by_number["1"].submitted_hash is not None
        assert len(instances_of(session, "requisition", by_number["1"].id)) == 1
        for mirror in ("2", "3", "4"):
            assert instances_of(session, "requisition", by_number[mirror].id) == []


def test_a_second_import_changes_nothing(house: Installation, bring: Callable[..., Report]) -> None:
    bring()

    def counts() -> list[int]:
        with house.reading() as session:
            return [
                session.scalar(select(func.count()).select_from(kind)) or 0
                for kind in (AuditEvent, ExternalRef, PurchaseOrder, Requisition, Observation)
            ]

    before = counts()
    report = bring()
    assert counts() == before
    assert {kind: tally.total for kind, tally in report.tallies.items()} == {
        kind: tally.unchanged for kind, tally in report.tallies.items()
    }


def test_a_dry_run_tells_the_same_and_writes_nothing(house: Installation, bring: Callable[..., Report]) -> None:
    dry = bring(is_dry=True)
    with house.reading() as session:
        assert session.scalar(select(func.count()).select_from(Supplier)) == 0
        assert session.scalar(select(func.count()).select_from(ExternalRef)) == 0
    wet = bring()
    assert (dry.tallies, dry.problems) == (wet.tallies, wet.problems)
    assert (dry.is_dry, wet.is_dry) == (True, False)


def test_a_released_order_that_differs_is_observed_and_never_written(
    house: Installation, bring: Callable[..., Report]
) -> None:
    bring()
    before = order_of(house, "1")
    report = bring(changed(extract.ORDER, "1", lines__quantity="7.0", lines__product__id="1", payment_term="Net 60"))
    assert report.tallies["orders"].observed == 1
    after = order_of(house, "1")
    assert (after.version, after.lines[0].quantity, after.payment_term) == (before.version, D(5), "Net 45")
    with house.reading() as session:
        found = {one.field: one for one in session.scalars(select(Discrepancy))}
        assert {field: (one.kind, one.severity) for field, one in found.items()} == {
            "lines.1.quantity": (DiscrepancyKind.QTY, Severity.MAJOR),
            "lines.1.item": (DiscrepancyKind.REV, Severity.CRITICAL),
            "payment_term": (DiscrepancyKind.TERMS, Severity.MINOR),
        }
        assert (found["lines.1.quantity"].ours, found["lines.1.quantity"].theirs) == ("5.000000", "7.000000")
        assert (found["lines.1.item"].ours, found["lines.1.item"].theirs) == ("P-2020/D", "P-2020/C")
        assert found["lines.1.item"].owner == "role:ENG_AUTH"
        assert session.scalar(select(func.count()).select_from(Observation)) == 3


def test_a_difference_that_goes_away_resolves_and_one_that_returns_opens_again(
    house: Installation, bring: Callable[..., Report]
) -> None:
    bring()
    more = changed(extract.ORDER, "1", lines__quantity="7.0")
    states = []
    for spoil in (more, lambda _rows: None, more):
        bring(spoil)
        with house.reading() as session:
            states.append(session.scalars(select(Discrepancy.status)).one())
    assert states == [DiscrepancyStatus.OPEN, DiscrepancyStatus.RESOLVED, DiscrepancyStatus.OPEN]


def test_a_line_that_one_side_lacks_is_missing_or_extra(house: Installation, bring: Callable[..., Report]) -> None:
    def spoil(content: dict[str, Rows]) -> None:
        line = {"lines/id": "19", "lines/type": "line", "lines/product/id": "3"}
        content[extract.ORDER].insert(1, line | {"lines/quantity": "1", "lines/unit": "Unit", "lines/unit_price": "1"})

    bring()
    bring(spoil)
    with house.reading() as session:
        kinds = {one.field: one.kind for one in session.scalars(select(Discrepancy))}
    assert kinds["lines.2.item"] is DiscrepancyKind.EXTRA


def test_a_status_that_moved_on_in_the_erp_is_observed(house: Installation, bring: Callable[..., Report]) -> None:
    bring()
    bring(changed(extract.ORDER, "4", state="processing"))
    assert order_of(house, "4").status is OrderStatus.TRANSMITTED
    with house.reading() as session:
        (found,) = session.scalars(select(Discrepancy))
    assert (found.kind, found.ours, found.theirs) == (DiscrepancyKind.STATUS, "TRANSMITTED", "ACKNOWLEDGED")


def test_a_draft_follows_the_erp(house: Installation, bring: Callable[..., Report]) -> None:
    bring()
    report = bring(changed(extract.ORDER, "2", number="N2", lines__quantity="9.0"))
    order = order_of(house, "2")
    assert report.tallies["orders"].changed == 1
    assert (order.po_no, order.lines[0].quantity, len(order.lines)) == ("N2", D(9), 1)
    bring(changed(extract.ORDER, "2", state="cancelled"))
    assert order_of(house, "2").status is OrderStatus.CANCELLED


def test_a_new_revision_of_the_erp_is_observed_and_waits_for_its_change_order(
    house: Installation, bring: Callable[..., Report]
) -> None:
    bring()

    def spoil(content: dict[str, Rows]) -> None:
        content[extract.PRODUCT].append(extract.product("9", "P-2020-E", "Bracket"))

    report = bring(spoil)
    assert report.errors == []
    with house.reading() as session:
        part = session.scalars(select(Part).where(Part.part_no == "P-2020")).one()
        statuses = {revision.rev: revision.status for revision in part.revisions}
    assert statuses == {
        "C": RevisionStatus.SUPERSEDED,
        "D": RevisionStatus.RELEASED,
        "E": RevisionStatus.IN_REVIEW,
    }
    with house.reading() as session:
        found = {one.document_number: (one.field, one.ours, one.theirs) for one in session.scalars(select(Discrepancy))}
    assert found == {
        "P-2020/D": ("status", "RELEASED", "SUPERSEDED"),
        "P-2020/E": ("status", "IN_REVIEW", "RELEASED"),
    }


def test_a_product_that_is_renamed_is_observed_and_its_revision_stays(
    house: Installation, bring: Callable[..., Report]
) -> None:
    bring()
    bring(changed(extract.PRODUCT, "3", code="RM-0999"))
    with house.reading() as session:
        found = {one.field: (one.document_number, one.ours, one.theirs) for one in session.scalars(select(Discrepancy))}
    assert found == {"item": ("RM-0103/-", "RM-0103/-", "RM-0999/-")}


def test_a_service_whose_row_is_spoiled_later_leaves_out_what_needs_it(
    house: Installation, bring: Callable[..., Report]
) -> None:
    bring()

    def spoil(content: dict[str, Rows]) -> None:
        changed(extract.PRODUCT, "4", template__default_uom="Furlong")(content)
        changed(extract.ORDER, "2", lines__quantity="9.0")(content)

    assert bring(spoil).codes["UNKNOWN_PRODUCT"] == 1
    assert order_of(house, "2").lines[0].quantity == D(5)


def test_an_order_of_ours_that_the_erp_holds_is_compared_and_not_doubled(
    house: Installation, bring: Callable[..., Report]
) -> None:
    bring()
    with house.acting("user:bea") as act:
        ours = make_order(act, (make_revision(act), 5, "42.50"), supplier=make_supplier(act))

    def spoil(content: dict[str, Rows]) -> None:
        content[extract.ORDER].append(extract.order("9", "confirmed", reference=ours.proposal_no))

    bring(spoil)
    with house.reading() as session:
        assert session.scalar(select(func.count()).select_from(PurchaseOrder)) == 6
        fields = set(session.scalars(select(Discrepancy.field).where(Discrepancy.document_id == ours.id)))
        assert {"supplier", "lines.1.item", "status"} <= fields
        assert session.get_one(PurchaseOrder, ours.id).origin is Origin.LOCKSTEP


BAD: dict[str, tuple[Spoil, str, str, str, str]] = {
    "a word for a number": (
        changed(extract.ORDER, "3", lines__quantity="a dozen"), extract.ORDER, "lines/quantity", "a dozen", "BAD_NUMBER",
    ),
    "nothing": (changed(extract.ORDER, "3", lines__quantity="0"), extract.ORDER, "lines/quantity", "0", "BAD_NUMBER"),
    "less than nothing": (
        changed(extract.REQUISITION, "1", lines__quantity="-5"), extract.REQUISITION, "lines/quantity", "-5", "BAD_NUMBER",
    ),
    "no number at all": (
        changed(extract.ORDER, "3", lines__quantity="NaN"), extract.ORDER, "lines/quantity", "NaN", "BAD_NUMBER",
    ),
    "thirty decimals": (
        changed(extract.ORDER, "3", lines__unit_price="0." + "3" * 30), extract.ORDER, "lines/unit_price", "0." + "3" * 30,
        "BAD_NUMBER",
    ),
    "a negative price": (
        changed(extract.ORDER, "3", lines__unit_price="-1"), extract.ORDER, "lines/unit_price", "-1", "BAD_NUMBER",
    ),
    "an empty quantity": (
        changed(extract.ORDER, "3", lines__quantity=""), extract.ORDER, "lines/quantity", "", "MISSING_VALUE",
    ),
    "a German date": (
        changed(extract.REQUISITION, "1", supply_date="15.01.2027"), extract.REQUISITION, "supply_date", "15.01.2027", "BAD_DATE",
    ),
    "an unknown state": (
        changed(extract.ORDER, "3", state="shipped"), extract.ORDER, "state", "shipped", "UNKNOWN_WORD",
    ),
    "an unknown person": (
        changed(extract.REQUISITION, "1", employee="Nobody"), extract.REQUISITION, "employee", "Nobody", "UNKNOWN_PERSON",
    ),
    "an unknown supplier": (
        changed(extract.ORDER, "3", party__id="99"), extract.ORDER, "party/id", "99", "UNKNOWN_SUPPLIER",
    ),
    "an unknown product": (
        changed(extract.REQUISITION, "1", lines__product__id="99"), extract.REQUISITION, "lines/product/id", "99", "UNKNOWN_PRODUCT",
    ),
    "an unknown unit": (
        changed(extract.REQUISITION, "1", lines__unit="Furlong"), extract.REQUISITION, "lines/unit", "Furlong", "UNKNOWN_UNIT",
    ),
    "an unknown currency": (
        changed(extract.ORDER, "3", currency__code="XYZ"), extract.ORDER, "currency/code", "XYZ", "UNKNOWN_CURRENCY",
    ),
    "a duration in weeks": (
        changed(extract.PRICE, "1", lead_time="two weeks"), extract.PRICE, "lead_time", "two weeks", "BAD_DURATION",
    ),
    "a truth of three": (changed(extract.EMPLOYEE, "2", active="3"), extract.EMPLOYEE, "active", "3", "BAD_TRUTH"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_a_bad_cell_is_named_and_its_document_left_out_whole(
    house: Installation, bring: Callable[..., Report], what: str
) -> None:
    spoil, file, column, value, code = BAD[what]
    report = bring(spoil)
    (problem, *_) = [problem for problem in report.errors if problem.code == code]
    assert (problem.file, problem.column, problem.value, problem.weight) == (file, column, value[:80], Weight.ERROR)
    assert problem.row >= 2
    with house.reading() as session:
        written = (
            session.scalars(select(PurchaseOrder.proposal_no)).all() + session.scalars(select(Requisition.number)).all()
        )
        if file == extract.ORDER:
            assert "TRYTON-3" not in written
        if file == extract.REQUISITION:
            assert "1" not in written
    mended = bring()
    assert mended.errors == []
    assert sum(tally.new for tally in mended.tallies.values()) >= 1


def test_a_document_that_a_constraint_refuses_takes_no_other_with_it(
    house: Installation, bring: Callable[..., Report]
) -> None:
    report = bring(changed(extract.ORDER, "4", number="N1"))
    (problem,) = report.errors
    assert problem.code in ("CONSTRAINT", "REPLACED")  # SQLite's guard speaks first, PostgreSQL's constraint does
    assert (problem.file, problem.value) == (extract.ORDER, "N1")
    assert (report.tallies["orders"].new, report.tallies["orders"].left_out) == (4, 1)


def test_rows_without_a_parent_and_ids_met_twice_are_problems(bring: Callable[..., Report]) -> None:
    def spoil(content: dict[str, Rows]) -> None:
        content[extract.REQUISITION].insert(0, {"lines/id": "99", "lines/quantity": "1"})
        content[extract.ORDER].append(extract.order("3", "draft"))
        content[extract.PRODUCT].append(extract.product("3", "RM-0104", "Bar"))

    codes = bring(spoil).codes
    assert (codes["ORPHAN_ROW"], codes["DOUBLE_ID"]) == (1, 2)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b'id,party,party/email,active\r\n1,"Si\xe2n,,1\r\n', "NOT_UTF8"),
        (b'id,party,party/email,active\r\n1,"Never closed,,1\r\n', "NOT_CSV"),
        (b"id,party,party/email,active\r\n1,Luis,1\r\n", "RAGGED_ROW"),
        (b"id,party,party/email,active,id\r\n1,Luis,,1,1\r\n", "DOUBLE_COLUMN"),
        (b"id,party,party/email,active\r\n1," + b"x" * 200_000 + b",,1\r\n", "NOT_CSV"),
    ],
)
def test_a_file_that_is_no_csv_is_a_problem_and_no_crash(
    house: Installation, tmp_path: Path, content: bytes, code: str
) -> None:
    folder = extract.write(tmp_path / "extract")
    (folder / extract.EMPLOYEE).write_bytes(content)
    assert import_folder(house, folder).codes[code] == 1


def test_a_missing_file_is_a_problem(house: Installation, tmp_path: Path) -> None:
    folder = extract.write(tmp_path / "extract")
    (folder / extract.PRICE).unlink()
    report = import_folder(house, folder)
    assert [problem.code for problem in report.errors] == ["MISSING_FILE"]
    assert report.tallies["orders"].new == 5


def test_a_missing_column_or_folder_is_refused_before_anything_is_written(house: Installation, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="folder"):
        import_folder(house, tmp_path / "nowhere")
    folder = extract.write(tmp_path / "extract")
    path = folder / extract.ORDER
    path.write_text(path.read_text("utf-8").replace("lines/unit_price", "lines/price"), "utf-8", newline="")
    with pytest.raises(Invalid, match=r"lines/unit_price"):
        import_folder(house, folder)


def test_what_the_erp_let_pass_is_pointed_at(house: Installation, bring: Callable[..., Report]) -> None:
    def spoil(content: dict[str, Rows]) -> None:
        changed(extract.REQUISITION, "3", approved_by="Siân Nguyen")(content)
        changed(extract.ORDER, "1", currency__code="EUR", confirmed_by="Luis Smith, Jr.")(content)
        changed(extract.ORDER, "2", lines__product__id="1", lines__description="Bracket rev B per DWG")(content)
        changed(extract.REQUISITION, "1", lines__unit_price="", lines__amount="")(content)
        changed(extract.ORDER, "3", lines__quantity="50.0", lines__unit_price="30.2237", lines__amount="1511.18")(
            content
        )

    codes = bring(spoil).codes
    assert codes == {
        "SELF_APPROVED": 2, "PRICE_CARRIED_OVER": 1, "NO_EXCHANGE_RATE": 1, "OTHER_REVISION": 1, "NOT_RELEASED": 1,
        "NO_PRICE": 1, "AMOUNT_DIFFERS": 1,
    }  # fmt: skip


def test_a_known_exchange_rate_of_the_order_date_is_kept(house: Installation, bring: Callable[..., Report]) -> None:
    with house.acting("user:fred") as act:
        make_rate(act, "EUR", D("1.08"))
    report = bring(changed(extract.ORDER, "4", currency__code="EUR"))
    assert report.codes["NO_EXCHANGE_RATE"] == 0
    order = order_of(house, "4")
    assert order.fx_rate == D("1.08")
    assert order_of(house, "1").fx_rate == 1


def test_the_report_says_it_to_people_and_to_machines(bring: Callable[..., Report]) -> None:
    report = bring(changed(extract.ORDER, "3", lines__quantity="a dozen"))
    told = list(report.lines())
    assert any("orders: 4 new, 1 left out" in line for line in told)
    assert "error: purchase.purchase.csv:5:lines/quantity: Expected a number, but found a text ('a dozen')" in told
    plain = report.as_json()
    assert plain["documents"]["orders"]["left_out"] == 1
    assert plain["problems"][0]["row"] == 5
