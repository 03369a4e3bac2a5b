"""Findings, waivers, modes and the data-quality report on their pages."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

from engine.act import Act
from engine.errors import Effect, Finding
from records.outside import LinkStatus, OutsideLink
from records.part import RevisionStatus
from records.waiver import Waiver, WaiverStatus
from rules.finding import KeptFinding, keep_findings
from rules.flow_mode import Mode, mode_of
from tests.makers import make_approval, make_order, make_part, make_revision, make_supplier, make_work_order
from tests.people import PASSWORD, bea, lena, otto, pat, quinn
from tests.story import Story
from tests.webapp.browser import Browser
from tests.webapp.conftest import People

D = Decimal


def signing(browser: Browser, member: str, meaning: str) -> dict[str, str]:
    return {
        "seen_hash": browser.field("seen_hash"),
        "meaning": meaning,
        "user_id": member,
        "password": PASSWORD,
        "reason": "",
    }


def kept(story: Story, effect: Effect = Effect.HOLD) -> tuple[str, str]:
    """Keep a finding on a new order; return its id and the order's."""

    def write(act: Act) -> tuple[str, str]:
        order = make_order(act)
        finding = Finding(
            "BLUR-P2", effect, "Expected a specification, but there is none.", order.record_type, order.id,
            field="lines.1.description", old=None, new="=Deburr all edges", owner="role:PUR_LEAD", way_out="Name one.",
        )  # fmt: skip
        (row,) = keep_findings(act, [finding])
        act.session.flush()
        return row.id, order.id

    return story.given(write)


def test_the_list_shows_what_is_open_filters_and_downloads(story: Story, browse: People) -> None:
    kept(story)
    browser = browse(otto)
    assert browser.get("/findings").status_code == 200
    assert ("BLUR-P2" in browser.text, "Purchasing lead" in browser.text) == (True, True)
    browser.get("/findings?rule=CON-01")
    assert "No open finding fits" in browser.text
    browser.get("/findings?effect=HOLD&kind=purchase_order&age=0&owner=role:PUR_LEAD&q=specification")
    assert "Expected a specification, but there is none." in browser.text
    (row,) = rows_of(browser, "/findings.csv?rule=BLUR-P2")
    assert (row["rule"], row["effect"], row["new"]) == ("BLUR-P2", "HOLD", "'=Deburr all edges")


def test_a_warning_is_acknowledged_with_a_reason_by_its_owner(story: Story, browse: People) -> None:
    finding_id, _ = kept(story, Effect.WARN)
    stranger = browse(otto)
    assert stranger.post(f"/findings/{finding_id}", {"reason": "fine"}).status_code == 403
    browser = browse(lena)
    browser.get(f"/findings/{finding_id}")
    assert browser.post(f"/findings/{finding_id}", {"reason": " "}).status_code == 422
    assert browser.post(f"/findings/{finding_id}", {"reason": "Known to the supplier"}).status_code == 303
    stored = story.read(lambda session: session.get_one(KeptFinding, finding_id))
    assert (stored.acknowledged_by, stored.acknowledgement) == ("user:lena", "Known to the supplier")
    assert browser.post(f"/findings/{finding_id}", {"reason": "again"}).status_code == 409


def test_a_hold_is_not_acknowledged_but_waived_by_quality(story: Story, browse: People) -> None:
    finding_id, order_id = kept(story)
    browser = browse(lena)
    browser.get(f"/findings/{finding_id}")
    assert "=Deburr all edges" in browser.text
    assert browser.post(f"/findings/{finding_id}", {"reason": "fine"}).status_code == 409
    address = f"/waivers/new?rule=BLUR-P2&record_type=purchase_order&record_id={order_id}"
    browser.get(address)
    asked = {"rule": "BLUR-P2", "record_type": "purchase_order", "record_id": order_id, "starts_on": "2026-11-22"}
    assert (
        browser.post("/waivers/new", asked | {"expires_on": "2027-11-22", "reason": "spec in work"}).status_code == 422
    )
    answer = browser.post("/waivers/new", asked | {"expires_on": "2026-12-22", "reason": "spec in work"})
    assert answer.status_code == 303
    place = answer.headers["Location"]
    signer = browse(quinn)
    signer.get(place)
    assert signer.post(place, signing(signer, "quinn", "APPROVED")).status_code == 303
    waiver = story.read(lambda session: session.query(Waiver).one())
    assert waiver.status is WaiverStatus.GRANTED
    signer.get("/findings")
    assert "Standing waivers" in signer.text
    signer.get("/waivers")
    assert (waiver.number in signer.text, "Stands" in signer.text) == (True, True)
    signer.get(place)
    assert signer.post(f"{place}/revoke", {"reason": "specification released"}).status_code == 303
    assert story.read(lambda session: session.query(Waiver).one()).status is WaiverStatus.REVOKED


