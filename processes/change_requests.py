"""Change requests: asked for with the edits that were refused, sent, judged, taken back (domain.md 2.22, C01, C02)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Forbidden, Invalid
from records.calendar import MAIN, site_called
from records.change_request import (
    OPEN,
    ChangeRequest,
    ChangeRequestEdit,
    OrderClass,
    RequestSource,
    RequestStatus,
    Urgency,
    move_request,
)
from records.numbering import next_number


def open_request(
    act: Act,
    *,
    title: str,
    problem: str,
    proposal: str = "",
    source: RequestSource = RequestSource.DOC_ERROR,
    source_ref: str = "",
    urgency: Urgency = Urgency.ROUTINE,
    proposed_class: OrderClass | None = None,
    edits: Iterable[Mapping[str, Any]] = (),
) -> ChangeRequest:
    """Write a change request, a draft, with the edits that it asks for kept word for word.

    edits: table_name, row_id, column_name, old_text, new_text, about. Raises: Invalid naming every field that is missing.
    """
    missing = {
        name: "is required" for name, value in (("title", title), ("problem", problem)) if not str(value).strip()
    }
    if missing:
        raise Invalid("Expected a title and the problem, but something is missing", missing)
    site = site_called(act.session, MAIN)
    request = ChangeRequest(
        number=next_number(act, "CR", site=site), site=site, site_id=site.id, title=title.strip()[:200],
        originator=act.user_id or act.actor, source=source, source_ref=source_ref, problem=problem.strip(),
        proposal=proposal.strip(), urgency=urgency, proposed_class=proposed_class,
    )  # fmt: skip
    act.session.add(request)
    act.session.flush()
    for position, edit in enumerate(edits, start=1):
        act.session.add(
            ChangeRequestEdit(
                change_request=request, change_request_id=request.id, position=position, table_name=edit["table_name"],
                row_id=edit["row_id"], column_name=edit["column_name"], about=str(edit.get("about") or "")[:200],
                old_text=edit.get("old_text"), new_text=edit.get("new_text"),
            )
        )  # fmt: skip
    act.session.flush()
    return request


def submit(act: Act, request: ChangeRequest) -> ChangeRequest:
    """Send a request to triage. Raises: Conflict ILLEGAL_TRANSITION."""
    return move_request(act, request, RequestStatus.SUBMITTED)


def triage(
    act: Act,
    request: ChangeRequest,
    to: RequestStatus,
    *,
    reason: str = "",
    duplicate_of: ChangeRequest | None = None,
    proposed_class: OrderClass | None = None,
) -> ChangeRequest:
    """Decide about a request: ACCEPTED, REJECTED, DUPLICATE or DEFERRED.

    duplicate_of: the request that says the same, needed for DUPLICATE. Raises: Invalid without a reason or the twin; Conflict.
    """
    if to is not RequestStatus.ACCEPTED and not reason.strip():
        raise Invalid("Expected a reason, but there is none", {"reason": "is required"})
    _refuse_twin(request, to, duplicate_of)
    if request.status is not RequestStatus.TRIAGED:
        move_request(act, request, RequestStatus.TRIAGED)
    with act.session.no_autoflush:
        request.duplicate_of, request.duplicate_of_id = duplicate_of, duplicate_of.id if duplicate_of else None
        if proposed_class is not None:
            request.proposed_class = proposed_class
        request.status = to
        request.decided_by, request.decided_at = act.user_id or act.actor, act.now
        request.decision_reason = reason.strip()[:4000]
    if reason.strip():
        act.note(request.record_type, request.id, "MOVED", field="status", old="TRIAGED", new=to, reason=reason.strip())
    act.session.flush()
    return request


def _refuse_twin(request: ChangeRequest, to: RequestStatus, twin: ChangeRequest | None) -> None:
    """Refuse a duplicate of nothing or of itself, and a twin of what is none. Raises: Invalid, saying which."""
    if to is RequestStatus.DUPLICATE and twin is None:
        raise Invalid(
            f"Expected the request that {request.number} is a duplicate of, but none is chosen",
            {"duplicate_of": "is required: choose the request that says the same"},
        )
    if twin is request:
        raise Invalid(f"Expected another request than {request.number} itself", {"duplicate_of": "is this one"})
    if twin is not None and to is not RequestStatus.DUPLICATE:
        raise Invalid(
            f"Expected {twin.number} to be named for a duplicate alone, but {request.number} is {to.lower()}",
            {"duplicate_of": "is for a duplicate"},
        )


def withdraw_request(act: Act, request: ChangeRequest, *, reason: str) -> ChangeRequest:
    """Take a request back, as who asked for it. Raises: Forbidden for anybody else; Invalid; Conflict."""
    if act.user_id is not None and act.user_id != request.originator:
        raise Forbidden(f"Expected {request.originator} to withdraw {request.number}, but you did not ask for it")
    if not reason.strip():
        raise Invalid("Expected a reason, but there is none", {"reason": "is required"})
    return move_request(act, request, RequestStatus.WITHDRAWN, reason=reason.strip())


def alike(session: Session, request: ChangeRequest) -> list[ChangeRequest]:
    """Return open requests that ask for a change of the same rows, or under the same title: what triage looks at first (C02)."""
    rows = {edit.row_id for edit in request.edits}
    same_rows = select(ChangeRequestEdit.change_request_id).where(ChangeRequestEdit.row_id.in_(rows))
    wanted = select(ChangeRequest).where(
        ChangeRequest.id != request.id,
        ChangeRequest.status.in_((*OPEN, RequestStatus.ACCEPTED)),
        ChangeRequest.id.in_(same_rows) | (ChangeRequest.title == request.title),
    )
    return list(session.scalars(wanted.order_by(ChangeRequest.number)))
