"""Roles that people lend: what one lends and was lent, lend one, take it back."""

from __future__ import annotations

import datetime as dt
from typing import Any

from marshmallow import fields

from engine.act import Act
from engine.errors import Invalid
from records import lending
from records.person import Delegation
from webapp.api.endpoints import reads, writes
from webapp.api.shapes import Answer, Exact, Instant, Nothing, Request, Truth, text
from webapp.pages.lending import find
from webapp.typed import YEARS
from webapp.visit import now, reading, visitor

SUCH_AS = "Expected such as 2026-12-01T08:00:00Z"


class DelegationAnswer(Answer):
    """One role that was lent. max_amount: in the currency of the company, null without a limit."""

    id = fields.UUID()
    from_user_id = fields.String()
    to_user_id = fields.String()
    role = fields.String()
    scope = fields.String()
    valid_from = Instant()
    valid_to = Instant()
    max_amount = Exact(allow_none=True)
    excludes_own_documents = fields.Boolean()
    excludes_signed_documents = fields.Boolean()


class DelegationsAnswer(Answer):
    """What one lends and was lent, now or later, the earliest first."""

    items = fields.List(fields.Nested(DelegationAnswer))


class DelegationGiven(Request):
    """A role of one's own and who may use it. Times carry their zone."""

    to_user_id = text(60, required=True)
    role = text(40, required=True)
    scope = text(40, load_default="")
    valid_from = text(40, required=True, metadata={"format": "date-time"})
    valid_to = text(40, required=True, metadata={"format": "date-time"})
    max_amount = Exact(load_default=None, allow_none=True)
    excludes_own_documents = Truth(load_default=True)
    excludes_signed_documents = Truth(load_default=True)


def _mine(_: Any = None) -> dict[str, Any]:
    return {"items": lending.lent_with(reading(), visitor().user_id, at=now())}


def _show(record_id: str) -> Delegation:
    return find(reading(), record_id)


def _instant(body: dict[str, Any], name: str) -> dt.datetime:
    try:
        instant = dt.datetime.fromisoformat(body[name])
    except ValueError as error:
        raise Invalid("Expected an instant, but it is none", {name: SUCH_AS}) from error
    if instant.year not in YEARS:
        raise Invalid("Expected an instant, but it lies beyond the calendar", {name: SUCH_AS})
    if instant.tzinfo is None:
        raise Invalid("Expected an instant with its zone, but it has none", {name: SUCH_AS})
    return instant.astimezone(dt.UTC)


@reads(
    "/delegations",
    scope="people:read",
    summary="List what one lends and was lent",
    answer=DelegationsAnswer,
    person=True,
)
def list_delegations() -> dict[str, Any]:
    """Of the key's owner."""
    return _mine()


@writes(
    "POST", "/delegations", scope="people:write", summary="Lend a role", body=DelegationGiven, answer=DelegationAnswer, render=_show,
    status=201, person=True,
)  # fmt: skip
def lend_role(act: Act, body: dict[str, Any]) -> str:
    """A role that one holds oneself. Whoever has it decides on one's behalf, within the limits."""
    times = {name: _instant(body, name) for name in ("valid_from", "valid_to")}
    return lending.lend(act, body.pop("to_user_id"), body.pop("role"), **(body | times)).id


@writes(
    "POST", "/delegations/<record_id>/end", scope="people:write", summary="Take a role back", body=Nothing, answer=DelegationsAnswer,
    render=_mine, person=True,
)  # fmt: skip
def take_role_back(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Now; what was decided under it stands. As who lent it, or as an administrator."""
    lending.take_back(act, find(act.session, record_id))
    return record_id
