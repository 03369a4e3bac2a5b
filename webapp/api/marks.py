"""The changes that wait to be carried out on a document (CHANGE_PENDING), as documents show them."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from records.change_task import HoldEffect
from webapp.api.shapes import Answer, Instant, word
from webapp.document_page import marks_on
from webapp.visit import reading


class StandingMark(Answer):
    """A change that waits to be carried out on a document or a part of it. effect: BLOCK stops it until then, WARN only says so."""

    change_order = fields.Function(lambda mark: mark.change_order.number, metadata={"type": "string"})
    change_order_id = fields.UUID()
    about_type = fields.String()
    about_id = fields.UUID()
    about_ref = fields.String()
    effect = word(HoldEffect)
    reason = fields.String()
    placed_at = Instant()


class LotMarks(fields.List):
    """The marks of a record that is shown as it is."""

    def __init__(self) -> None:
        super().__init__(fields.Nested(StandingMark))

    def get_value(self, obj: Any, attr: str, accessor: Any = None, default: Any = None) -> Any:
        """Look the marks up."""
        return marks_on(reading(), obj)
