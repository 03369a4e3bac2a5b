"""Files: attach one, look at it inside a page that can do nothing with it, and take it home under a safe name."""

from __future__ import annotations

import io
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, send_file
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from engine.database import is_id
from engine.errors import Invalid, NotFound
from records import attachment, scanning
from records.attachment import Attachment
from webapp import dossiers
from webapp.beside_list import keep_list
from webapp.pages.account import own_path
from webapp.visit import acting, installation, reading

pages = Blueprint("files", __name__)

PICTURES = frozenset({"image/png", "image/jpeg"})
TEXTS = frozenset({"text/plain", "text/csv", "model/step"})
PDF = "application/pdf"
MOST_SHOWN = 200_000
"""Bytes of a text that a preview shows."""
SHOWN_POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; object-src 'self'; frame-ancestors 'self'"
)
"""What a picture or a PDF may do where it is shown: load itself, and nothing else."""


@pages.post("/documents/<owner_type>/<record_id>/files")
def attach(owner_type: str, record_id: str) -> Answer:
    """Attach a file to a document."""
    _document(reading(), owner_type, record_id)
    given = request.files.get("file")
    if given is None or not given.filename:
        raise Invalid("Expected a file, but none is chosen. Choose one and press Attach.", {"file": "is missing"})
    number, rev = (request.form.get(name, "").strip()[:40] for name in ("document_no", "document_rev"))
    content = given.read()
    name = attachment.safe_name(given.filename)
    _check(name, content)
    scanned = scanning.scan(installation(), name, content)
    with acting() as act:
        owner = _document(act.session, owner_type, record_id)
        attachment.attach(act, owner, content, file_name=name, document_no=number, document_rev=rev, scanned=scanned)
    flash(f"{name} is attached.", "good")
    back = keep_list(own_path(request.form["back_to"])) if request.form.get("back_to") else ""
    return redirect(back or f"{dossiers.record_url(owner_type, record_id)}?tab=documents", 303)


@pages.get("/files/<attachment_id>/preview")
def preview(attachment_id: str) -> str:
    """Show a picture, a PDF or a text with what is known of the file; anything else is only offered to take home."""
    found = find(reading(), attachment_id)
    text = ""
    if found.media_type in TEXTS:
        text = attachment.content_of(reading(), found)[:MOST_SHOWN].decode("utf-8", "replace")
    kind = "picture" if found.media_type in PICTURES else "pdf" if found.media_type == PDF else "text" if text else ""
    return render_template(
        "documents/file.html", file=found, kind=kind, text=text, is_cut=found.size > MOST_SHOWN,
        owner_url=dossiers.record_url(found.owner_type, found.owner_id),
    )  # fmt: skip


@pages.get("/files/<attachment_id>/shown")
def shown(attachment_id: str) -> Response:
    """Hand out a picture or a PDF to be shown, under a policy that lets it do nothing."""
    found = find(reading(), attachment_id)
    if found.media_type not in PICTURES and found.media_type != PDF:
        raise NotFound("Expected a picture or a PDF at this address, but it is another kind of file.")
    content = attachment.content_of(reading(), found)
    answer = send_file(io.BytesIO(content), mimetype=found.media_type, download_name=found.file_name, etag=False)
    answer.headers["Content-Security-Policy"] = SHOWN_POLICY
    answer.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return answer


def find(session: Session, attachment_id: str) -> Attachment:
    """Return a file. Raises: NotFound."""
    found = session.get(Attachment, attachment_id) if is_id(attachment_id) else None
    if found is None:
        raise NotFound("Expected a file at this address, but there is none.")
    return found


def _check(name: str, content: bytes) -> None:
    """Refuse a file that may not be attached. Raises: Invalid, which also says what to do about it."""
    try:
        attachment.check_kind(name, content, largest=attachment.largest_of(installation()))
    except Invalid as refusal:
        raise Invalid(
            f"{refusal.message}. Nothing was attached: choose another file, or save this one as what its name says.",
            dict(refusal.fields), code=refusal.code,
        ) from refusal  # fmt: skip


def _document(session: Session, owner_type: str, record_id: str) -> Any:
    record = dossiers.find(session, owner_type, record_id) if is_id(record_id) else None
    if record is None:
        raise NotFound("Expected a document at this address, but there is none.")
    return record
