"""Switches of flows between observe, advise and enforce: list, propose, sign, refuse."""

from __future__ import annotations

from typing import Any

from marshmallow import fields
from sqlalchemy import select

from engine.act import Act
from processes import flow_modes
from processes.seats import seats_on
from rules.flow_mode import FLOWS, Mode, ModeSwitch, SwitchStatus
from webapp import listing
from webapp.api import bodies
from webapp.api.endpoints import reads, writes
from webapp.api.shapes import Answer, Instant, Listed, Request, as_page, page_of, text, word
from webapp.api.signing import SignedContent, signature_given
from webapp.pages import flow_modes as pages
from webapp.visit import reading


class ModeSwitchAnswer(Answer):
    """A switch. content_hash: what is signed; waits_for: the roles whose signature is missing, each saying what ``signers`` tells."""

    id = fields.UUID()
    number = fields.String()
    flow = fields.String()
    from_mode = word(Mode)
    to_mode = word(Mode)
    reason = fields.String()
    requested_by = fields.String()
    status = word(SwitchStatus)
    content_hash = fields.String(attribute="approved_hash")
    signers = fields.Function(
        lambda row: {role: meaning.value for role, meaning in flow_modes.signers_of(row.flow).items()},
        metadata={"type": "object", "additionalProperties": {"type": "string"}},
    )
    waits_for = fields.Function(
        lambda row: [
            seat.role for seat in seats_on(reading(), row) if row.status is SwitchStatus.PROPOSED and not seat.is_signed
        ],
        metadata={"type": "array", "items": {"type": "string"}},
    )
    created_at = Instant()
    version = fields.Integer()


class ModeSwitchQuery(Listed):
    """What switches may be listed by. ``q`` is part of a number or the reason."""

    flow = word(FLOWS, load_default="")
    status = word(SwitchStatus, load_default="")


class ModeSwitchGiven(Request):
    """A switch to propose."""

    flow = word(FLOWS, required=True)
    mode = word(Mode, required=True)
    reason = text(4000, required=True)


class SwitchRefused(Request):
    """Why it is refused, or withdrawn by its proposer."""

    reason = text(4000, required=True)


ModeSwitchPage = page_of(ModeSwitchAnswer, "ModeSwitchPage")


def tag_of(switch: ModeSwitch) -> str:
    """Return the ETag of what is shown."""
    return str(switch.version)


def _show(switch_id: str) -> ModeSwitch:
    return pages.find(reading(), switch_id)


@reads(
    "/mode-switches", scope="rules:read", summary="List switches of modes, newest first", query=ModeSwitchQuery, answer=ModeSwitchPage,
)  # fmt: skip
def list_mode_switches(*, q: str, flow: str, status: str, after: str, limit: int) -> Any:
    """Filter by flow and status."""
    wanted = select(ModeSwitch)
    if q:
        wanted = wanted.where(listing.contains(q, ModeSwitch.number, ModeSwitch.reason))
    if flow:
        wanted = wanted.where(ModeSwitch.flow == flow)
    if status:
        wanted = wanted.where(ModeSwitch.status == status)
    return as_page(listing.newest_first(reading(), wanted, ModeSwitch, query=q, state=status, after=after, limit=limit))


@reads(
    "/mode-switches/<record_id>", scope="rules:read", summary="Get a switch of a mode", answer=ModeSwitchAnswer, etag=tag_of,
)  # fmt: skip
def get_mode_switch(record_id: str) -> ModeSwitch:
    """Find it by id."""
    return _show(record_id)


@writes(
    "POST", "/mode-switches", scope="rules:write", summary="Propose to switch the mode of a flow", body=ModeSwitchGiven,
    answer=ModeSwitchAnswer, render=_show, etag=tag_of, status=201, person=True,
)  # fmt: skip
def propose_mode_switch(act: Act, body: dict[str, Any]) -> str:
    """As a holder of one of its seats. Nothing changes until every seat is signed, by different people."""
    return flow_modes.propose(act, body).id


@writes(
    "POST", "/mode-switches/<record_id>/signature", scope="rules:write", summary="Sign a switch of a mode", body=SignedContent,
    answer=ModeSwitchAnswer, render=_show, etag=tag_of, person=True,
)  # fmt: skip
def sign_mode_switch(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Fill one's seat; the last signature switches the flow. What is signed is `content_hash`."""
    switch, signed = pages.find(act.session, record_id), signature_given(body["signature"])
    return flow_modes.sign(act, switch, signed, seen_hash=body["content_hash"], reason=body["reason"]).id


@writes(
    "POST", "/mode-switches/<record_id>/refusal", scope="rules:write", summary="Refuse a switch, or withdraw one's own",
    body=SwitchRefused, answer=ModeSwitchAnswer, render=_show, etag=tag_of, match=True, person=True,
)  # fmt: skip
def refuse_mode_switch(act: Act, body: dict[str, Any], record_id: str) -> str:
    """As a holder of an open seat; its proposer withdraws it."""
    switch = pages.find(act.session, record_id)
    bodies.seen_tag(tag_of(switch))
    return flow_modes.refuse(act, switch, reason=body["reason"]).id
