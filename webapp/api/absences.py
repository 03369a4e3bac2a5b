"""Absences: who stands in for somebody, from when to when, in which flows; for a role alone, lend it (``/delegations``)."""

from __future__ import annotations

from typing import Any

from marshmallow import fields
from sqlalchemy import or_, select

from engine.act import Act
from engine.database import is_id
from engine.errors import NotFound
from records import directory
from records.person import Absence
from webapp.api.endpoints import reads, writes
from webapp.api.shapes import Answer, Instant, Moment, Nothing, Request, text
from webapp.visit import now, reading, visitor


class AbsenceAnswer(Answer):
    """A time in which a deputy may act for somebody. flows: process ids it is limited to; none means all."""

    id = fields.UUID()
    user_id = fields.String()
    deputy_id = fields.String()
    starts_at = Instant()
    ends_at = Instant()
    flows = fields.List(fields.String())
    reason = fields.String()


class AbsencesAnswer(Answer):
    """One's own absences and those in which one stands in, now or later, the earliest first."""

    items = fields.List(fields.Nested(AbsenceAnswer))


class AbsenceGiven(Request):
    """A deputy and a time. user_id: who is away, the caller where it is left out; administrators plan for others."""

    deputy_id = text(60, required=True)
    starts_at = Moment(required=True)
    ends_at = Moment(required=True)
    flows = fields.List(text(200), load_default=list)
    reason = text(4000, load_default="")
    user_id = text(60, load_default="")


def _show(record_id: str) -> Absence:
    return reading().get_one(Absence, record_id)


def _mine(_: Any = None) -> dict[str, Any]:
    me = visitor().user_id
    wanted = select(Absence).where(or_(Absence.user_id == me, Absence.deputy_id == me), Absence.ends_at > now())
    return {"items": reading().scalars(wanted.order_by(Absence.starts_at, Absence.id)).all()}


@reads(
    "/absences", scope="people:read", summary="List one's absences and deputyships", answer=AbsencesAnswer, person=True
)
def list_absences() -> dict[str, Any]:
    """Of the key's owner; who covers whom in the weeks ahead is told by `GET /people/coverage`."""
    return _mine()


@writes(
    "POST", "/absences", scope="people:write", summary="Plan an absence with a deputy", body=AbsenceGiven, answer=AbsenceAnswer,
    render=_show, status=201, person=True,
)  # fmt: skip
def plan_absence(act: Act, body: dict[str, Any]) -> str:
    """Of the caller, or as an administrator of somebody else. 409 DEPUTY_LOOP and ABSENCE_OVERLAPS."""
    times = {name: body.pop(name) for name in ("starts_at", "ends_at")}
    away = body.pop("user_id") or visitor().user_id
    made = directory.plan_absence(act, away, body.pop("deputy_id"), **times, **body)
    act.session.flush()
    return made.id


@writes(
    "POST", "/absences/<record_id>/end", scope="people:write", summary="End an absence", body=Nothing, answer=AbsencesAnswer,
    render=_mine, person=True,
)  # fmt: skip
def end_absence(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Now, or take it back before it begins; what the deputy decided stands."""
    found = act.session.get(Absence, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected an absence with this id, but there is none.")
    directory.end_absence(act, found)
    return record_id