def test_two_people_switch_a_flow_on_the_page(story: Story, browse: People) -> None:
    author = browse(pat)
    author.get("/flow-modes")
    given = {"flow": "work_orders", "mode": "OBSERVE", "reason": "two weeks of findings first"}
    place = author.post("/flow-modes", given).headers["Location"]
    author.get(place)
    assert author.post(place, signing(author, "pat", "AUTHORED")).status_code == 303
    stranger = browse(bea)
    stranger.get(place)
    assert "You sign" not in stranger.text
    approver = browse(quinn)
    approver.get(place)
    assert approver.post(place, signing(approver, "quinn", "APPROVED")).status_code == 303
    assert story.read(lambda session: mode_of(session, "work_orders")) is Mode.OBSERVE
    approver.get("/flow-modes")
    assert "two weeks of findings first" in approver.text


def seed(act: Act) -> None:
    """Make 25 work orders of 4 operations, 100 in all, and 7 defects among them and beside them."""
    revision = make_revision(act)
    line = make_order(act, (revision, 1000, "18.00")).lines[0]
    make_approval(act, line.order.supplier)
    for number in range(25):
        work = make_work_order(act, revision)
        if number in (3, 11, 19):
            continue  # three outside operations without an order line
        operation = work.operations[2]
        act.session.add(
            OutsideLink(
                number=f"LNK-{number:06d}", site_id=work.site_id, operation_id=operation.id, order_line_id=line.id,
                part_revision_id=revision.id, process_code=None, allocated_quantity=D(10), status=LinkStatus.PROPOSED,
            )
        )  # fmt: skip
    for name in ("P-901", "P-902"):
        make_revision(act, make_part(act, name), "A", status=RevisionStatus.DRAFT, released_at=None)
    for number in ("S-901", "S-902"):
        make_supplier(act, number)
    act.session.flush()


def test_the_report_lists_exactly_the_seven_defects_with_kind_and_owner(story: Story, browse: People) -> None:
    before = set(defects(browse(quinn)))
    story.given(seed)
    found = [row for row in defects(browse(quinn)) if row not in before]
    assert sorted((kind, owner) for kind, _, owner in found) == [
        ("OUTSIDE_WITHOUT_LINK", "role:PLANNER"),
        ("OUTSIDE_WITHOUT_LINK", "role:PLANNER"),
        ("OUTSIDE_WITHOUT_LINK", "role:PLANNER"),
        ("PART_WITHOUT_REVISION", "role:ENG_AUTH"),
        ("PART_WITHOUT_REVISION", "role:ENG_AUTH"),
        ("SUPPLIER_WITHOUT_SCOPE", "role:SQ"),
        ("SUPPLIER_WITHOUT_SCOPE", "role:SQ"),
    ]


def defects(browser: Browser) -> list[tuple[str, str, str]]:
    assert browser.get("/data-quality").status_code == 200
    return [(row["defect"], row["document"], row["owner"]) for row in rows_of(browser, "/data-quality.csv")]


def rows_of(browser: Browser, address: str) -> list[dict[str, str]]:
    answer = browser.get(address)
    assert (answer.status_code, answer.mimetype) == (200, "text/csv")
    return list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))


def test_kept_defects_end_when_they_are_mended(story: Story, browse: People) -> None:
    part = story.given(lambda act: make_part(act, "P-950").id)
    browser = browse(quinn)
    browser.get("/data-quality")
    assert browser.post("/data-quality/stock", {}).status_code == 303
    story.given(lambda act: make_revision(act, act.session.get_one(type(make_part(act, "P-951")), part)))
    assert browser.post("/data-quality/stock", {}).status_code == 303
    rows = story.read(
        lambda session: [(row.settled_at is not None) for row in session.query(KeptFinding) if row.record_id == part]
    )
    assert rows == [True]
    stranger = browse(bea)
    stranger.get("/data-quality")
    assert stranger.post("/data-quality/stock", {}).status_code == 403
