"""Every maker makes something that the database takes, and makes it again."""

from __future__ import annotations

from engine.act import Act, Installation
from engine.audit import AuditEvent, chain_of, verify_chain
from tests import makers
from tests.makers import D


def test_every_maker_makes_a_record_that_both_databases_take(act: Act) -> None:
    makers.make_cast(act)
    revision = makers.make_revision(act)
    makers.make_definition(act, revision)
    makers.make_service(act)
    supplier = makers.make_supplier(act)
    makers.make_price(act, supplier, revision)
    makers.make_approval(act, supplier)
    makers.make_clause(act)
    makers.make_rate(act)
    makers.make_sourcing_ref(act)
    makers.make_absence(act, "max", "lena")
    makers.make_delegation(act, "max", "lena", "PUR_MGR")
    centre = makers.make_cost_centre(act)
    makers.make_posting(act, centre, D("9450"))
    requisition = makers.make_requisition(act, (revision, 3, "10.00"), (revision, 4, "2.50"))
    order = makers.make_order(act, (revision, 3, "10.00"), supplier=supplier)
    makers.make_order_line(act, order, revision)
    makers.make_acknowledgement(act, order, (1, makers.AckCode.IQ, {"quantity": D(2)}))
    signature = makers.make_signature(act, order, content_hash="ab" * 32)
    makers.make_slot(act, order, record_hash="ab" * 32, signature_id=signature.id)
    makers.make_attachment(act, order)
    makers.make_external_ref(act, order)
    makers.make_observation(act, order)
    makers.make_discrepancy(act, order)
    makers.make_routing(act, revision)
    work_order = makers.make_work_order(act, revision)
    makers.make_work_order(act, revision, status="PLANNED", system="LOCKSTEP", origin=makers.Origin.LOCKSTEP)
    makers.make_actual(act, work_order)
    makers.make_nonconformance(act, work_order)
    makers.make_deviation(act)
    makers.make_person(act, processes=("WELD",))
    makers.make_resource(act, kind=makers.ResourceKind.GAUGE)
    receipt = makers.make_receipt(act)
    makers.make_inspection(act, receipt)
    makers.make_certificate(act, receipt)
    makers.make_reversal(act, receipt, D(2))
    makers.make_short_close(act, receipt.order_line)
    billed = makers.make_invoice(act, (receipt.order_line, 3, "42.50")).lines[0]
    makers.make_match_result(act, billed)
    makers.make_hold(act, billed)
    makers.make_payable(act, billed)
    lot = makers.make_stock(act, revision=revision)
    makers.make_edge(act, lot, work_order_id=makers.make_id())
    assert requisition.total == D("40.00")
    assert order.total == D("242.50")


def test_what_is_made_comes_back_equal_and_chained(house: Installation) -> None:
    with house.acting("user:rita") as act:
        made = makers.make_order(act)
    with house.reading() as session:
        read = session.get_one(type(made), made.id)
        assert (read.number, read.total, read.lines[0].unit_price) == (made.number, D("212.50"), D("42.5000"))
        assert read.created_at == act.now
        history = chain_of(session, "purchase_order", made.id)
        columns = AuditEvent.__table__.columns
        rows = [{column.key: getattr(event, column.key) for column in columns} for event in history]
        assert rows
        assert verify_chain(rows) is None
