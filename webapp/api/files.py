"""Files of documents: list them, attach one, take one home."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from flask import Response
from marshmallow import fields
from sqlalchemy.orm import Session

from engine.act import Act
from engine.database import is_id
from engine.errors import Invalid, NotFound
from records import attachment, scanning
from records.attachment import Attachment, attachments_of
from webapp import dossiers
from webapp.api.endpoints import LARGEST_BUNDLE, reads, writes
from webapp.api.shapes import Answer, Instant, Request, maybe, text
from webapp.visit import installation, reading


class FileAnswer(Answer):
    """A file of a document. sha256: of its content; scanned_by: what looked for harm in it, null where no scanner is set up."""

    id = fields.UUID()
    file_name = fields.String()
    media_type = fields.String()
    size = fields.Integer()
    sha256 = fields.String()
    document_no = fields.String()
    document_rev = fields.String()
    scanned_by = maybe()
    created_by = fields.String()
    created_at = Instant()


class FilesAnswer(Answer):
    """The files of a document, oldest first."""

    items = fields.List(fields.Nested(FileAnswer))
    next = maybe()


class FileGiven(Request):
    """A file. content: in base64, at most about 6 MB; document_no and document_rev: of a controlled document."""

    file_name = text(200, required=True)
    content = fields.String(required=True, metadata={"description": "The file in base64.", "format": "byte"})
    document_no = text(40, load_default="")
    document_rev = text(40, load_default="")


def _file(one: Attachment) -> dict[str, Any]:
    return {name: getattr(one, name) for name in FileAnswer().fields}


def _show(file_id: str) -> dict[str, Any]:
    return _file(reading().get_one(Attachment, file_id))


def _document(session: Session, kind: str, record_id: str) -> Any:
    record = dossiers.find(session, kind, record_id) if is_id(record_id) else None
    if record is None:
        raise NotFound("Expected a document of this kind with this id, but there is none.")
    return record


@reads(
    "/documents/<kind>/<record_id>/files",
    scope="reviews:read",
    summary="List the files of a document",
    answer=FilesAnswer,
)
def list_files(kind: str, record_id: str) -> dict[str, Any]:
    """With the hash of each content."""
    record = _document(reading(), kind, record_id)
    return {"items": [_file(one) for one in attachments_of(reading(), record.record_type, record.id)], "next": None}


@writes(
    "POST", "/documents/<kind>/<record_id>/files", scope="reviews:write", summary="Attach a file to a document", body=FileGiven,
    answer=FileAnswer, render=_show, status=201, person=True, largest=LARGEST_BUNDLE,
)  # fmt: skip
def attach_file(act: Act, body: dict[str, Any], kind: str, record_id: str) -> str:
    """The same file again is what it was before. 422 when its content is not what its name says, or is harmful."""
    record = _document(act.session, kind, record_id)
    try:
        content = base64.b64decode(body["content"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid("Expected the file in base64, but it is not", {"content": "is not base64"}) from error
    name = attachment.safe_name(body["file_name"])
    attachment.check_kind(name, content, largest=attachment.largest_of(installation()))
    made = attachment.attach(
        act, record, content, file_name=name, document_no=body["document_no"], document_rev=body["document_rev"],
        scanned=scanning.scan(installation(), name, content),
    )  # fmt: skip
    act.session.flush()
    return made.id


@reads(
    "/files/<record_id>", scope="reviews:read", summary="Get a file", answer=None, media=("application/octet-stream",)
)
def get_file(record_id: str) -> Response:
    """As it was attached; its hash is checked."""
    found = reading().get(Attachment, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a file with this id, but there is none.")
    return Response(attachment.content_of(reading(), found), mimetype="application/octet-stream")
