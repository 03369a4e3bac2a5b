"""A plant with a work order whose pieces are due at a heat treater, and the verbs of the people who send them there."""

from __future__ import annotations

import datetime as dt
import os
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from sqlalchemy import select

from engine.act import Act
from engine.ports import SignatureRequest
from engine.stored.instance import Instance
from processes import outside_moving, outside_processing, outside_watch
from processes.certification import Paper, present, verify_certificate
from processes.invoicing import Bill, BilledLine, capture_invoice
from processes.outside_moving import Return, Shipment
from records.certificate import Certificate, CertificateType
from records.invoice import Invoice
from records.outside import OutsideLink
from records.part import LotControl, PartRevision
from records.purchase_order import OrderStatus, PurchaseOrder, PurchaseOrderLine
from records.supplier import ApprovalBasis, ApprovalSubject, Supplier
from records.work_order import OperationStatus, WorkOrder, WorkOrderOperation
from tests import makers
from tests.makers import D
from tests.people import PASSWORD
from tests.story import Story, plant_with

_turn = count(os.getpid() * 1000)
"""Apart from what another process makes: a plant may begin with that."""
NEED_BACK = dt.date(2026, 12, 11)


def make_heat_treater(act: Act, name: str = "NorthStar", **fields: Any) -> Supplier:
    """Make a supplier approved for heat treatment to PS-455 rev D with Nadcap until 2026-12-15, or return it."""
    found = act.session.scalar(select(Supplier).where(Supplier.name == name))
    if found is not None:
        return found
    makers.make_process(act)
    supplier = makers.make_supplier(act, name=name, email=f"orders@{name.lower()}.example", has_change_agreement=True)
    given = {
        "subject": ApprovalSubject.PROCESS, "basis": ApprovalBasis.NADCAP, "nadcap_certificate_no": "N-4711",
        "nadcap_commodity": "Heat Treating", "specs": ("PS-455 D",), "valid_to": dt.date(2026, 12, 15),
    } | fields  # fmt: skip
    makers.make_approval(act, supplier, "HEAT_TREAT", **given)
    return supplier


def make_outside_work(
    act: Act,
    quantity: int = 24,
    *,
    number: str | None = None,
    revision: PartRevision | None = None,
    serial: bool = False,
    reached: int = 30,
    **fields: Any,
) -> WorkOrder:
    """Make a work order whose heat treatment, operation 30, is ready. reached: 20 leaves it in the milling before."""
    if revision is None:
        control = LotControl.SERIAL if serial else LotControl.NONE
        revision = makers.make_revision(act, makers.make_part(act, lot_control=control))
    now = OperationStatus.READY if reached == 30 else OperationStatus.STARTED
    steps = tuple(step | _reached(step["op_no"], reached, D(quantity), now) for step in makers.ROUTING)
    return makers.make_work_order(
        act, revision, operations=steps, quantity=D(quantity), number=number or f"WO-{7000 + next(_turn)}",
        standard_cost=D(quantity) * D("74.00"), status="IN_PROCESS", **fields,
    )  # fmt: skip


def _reached(op_no: int, reached: int, quantity: Decimal, now: OperationStatus) -> dict[str, Any]:
    if op_no < reached:
        return {"status": OperationStatus.COMPLETE, "quantity_in": quantity, "good": quantity}
    if op_no == reached:
        return {"status": now, "quantity_in": quantity}
    return {"planned_start": dt.date(2026, 12, 16)} if op_no == 40 else {}


def make_outside_order(
    act: Act, work: WorkOrder, quantity: int | None = None, *, status: str = "ACKNOWLEDGED", **line_fields: Any
) -> PurchaseOrderLine:
    """Make an order line with the heat treater for a work order's heat treatment, at 18.00 a piece, signed by nobody: B0."""
    supplier = make_heat_treater(act)
    revision = line_fields.pop("part_revision", work.part_revision)
    order = makers.make_order(act, (revision, quantity or work.quantity, "18.00"), supplier=supplier, type="OSP")
    line = order.lines[0]
    given = {
        "process_code": "HEAT_TREAT", "spec": "PS-455", "spec_rev": "D", "need_by": NEED_BACK, "cost_object": f"WO:{work.number}",
        "certificates": ("HT",), "match_level": 4,
    } | line_fields  # fmt: skip
    for name, value in given.items():
        setattr(line, name, value)
    act.session.flush()
    advance_order(act, order, status)
    return line


