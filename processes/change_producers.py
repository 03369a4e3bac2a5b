"""Where changes come from: a nonconformance that needs a correction, a supplier who changes how it works (domain.md 3C C01)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Conflict
from processes.change_control import begin
from processes.change_requests import open_request, submit
from records.change_request import OPEN, ChangeRequest, RequestSource, Urgency
from records.nonconformance import Nonconformance
from records.supplier_knowledge import SupplierChangeNotice

Cause = Nonconformance | SupplierChangeNotice
"""A document that a change may follow from."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for because of a document; empty fields are filled from it."""

    title: str = ""
    problem: str = ""
    proposal: str = ""
    urgency: Urgency = Urgency.ROUTINE


def ask_because_of(act: Act, cause: Cause, wish: Wish | None = None) -> ChangeRequest:
    """Ask for a change that follows from a document, and send it on its way by message; the request names the document.

    Raises: Conflict ALREADY_ASKED while an open request names it; Invalid as ``open_request``.
    """
    wish = wish or Wish()
    source, source_ref = reference_of(cause)
    standing = next((one for one in requests_because_of(act.session, cause) if one.status in OPEN), None)
    if standing is not None:
        raise Conflict(
            f"Expected no open request because of {source_ref}, but {standing.number} ({standing.title}) is {standing.status}. Add to "
            "it, or wait for its triage.",
            code="ALREADY_ASKED", record=(standing.record_type, standing.id),
        )  # fmt: skip
    title, problem = words_of(cause)
    asked = open_request(
        act, title=wish.title.strip() or title, problem=wish.problem.strip() or problem, proposal=wish.proposal, source=source,
        source_ref=source_ref, urgency=wish.urgency,
    )  # fmt: skip
    submit(act, asked)
    begin(act, asked)
    act.note(cause.record_type, cause.id, "CHANGE_ASKED", new=asked.number, reason=asked.title)
    return asked


def requests_because_of(session: Session, cause: Cause) -> list[ChangeRequest]:
    """Return the requests that name a document, newest first."""
    source, source_ref = reference_of(cause)
    wanted = select(ChangeRequest).where(ChangeRequest.source == source, ChangeRequest.source_ref == source_ref)
    return list(session.scalars(wanted.order_by(ChangeRequest.number.desc())))


def reference_of(cause: Cause) -> tuple[RequestSource, str]:
    """Return what a request says about where it comes from."""
    if isinstance(cause, Nonconformance):
        return RequestSource.NCR, cause.number
    return RequestSource.SUPPLIER_NOTICE, f"{cause.number} {cause.kind.lower().replace('_', ' ')}"


def words_of(cause: Cause) -> tuple[str, str]:
    """Return the title and the problem that a document gives a request."""
    if isinstance(cause, Nonconformance):
        found = f"{cause.number} on {cause.about_number}: {cause.title}. {cause.description}".strip()
        return f"Correct what led to {cause.number}: {cause.title}"[:200], found
    kind = cause.kind.lower().replace("_", " ")
    return (
        f"{cause.supplier.name} changes its {kind}"[:200],
        f"{cause.supplier.name} told on {cause.noticed_on} that its {kind} changes from {cause.effective_on}: {cause.statement}",
    )


__all__ = ["Cause", "Wish", "ask_because_of", "reference_of", "requests_because_of", "words_of"]
