"""People: who covers whom, what waits for somebody who leaves, and the act that hands it over."""

from __future__ import annotations

import datetime as dt
from typing import Any

from marshmallow import fields, validate

from engine.act import Act
from engine.errors import Forbidden
from processes import leaving
from records.coverage import Cover, coverage
from records.person import User, UserStatus
from records.roles import user_called
from webapp.api.endpoints import reads, writes
from webapp.api.shapes import Answer, Instant, Request, maybe, text, word
from webapp.visit import now, reading, visitor

MOST_WEEKS = 52


class LinkAnswer(Answer):
    """One link of a chain of deputies. flows: that it is limited to, none for all; gap: why nobody acts in a part of it."""

    user_id = fields.String()
    deputy_id = fields.String()
    starts_at = Instant()
    ends_at = Instant()
    flows = fields.List(fields.String())
    gap = maybe()


class CoverAnswer(LinkAnswer):
    """An absence. then: the deputy's own absences in that time, followed to the end of the chain."""

    then = fields.List(fields.Nested(LinkAnswer))


class CoverageAnswer(Answer):
    """Absences in the weeks ahead, the earliest first."""

    items = fields.List(fields.Nested(CoverAnswer))
    next = maybe()


class CoverageQuery(Request):
    """How many weeks ahead."""

    weeks = fields.Integer(
        load_default=6, validate=validate.Range(1, MOST_WEEKS, error="Expected {min} to {max} weeks")
    )


class PieceAnswer(Answer):
    """One piece of open work. proposed: a user id, ``others``, ``end``, or null where somebody must be named; takes: what it may become."""

    key = fields.String()
    duty = word(leaving.Duty)
    title = fields.String()
    why = fields.String()
    proposed = maybe()
    takes = fields.List(fields.String())
    record_type = maybe()
    record_id = maybe()


class WorkAnswer(Answer):
    """What waits for somebody. seen: to be sent with their departure, so that nothing is handed over unseen."""

    user_id = fields.String()
    name = fields.String()
    status = word(UserStatus)
    seen = fields.String()
    items = fields.List(fields.Nested(PieceAnswer))


class Departure(Request):
    """Why somebody leaves. targets: piece key to target, where it differs from the proposal; seen: of the work as it was read."""

    reason = text(4000, required=True)
    seen = text(64, required=True)
    targets = fields.Dict(keys=fields.String(), values=text(60), load_default=dict)


@reads(
    "/people/coverage",
    scope="people:read",
    summary="List who covers whom in the weeks ahead",
    query=CoverageQuery,
    answer=CoverageAnswer,
)
def list_coverage(*, weeks: int) -> dict[str, Any]:
    """Chains of deputies are followed to their end; a gap says where nobody acts."""
    found = coverage(reading(), now(), now() + dt.timedelta(weeks=weeks))
    return {
        "items": [_link(one) | {"then": [_link(other) for other in one.links[1:]]} for one in found],
        "next": None,
    }


def _link(one: Cover) -> dict[str, Any]:
    row = one.absence
    return {
        "user_id": row.user_id, "deputy_id": row.deputy_id, "starts_at": row.starts_at, "ends_at": row.ends_at,
        "flows": list(row.flows), "gap": one.gap or None,
    }  # fmt: skip


def _show(user_id: str) -> dict[str, Any]:
    user: User = user_called(reading(), user_id)
    pieces = [] if user.status is UserStatus.DISABLED else leaving.pieces_of(reading(), user_id)
    return {
        "user_id": user.id, "name": user.name, "status": user.status, "seen": leaving.seen_hash(pieces),
        "items": [
            {name: getattr(piece, name) for name in ("key", "duty", "title", "why")}
            | {
                "proposed": piece.proposed or None, "takes": list(piece.takes),
                "record_type": piece.record[0] if piece.record else None, "record_id": piece.record[1] if piece.record else None,
            }
            for piece in pieces
        ],
    }  # fmt: skip


def _need_admin() -> None:
    if not visitor().holds("ADMIN"):
        raise Forbidden("Expected an administrator's key: only they end an account.", code="NOT_AUTHORISED")


@reads(
    "/people/<user_id>/work",
    scope="people:read",
    summary="List what waits for somebody",
    answer=WorkAnswer,
    person=True,
)
def list_work(user_id: str) -> dict[str, Any]:
    """Tasks, seats, deputies, loans, duties of an owner, drafts and keys, each with a proposed target. For administrators."""
    _need_admin()
    return _show(user_id)


@writes(
    "POST", "/people/<user_id>/departure", scope="people:write", summary="Disable somebody and hand over their work",
    body=Departure, answer=WorkAnswer, render=_show, person=True,
)  # fmt: skip
def disable_person(act: Act, body: dict[str, Any], user_id: str) -> str:
    """In one act. 422 with a sentence per piece that needs another target, 409 NEW_WORK when something came up since."""
    _need_admin()
    leaving.leave(act, user_id, body["targets"], seen=body["seen"], reason=body["reason"])
    return user_id