PATH = ("DRAFT", "PENDING_APPROVAL", "APPROVED", "APPROVED_NOT_TRANSMITTED", "TRANSMITTED", "ACKNOWLEDGED")


def advance_order(act: Act, order: PurchaseOrder, to: str) -> PurchaseOrder:
    """Move an order along its life up to a status."""
    from records.purchase_order import move

    for status in PATH[PATH.index(order.status.value) + 1 : PATH.index(to) + 1]:
        if status == "TRANSMITTED":
            order.po_no = order.po_no or f"PO-{5000 + next(_turn)}"
        if status == "APPROVED_NOT_TRANSMITTED":
            makers.make_release(act, order)
        move(act, order, OrderStatus(status))
        act.session.flush()
    return order


class OutsideStory(Story):
    """A story about pieces that go outside. link: of the newest share."""

    operation_id = ""

    def begin(self, **options: Any) -> OutsideStory:
        """Make the work and an order for it, and start outside processing of operation 30."""
        line_fields = options.pop("line_fields", {})
        with_order = options.pop("with_order", True)
        status = options.pop("status", "ACKNOWLEDGED")

        def arrange(act: Act) -> str:
            work = make_outside_work(act, **options)
            make_heat_treater(act)
            if with_order:
                make_outside_order(act, work, status=status, **line_fields)
            return work.operations[2].id

        self.operation_id = self.given(arrange)
        with self.installation.acting("user:rita") as act:
            started = outside_processing.start(act, act.session.get_one(WorkOrderOperation, self.operation_id))
            self.instance_id = started.id
        self.settle()
        return self

    def plan(self, quantity: int = 24, **variables: Any) -> OutsideStory:
        """Let rita plan everything at the heat treater."""
        supplier = self.read(lambda session: session.scalar(select(Supplier.id).where(Supplier.name == "NorthStar")))
        given = {"plan": [{"supplier_id": supplier, "quantity": D(quantity)}], "need_back_on": NEED_BACK} | variables
        self.as_("rita").decide("plan_shares", "confirm", **given)
        return self

    def release(self) -> OutsideStory:
        """Let quinn release the special process."""
        self.as_("quinn").decide("release_special_process", "approve", coupon_plan="2 coupons of heat 7781")
        return self

    def ready(self, quantity: int = 24, **options: Any) -> OutsideStory:
        """Go as far as pieces that may be shipped: those that the plant begins with (``ready_link``), or some made now."""
        if (quantity, options, self.operation_id) == (24, {}, "") and self._takes_up():
            return self
        return self.begin(quantity=quantity, **options).plan(quantity).release()

    def _takes_up(self) -> bool:
        with self.installation.reading() as session:
            link = session.scalars(select(OutsideLink)).first()
            if link is None:
                return False
            self.operation_id = link.operation_id
            started = select(Instance.id).where(Instance.process_id == outside_processing.PROCESS)
            self.instance_id = session.scalars(started).one()
        return True

    def ship(self, quantity: int = 24, *, event: str = "ship-1", **more: Any) -> OutsideStory:
        """Let sam ship."""
        with self.installation.acting("user:sam") as act:
            shipment = Shipment(
                quantity=D(quantity), uom=more.pop("uom", "EA"), event_id=event, carrier="Milkrun", **more
            )
            outside_moving.ship(act, self._link(act), shipment)
        self.settle()
        return self

    def take_back(self, good: int, scrap: int = 0, *, event: str = "back-1", **more: Any) -> OutsideStory:
        """Let sam count what comes back."""
        with self.installation.acting("user:sam") as act:
            back = Return(
                good=D(good), scrap=D(scrap), uom=more.pop("uom", "EA"), event_id=event, packing_slip="NS-1", **more
            )
            outside_moving.take_back(act, self._link(act), back)
        self.settle()
        return self.watch()

    def certify(
        self, *, spec_rev: str = "D", process_date: dt.date = dt.date(2026, 11, 22), event: str = "cert-1"
    ) -> Certificate:
        """Let quinn present and verify a certificate of the heat treatment."""
        with self.installation.acting("user:quinn") as act:
            link = self._link(act)
            paper = Paper(
                type=CertificateType.HT, issuer="NorthStar", content=b"%PDF-1.7 heat treatment", file_name="ht.pdf",
                event_id=event, spec="PS-455", spec_rev=spec_rev, process_date=process_date,
            )  # fmt: skip
            made = present(act, link.order_line, paper, outside_link_id=link.id)
        with self.installation.acting("user:quinn") as act:
            request = SignatureRequest("VERIFIED", PASSWORD, user_id="quinn", accepts_responsibility=True)
            verify_certificate(act, act.session.get_one(Certificate, made.id), request)
        self.settle()
        self.watch()
        return self.read(lambda session: session.get_one(Certificate, made.id))

    def watch(self) -> OutsideStory:
        """Let the worker look around twice, as it does every few seconds."""
        for _ in range(3):
            self.installation.extras.pop(outside_watch.LAST_LOOK, None)
            outside_watch.watch_outside_links(self.installation)
            self.settle()
        return self

    def _link(self, act: Act) -> OutsideLink:
        return (
            act.session.scalars(
                select(OutsideLink)
                .where(OutsideLink.operation_id == self.operation_id)
                .order_by(OutsideLink.number.desc())
            ).first()
            or _no_link()
        )

    @property
    def link(self) -> OutsideLink:
        """The newest link of the operation, with what tests look at."""
        with self.installation.reading() as session:
            found = (
                session.scalars(
                    select(OutsideLink)
                    .where(OutsideLink.operation_id == self.operation_id)
                    .order_by(OutsideLink.number.desc())
                ).first()
                or _no_link()
            )
            assert (found.operation.work_order.item, found.order.status, found.movements) is not None
            return found

    @property
    def links(self) -> list[OutsideLink]:
        """Every link of the operation."""
        with self.installation.reading() as session:
            return list(session.scalars(select(OutsideLink).where(OutsideLink.operation_id == self.operation_id)))

    @property
    def operation(self) -> WorkOrderOperation:
        """The operation that goes outside."""
        with self.installation.reading() as session:
            found = session.get_one(WorkOrderOperation, self.operation_id)
            assert (found.work_order.operations, found.work_order.item) is not None
            return found

    def following(self) -> WorkOrderOperation:
        """The operation after it."""
        return next(each for each in self.operation.work_order.operations if each.op_no == 40)

    def balance(self) -> tuple[Decimal, ...]:
        """Shipped, good, scrap, lost, recalled, at the supplier."""
        link = self.link
        return (link.shipped, link.good, link.scrap, link.lost, link.recalled, link.at_supplier)


def _no_link() -> OutsideLink:
    raise AssertionError("Expected a link, but there is none")


def bill(story: OutsideStory, quantity: int, price: str = "18.00", *, number: str = "R-1") -> Invoice:
    """Let ana enter the heat treater's invoice."""
    with story.installation.acting("user:ana") as act:
        line = story._link(act).order_line
        given = Bill(
            supplier=line.order.supplier, invoice_no=number, currency="USD", invoiced_on=dt.date(2026, 11, 22),
            due_on=dt.date(2026, 12, 22), event_id=f"bill-{number}", lines=[BilledLine(line, D(quantity), D(price))],
        )  # fmt: skip
        made = capture_invoice(act, given)
    story.settle()
    story.watch()
    return made


def _make_ready(story: Story) -> None:
    OutsideStory(story.installation, story.clock).ready()


ready_link = pytest.mark.begins_with(plant_with("ready_link", _make_ready))
"""The test begins with ``OutsideStory.ready()``, which its plant brings along."""
