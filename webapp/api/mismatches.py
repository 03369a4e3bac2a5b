"""Mismatches: what systems and papers disagree about, with both values."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from processes import mismatches as desk
from records.external import Discrepancy, DiscrepancyKind, DiscrepancyStatus, Severity
from webapp.api.endpoints import reads
from webapp.api.shapes import Answer, Instant, Listed, as_page, maybe, page_of, word
from webapp.pages import mismatches as pages
from webapp.visit import reading


class Mismatch(Answer):
    """One fact that two systems, or two papers of one purchase, state differently."""

    id = fields.UUID()
    document_type = fields.String()
    document_id = fields.UUID()
    document_number = fields.String()
    field = fields.String()
    between_papers = fields.Function(lambda row: desk.is_between_papers(row.field), metadata={"type": "boolean"})
    system = fields.String()
    kind = word(DiscrepancyKind)
    severity = word(Severity)
    ours = maybe()
    theirs = maybe()
    owner = fields.String()
    opened_at = Instant()
    status = word(DiscrepancyStatus)
    resolution = maybe()
    version = fields.Integer()


class MismatchQuery(Listed):
    """What mismatches may be listed by. status: OPEN when it is not given."""

    status = word(DiscrepancyStatus, load_default="")
    kind = word(DiscrepancyKind, load_default="")
    severity = word(Severity, load_default="")


MismatchPage = page_of(Mismatch, "MismatchPage")


@reads(
    "/mismatches", scope="orders:read", summary="List what does not agree, newest first", query=MismatchQuery,
    answer=MismatchPage,
)  # fmt: skip
def list_mismatches(*, q: str, status: str, kind: str, severity: str, after: str, limit: int) -> Any:
    """Search in document, field and values."""
    filters = dict.fromkeys(desk.FILTERS, "") | {"q": q, "state": status, "kind": kind, "severity": severity}
    return as_page(pages.look_up(filters, after, limit=limit))


@reads(
    "/mismatches/<record_id>", scope="orders:read", summary="Get one mismatch", answer=Mismatch,
    etag=lambda found: str(found.version),
)  # fmt: skip
def get_mismatch(record_id: str) -> Discrepancy:
    """Find it by id."""
    return desk.find(reading(), record_id)
