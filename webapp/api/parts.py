"""Parts and their revisions."""

from __future__ import annotations

from typing import Any

from marshmallow import fields
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from engine.database import is_id
from engine.errors import NotFound
from records.part import Part, PartRevision, PartType, RevisionStatus
from webapp import listing
from webapp.api.endpoints import reads
from webapp.api.shapes import Answer, Instant, Listed, as_page, maybe, page_of, text, word
from webapp.pages import parts as pages
from webapp.visit import reading


class DefinitionDocument(Answer):
    """A document of another system that defines a revision."""

    kind = fields.String()
    system = fields.String()
    native_id = fields.String()
    native_rev = fields.String()
    content_hash = fields.String()


class Revision(Answer):
    """One revision of a part. number: ``P-200/B``."""

    id = fields.UUID()
    number = fields.String()
    part_id = fields.UUID()
    rev = fields.String()
    status = word(RevisionStatus)
    released_at = Instant(allow_none=True)
    drawing_doc = maybe()
    drawing_rev = maybe()
    specs = fields.List(fields.String())
    effectivity = maybe()
    effective_from = fields.Date(allow_none=True)
    effective_to = fields.Date(allow_none=True)
    definitions = fields.List(fields.Nested(DefinitionDocument))
    origin = fields.String()
    version = fields.Integer()


class PartSummary(Answer):
    """A part in a list."""

    id = fields.UUID()
    part_no = fields.String()
    name = fields.String()
    type = word(PartType)
    base_uom = fields.String()
    commodity = fields.String()
    criticality = fields.String()
    is_active = fields.Boolean()
    version = fields.Integer()


class PartDetail(PartSummary):
    """A part with its revisions."""

    description = fields.String()
    lot_control = fields.String()
    shelf_life_days = fields.Integer(allow_none=True)
    export_class = maybe()
    process_code = maybe()
    is_customer_owned = fields.Boolean()
    origin = fields.String()
    revisions = fields.List(fields.Nested(Revision))


class PartQuery(Listed):
    """What parts may be listed by."""

    type = word(PartType, load_default="")


class RevisionQuery(Listed):
    """What revisions may be listed by. ``q`` is part of a part's number or name."""

    status = word(RevisionStatus, load_default="")
    part_no = text(40, load_default="", metadata={"description": "Only of this part."})


PartPage = page_of(PartSummary, "PartPage")
RevisionPage = page_of(Revision, "RevisionPage")


@reads("/parts", scope="parts:read", summary="List parts by number", query=PartQuery, answer=PartPage)
def list_parts(*, q: str, type: str, after: str, limit: int) -> Any:  # noqa: A002  # the query's own name
    """Search in number and name."""
    return as_page(pages.look_up(q, type, after, limit=limit))


@reads(
    "/parts/<record_id>", scope="parts:read", summary="Get a part with its revisions", answer=PartDetail,
    etag=lambda part: str(part.version),
)  # fmt: skip
def get_part(record_id: str) -> Part:
    """Find it by id."""
    return pages.find(reading(), record_id)


@reads("/part_revisions", scope="parts:read", summary="List part revisions", query=RevisionQuery, answer=RevisionPage)
def list_part_revisions(*, q: str, status: str, part_no: str, after: str, limit: int) -> Any:
    """Newest first."""
    wanted = (
        select(PartRevision).join(Part).options(selectinload(PartRevision.part), selectinload(PartRevision.definitions))
    )
    if q:
        wanted = wanted.where(listing.contains(q, Part.part_no, Part.name))
    if part_no:
        wanted = wanted.where(Part.part_no == part_no)
    if status:
        wanted = wanted.where(PartRevision.status == status)
    return as_page(
        listing.newest_first(reading(), wanted, PartRevision, query=q, state=status, after=after, limit=limit)
    )


@reads(
    "/part_revisions/<record_id>", scope="parts:read", summary="Get a part revision", answer=Revision,
    etag=lambda revision: str(revision.version),
)  # fmt: skip
def get_part_revision(record_id: str) -> PartRevision:
    """Find it by id."""
    found = reading().get(PartRevision, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a part revision at this address, but there is none.")
    return found
