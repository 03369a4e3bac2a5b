"""A value that a column cannot hold is refused where it is set, naming the field."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from engine.errors import Invalid
from records.approval import ApprovalSlot
from records.part import Part, PartType
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.requisition import RequisitionLine
from records.signature import Signature


@pytest.mark.parametrize(
    ("record", "field", "value"),
    [
        (RequisitionLine, "quantity", Decimal("0." + "3" * 30)),
        (RequisitionLine, "quantity", Decimal("NaN")),
        (RequisitionLine, "quantity", Decimal(10) ** 12),
        (RequisitionLine, "quantity", 0.3),
        (RequisitionLine, "quantity", "5"),
        (RequisitionLine, "quantity", True),
        (RequisitionLine, "description", "x" * 10_000_000),
        (RequisitionLine, "description", "a\x00b"),
        (RequisitionLine, "description", "\ud800"),
        (RequisitionLine, "line_no", 2**40),
        (RequisitionLine, "line_no", "1"),
        (RequisitionLine, "need_by", "2026-12-01"),
        (RequisitionLine, "need_by", dt.datetime(2026, 12, 1, tzinfo=dt.UTC)),
        (RequisitionLine, "supplier_id", "not an id"),
        (RequisitionLine, "is_single_source", "yes"),
        (PurchaseOrderLine, "unit_price", Decimal("1.00001")),
        (PurchaseOrder, "approved_at", dt.datetime(2026, 12, 1)),  # noqa: DTZ001  # a naive instant is the point
        (PurchaseOrder, "status", "SHIPPED"),
        (PurchaseOrder, "currency", "DOLLAR"),
        (Signature, "content_hash", "ab" * 33),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_field(record: type, field: str, value: Any) -> None:
    with pytest.raises(Invalid) as refusal:
        record(**{field: value})
    assert set(refusal.value.fields) == {field}
    assert refusal.value.fields[field].startswith("Expected ")
    assert len(refusal.value.message) < 300


def test_text_is_kept_composed_and_decimals_at_full_scale() -> None:
    line = PurchaseOrderLine(
        description="Zoe\u0308", unit_price=Decimal("42.5"), quantity=5, quality_clauses=("Q05", "Q01")
    )
    assert line.description == "Zoë"
    assert str(line.unit_price) == "42.5000"
    assert str(line.quantity) == "5.000000"
    assert line.quality_clauses == ("Q01", "Q05")


def test_defaults_hold_before_anything_is_written() -> None:
    part = Part(part_no="P-1", name="Pin")
    assert (part.type, part.base_uom, part.is_active) == (PartType.BUY, "EA", True)
    assert len(part.id) == 36


def test_defaults_of_chained_rows_hold_before_their_chain_is_written() -> None:
    """A default that only the flush filled in stood in the row but not in its chain: verify took it for tampering."""
    assert (ApprovalSlot(role="BUYER").why, ApprovalSlot(role="BUYER").position) == ("", 1)
