"""Switch a flow between observe, advise and enforce: proposed by its author, approved by somebody else, applied with the last signature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Conflict, Forbidden, Invalid, NotFound
from engine.ports import SignatureRequest
from engine.record import Operation
from processes.notices import tell_role
from processes.seats import fill_seat, open_seat_of, set_seats
from records.calendar import MAIN, site_called
from records.numbering import next_number
from records.signature import Meaning
from records.transition import following, illegal
from rules.change_item import ChangeClass, ChangeItem
from rules.flow_mode import (
    FLOWS,
    SWITCH_TRANSITIONS,
    FlowMode,
    Mode,
    ModeSwitch,
    SwitchStatus,
    move_switch,
    switch_hash,
)
from rules.policy import table_called

LONGEST_REASON = 4000


def modes(session: Session) -> dict[str, FlowMode]:
    """Return the row of every flow, by name."""
    rows = session.scalars(select(FlowMode).where(FlowMode.flow.in_(FLOWS)).order_by(FlowMode.flow))
    return {row.flow: row for row in rows}


def signers_of(flow: str) -> dict[str, Meaning]:
    """Return whose signatures a switch of a flow needs, and what each says, in order."""
    rows = table_called("flow_mode_signers").judge(flow=flow).rows
    return {str(row.outputs["role"]): Meaning(row.outputs["meaning"]) for row in rows}


def propose(act: Act, given: Mapping[str, Any]) -> ModeSwitch:
    """Propose to switch a flow; nothing changes until every seat is signed.

    given: flow, mode, reason. Raises: NotFound for a flow that is none; Invalid naming the field; Forbidden for who holds
    none of the seats; Conflict while another switch of the flow waits.
    """
    flow = str(given.get("flow") or "")
    row = modes(act.session).get(flow)
    if row is None:
        raise NotFound(f"Expected a flow such as {', '.join(FLOWS)}, but found {flow!r:.60}")
    wanted, reason = _mode(given, row), _reason(given.get("reason"))
    waiting = _waiting(act, row)
    if waiting is not None:
        raise Conflict(
            f"Expected no other switch of {flow}, but {waiting.number} waits for its signatures",
            code="ILLEGAL_TRANSITION",
        )
    switch = ModeSwitch(
        number=next_number(act, "MODE", site=site_called(act.session, MAIN)), flow_mode=row, flow_mode_id=row.id, flow=flow,
        from_mode=row.mode, to_mode=wanted, reason=reason, requested_by=act.user_id or act.actor, approved_hash="0" * 64,
    )  # fmt: skip
    switch.approved_hash = switch_hash(switch)
    act.session.add(switch)
    act.session.flush()
    signers = signers_of(flow)
    set_seats(act, switch, list(signers), why=f"switch of {flow}")
    if open_seat_of(act, switch) is None:
        raise Forbidden(f"Expected {' or '.join(signers)} to propose a switch of {flow}, but you hold no such role")
    _write_item(act, switch)
    subject = f"{switch.number}: {flow} is to change from {switch.from_mode} to {switch.to_mode}"
    for role in signers:
        tell_role(
            act, role, subject, key=f"mode:{switch.id}:{role}", body=reason, record=(switch.record_type, switch.id)
        )
    return switch


def sign(act: Act, switch: ModeSwitch, request: SignatureRequest, *, seen_hash: str, reason: str = "") -> ModeSwitch:
    """Fill one seat; the last signature applies the switch. Raises: Forbidden; Invalid; Conflict when it waits no more."""
    if switch.status is not SwitchStatus.PROPOSED:
        raise illegal(switch, SwitchStatus.APPLIED, following(switch.status, SWITCH_TRANSITIONS))
    if switch.flow_mode.mode is not switch.from_mode:
        raise Conflict(
            f"Expected {switch.flow} in {switch.from_mode}, but it is {switch.flow_mode.mode}; propose it anew"
        )
    seat = open_seat_of(act, switch)
    meaning = signers_of(switch.flow)[seat.role] if seat is not None else Meaning.APPROVED
    _not_the_author(act, switch, meaning)
    if fill_seat(act, switch, request, seen_hash=seen_hash, meaning=meaning, reason=reason):
        move_switch(act, switch, SwitchStatus.APPLIED, reason=reason or None)
        act.session.flush()
        switch.flow_mode.mode = switch.to_mode
        act.session.flush()
    return switch


def refuse(act: Act, switch: ModeSwitch, *, reason: str) -> ModeSwitch:
    """Refuse a proposed switch, as a holder of an open seat; its proposer withdraws it. Raises: Forbidden; Invalid; Conflict."""
    mine = act.user_id == switch.requested_by
    if not mine and open_seat_of(act, switch) is None:
        raise Forbidden(f"Expected a holder of one of the seats of {switch.number} to refuse it, but you hold none")
    return move_switch(act, switch, SwitchStatus.WITHDRAWN if mine else SwitchStatus.REFUSED, reason=_reason(reason))


def _not_the_author(act: Act, switch: ModeSwitch, meaning: Meaning) -> None:
    if meaning is not Meaning.AUTHORED and act.user_id == switch.requested_by:
        raise Forbidden(
            f"Expected somebody else to approve {switch.number}, but you proposed it (SOD-11)",
            code="SOD_VIOLATION", record=(switch.record_type, switch.id), keep=True,
        )  # fmt: skip


def _write_item(act: Act, switch: ModeSwitch) -> None:
    """Say word for word what the signatures will change: the guarded row opens for this alone."""
    act.session.add(
        ChangeItem(
            change_type=switch.record_type, change_id=switch.id, change_hash=switch.approved_hash,
            table_name=FlowMode.record_type, row_id=switch.flow_mode_id, operation=Operation.UPDATE, column_name="mode",
            old_text=switch.from_mode.value, new_text=switch.to_mode.value, change_class=ChangeClass.C2,
        )
    )  # fmt: skip
    act.session.flush()


def _waiting(act: Act, row: FlowMode) -> ModeSwitch | None:
    wanted = select(ModeSwitch).where(ModeSwitch.flow_mode_id == row.id, ModeSwitch.status == SwitchStatus.PROPOSED)
    return act.session.scalar(wanted)


def _mode(given: Mapping[str, Any], row: FlowMode) -> Mode:
    try:
        wanted = Mode(str(given.get("mode") or "").upper())
    except ValueError as error:
        raise Invalid(
            f"Expected one of {', '.join(Mode)}, but found {given.get('mode')!r:.40}", {"mode": "is unknown"}
        ) from error
    if wanted is row.mode:
        raise Invalid(
            f"Expected another mode than {row.mode}, but {row.flow} has it already", {"mode": "is the present one"}
        )
    return wanted


def _reason(value: object) -> str:
    reason = str(value or "").strip()
    if not reason:
        raise Invalid("Expected a reason, but there is none", {"reason": "is required"})
    if len(reason) > LONGEST_REASON:
        raise Invalid(
            f"Expected at most {LONGEST_REASON:,} characters, but found {len(reason):,}", {"reason": "is too long"}
        )
    return reason
