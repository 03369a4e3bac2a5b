"""What the demo plant's changes are about: parts with their routings, pieces in stock, on order and in work."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select

from engine.act import Act
from engine.ports import SignatureRequest
from processes.genealogy import Source, make_lot
from records.calendar import MAIN, Site, site_called
from records.demo_people import PASSWORD
from records.lot import LotSource, LotStatus
from records.origin import Origin
from records.part import LotControl, Part, PartRevision, PartType, RevisionStatus
from records.purchase_order import OrderStatus, PurchaseOrder, PurchaseOrderLine, move
from records.requisition import PurchaseType
from records.resource import WorkCentre
from records.routing import RoutingOperation
from records.signing import PasswordSigner, Subject
from records.supplier import (
    ApprovalBasis,
    ApprovalStatus,
    ApprovalSubject,
    Supplier,
    SupplierApproval,
    SupplierSite,
    SupplierStatus,
)
from records.work_order import OperationStatus, WorkOrder, WorkOrderOperation, WorkOrderStatus, WorkOrderType

D = Decimal
KETTLE = "Kettle Ridge Machining"

Steps = tuple[tuple[int, str, str], ...]


@dataclass(frozen=True)
class Thing:
    """A part, and what there is of its released revision.

    draft: the revision that is to follow, None for none. steps, next_steps: operation, description, work centre. stock: lot, pieces.
    orders: number of the purchase order, pieces, price. works: work order, pieces, good at the first operation (None: not begun).
    """

    part_no: str
    name: str
    released: str = "B"
    draft: str | None = None
    steps: Steps = ()
    next_steps: Steps = ()
    stock: tuple[tuple[str, int], ...] = ()
    orders: tuple[tuple[str, int, str], ...] = ()
    works: tuple[tuple[str, int, int | None], ...] = ()


BRACKET = Thing(
    "WB-2200", "Wing bracket, 4340", "B", "C",
    steps=((10, "Saw and face", "SAW"), (20, "Mill profile, slot 8.0 mm", "MILL"), (40, "Inspect", "INSP")),
    next_steps=((10, "Saw and face", "SAW"), (20, "Mill profile, slot 8.4 mm", "MILL"), (40, "Inspect to revision C", "INSP")),
    stock=(("L-2200-35", 35),), orders=(("PO-5010", 60, "15.40"), ("PO-5011", 50, "15.40")),
    works=(("WO-7501", 40, 12), ("WO-7502", 60, None)),
)  # fmt: skip
"""24 more pieces of it are at the heat treater: seven rows, 269 pieces."""
RAIL = Thing(
    "SL-3310", "Slide rail, hardened", "D", "E", steps=((10, "Grind ways", "MILL"), (20, "Inspect and mark", "INSP")),
    next_steps=((10, "Grind ways, finish Ra 0.2", "MILL"), (20, "Inspect and mark", "INSP")), stock=(("L-3310-18", 18),),
    orders=(("PO-5021", 30, "27.50"),), works=(("WO-7511", 24, None),),
)  # fmt: skip
CAGE = Thing(
    "VC-0620", "Valve cage", "A", steps=((10, "Turn", "MILL"), (20, "Deburr by robot", "MILL"), (30, "Inspect", "INSP")),
    works=(("WO-7521", 10, 4),),
)  # fmt: skip
PLATE = Thing(
    "CP-1150", "Clamp plate", "A", "B",
    steps=((10, "Saw blank", "SAW"), (20, "Mill and drill", "MILL"), (30, "Inspect", "INSP")),
    next_steps=((10, "Saw blank", "SAW"), (20, "Mill and drill", "MILL"), (30, "Inspect, torque 12 Nm", "INSP")),
    stock=(("L-1150-80", 80),), orders=(("PO-5031", 50, "14.20"),), works=(("WO-7531", 40, None),),
)  # fmt: skip
"""Nobody asked for a change of it yet: docs/tour-of-a-change.md does."""


def build_things(act: Act, *, today: dt.datetime) -> None:
    """Write every part with its pieces, as the systems that keep them would report them."""
    _supplier(act)
    for thing in (BRACKET, RAIL, CAGE, PLATE):
        _build(act, thing, today=today.date())


def order_things(act: Act, *, today: dt.datetime) -> None:
    """Let the buyer order what is on order, issue it with a signature, and book that the supplier accepted: too little for an approver."""
    supplier, site = (
        act.session.scalars(select(Supplier).where(Supplier.name == KETTLE)).one(),
        site_called(act.session, MAIN),
    )
    for thing in (BRACKET, RAIL, PLATE):
        for number, pieces, price in thing.orders:
            order = _order(
                act, site, supplier, revision_of(act, thing), (number, D(pieces), D(price)), today=today.date()
            )
            act.session.add(order)
            act.session.flush()
            for status in TO_ISSUE:
                _issue(act, order, number, status)


TO_ISSUE = (
    OrderStatus.PENDING_APPROVAL, OrderStatus.APPROVED, OrderStatus.APPROVED_NOT_TRANSMITTED, OrderStatus.TRANSMITTED,
    OrderStatus.ACKNOWLEDGED,
)  # fmt: skip


def _issue(act: Act, order: PurchaseOrder, number: str, status: OrderStatus) -> None:
    if status is OrderStatus.APPROVED_NOT_TRANSMITTED:
        subject = Subject(order.record_type, order.id, order.approved_hash or "", principal="role:BUYER")
        PasswordSigner().sign_subject(
            act, subject, SignatureRequest("RELEASED", PASSWORD, user_id="bea", accepts_responsibility=True)
        )
    if status is OrderStatus.TRANSMITTED:
        order.po_no = number
    move(act, order, status)
    act.session.flush()


def revision_of(act: Act, thing: Thing, rev: str | None = None) -> PartRevision:
    """Return the released revision of a thing, or the one called ``rev``."""
    wanted = (
        select(PartRevision)
        .join(Part)
        .where(Part.part_no == thing.part_no, PartRevision.rev == (rev or thing.released))
    )
    return act.session.scalars(wanted).one()


def _build(act: Act, thing: Thing, *, today: dt.date) -> None:
    site = site_called(act.session, MAIN)
    revision = _revisions(act, thing)
    for number, pieces in thing.stock:
        count = Source(LotSource.ADJUSTMENT, note=f"Stock count of {today - dt.timedelta(days=30)}")
        make_lot(act, revision, D(pieces), number=number, source=count, status=LotStatus.AVAILABLE)
    for number, pieces, good in thing.works:
        act.session.add(_work(thing, site, revision, (number, D(pieces), good), today=today, centres=_centres(act)))
    act.session.flush()


def _revisions(act: Act, thing: Thing) -> PartRevision:
    part = act.session.scalar(select(Part).where(Part.part_no == thing.part_no))
    if part is None:
        part = Part(
            part_no=thing.part_no, name=thing.name, type=PartType.MAKE, commodity="MACHINED", lot_control=LotControl.LOT,
            origin=Origin.ERP,
        )  # fmt: skip
        released = PartRevision(
            part=part, rev=thing.released, status=RevisionStatus.RELEASED, origin=Origin.ERP, released_at=act.now
        )
        act.session.add_all([part, released])
        act.session.flush()
    released = revision_of(act, thing)
    _routing(act, released, thing.steps)
    if thing.draft is not None:
        draft = PartRevision(part=part, rev=thing.draft, status=RevisionStatus.DRAFT, origin=Origin.LOCKSTEP)
        act.session.add(draft)
        act.session.flush()
        _routing(act, draft, thing.next_steps)
    return released


def _routing(act: Act, revision: PartRevision, steps: Steps) -> None:
    centres = _centres(act)
    act.session.add_all(
        RoutingOperation(part_revision_id=revision.id, op_no=number, description=words, work_centre_id=centres[centre])
        for number, words, centre in steps
    )
    act.session.flush()


def _centres(act: Act) -> dict[str, str]:
    return {each.code: each.id for each in act.session.scalars(select(WorkCentre))}


def _order(
    act: Act,
    site: Site,
    supplier: Supplier,
    revision: PartRevision,
    ordered: tuple[str, Decimal, Decimal],
    *,
    today: dt.date,
) -> PurchaseOrder:
    number, pieces, price = ordered
    order = PurchaseOrder(
        proposal_no=f"PF-{number[3:]}", type=PurchaseType.STANDARD, site_id=site.id, supplier_id=supplier.id,
        supplier_site=supplier.sites[0], buyer_id="lena", currency="USD", fx_rate=D(1), order_date=act.now.date(),
        payment_term="Net 30", ship_to=site.name, bill_to=site.name, status=OrderStatus.DRAFT,
        origin=Origin.LOCKSTEP,
    )  # fmt: skip
    due = today + dt.timedelta(days=35)
    order.lines.append(
        PurchaseOrderLine(
            line_no=1, part_revision_id=revision.id, description=revision.part.name, quantity=pieces, unit_price=price,
            need_by=due, promised_on=due, cost_object="CC:4711", match_level=3,
        )
    )  # fmt: skip
    return order


def _work(
    thing: Thing,
    site: Site,
    revision: PartRevision,
    made: tuple[str, Decimal, int | None],
    *,
    today: dt.date,
    centres: Mapping[str, str],
) -> WorkOrder:
    number, pieces, good = made
    order = WorkOrder(
        number=number, system="MES", native_id=number, origin=Origin.ERP, type=WorkOrderType.PRODUCTION, site_id=site.id,
        part_revision_id=revision.id, quantity=pieces, planned_start=today - dt.timedelta(days=3),
        planned_finish=today + dt.timedelta(days=25), standard_cost=pieces * D("61.00"),
        status=WorkOrderStatus.RELEASED if good is None else WorkOrderStatus.IN_PROCESS,
    )  # fmt: skip
    first = {"status": OperationStatus.READY} if good is None else {"status": OperationStatus.STARTED, "good": D(good)}
    for position, (op_no, words, centre) in enumerate(thing.steps):
        state = {**first, "quantity_in": pieces} if position == 0 else {}
        made_at = {"op_no": op_no, "description": words, "work_centre_id": centres[centre]}
        order.operations.append(WorkOrderOperation(**made_at, **state))
    return order


def _supplier(act: Act) -> None:
    supplier = Supplier(
        supplier_no="S-KETTLE", name=KETTLE, status=SupplierStatus.APPROVED, currency="USD", payment_term="Net 30",
        email="orders@kettleridge.example", has_change_agreement=True, lead_time_days=21, origin=Origin.ERP,
    )  # fmt: skip
    act.session.add(supplier)
    act.session.flush()
    act.session.add_all(
        [
            SupplierSite(
                supplier=supplier, supplier_id=supplier.id, code="1", name="Kettle Ridge", street="8 Quarry Lane",
                city="Beloit", country="US", is_default=True, origin=Origin.ERP,
            ),
            SupplierApproval(
                supplier=supplier, supplier_id=supplier.id, subject=ApprovalSubject.COMMODITY, subject_code="MACHINED",
                status=ApprovalStatus.APPROVED, valid_from=act.now.date() - dt.timedelta(days=300),
                valid_to=act.now.date() + dt.timedelta(days=400), basis=ApprovalBasis.AUDIT, origin=Origin.ERP,
            ),
        ]
    )  # fmt: skip
    act.session.flush()
