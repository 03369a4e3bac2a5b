"""What operators do to running instances beside trying again: each is somebody's, has a reason, and what bends a run is signed.

Suspending, resuming and cancelling stop nobody's say; moving tokens and moving runs to another version do, and are signed by a
process engineer: administrators have no business signature (SOD-12).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from engine import migrating, modifying, motion
from engine.act import Act
from engine.canonical import content_hash
from engine.errors import Conflict, Forbidden, Invalid, NotFound
from engine.ports import SignatureRequest
from engine.stored.definition import Definition, DefinitionStatus
from engine.stored.instance import Instance, InstanceMove, Relocation
from engine.suspending import reason_for
from records.roles import grants_of, holds, role_name, user_called
from records.signature import Meaning, Signature
from records.signing import PasswordSigner, Subject

HELPERS = ("ADMIN", "INTEGRATION", "PROCESS_ENGINEER")
"""Roles that may help what is stuck."""

MOVER = "PROCESS_ENGINEER"
"""The role that bends a run, with its signature."""

MEANING = Meaning.AUTHORED
"""What such a signature says: this is my doing."""

MOST = 10_000
"""Instances of one relocation."""


def modify(
    act: Act,
    instance_id: str,
    edits: Sequence[modifying.TokenEdit],
    *,
    reason: str,
    seen_hash: str,
    request: SignatureRequest,
    values: Mapping[str, Any] | None = None,
) -> Instance:
    """Carry out staged edits of tokens, signed. Raises: as ``modifying.apply``; Forbidden for who is no process engineer."""
    _need_mover(act, "move tokens")
    instance = motion.lock(act, instance_id)
    if modifying.hash_of(act.session, instance, edits, values) != seen_hash:
        raise Conflict(
            f"Expected {instance.business_key} as it was staged, but it went on since; stage the edits again",
            code="STALE_VERSION",
        )
    reason = reason_for(reason, "moving tokens")
    _sign(act, "instance", instance.id, seen_hash, reason, request)
    return modifying.apply(act, instance_id, edits, reason=reason, seen_hash=seen_hash, values=values)


def order_relocation(
    act: Act,
    target: Definition,
    instance_ids: Sequence[str],
    *,
    reason: str,
    request: SignatureRequest,
    mapping: Mapping[str, str] | None = None,
) -> Relocation:
    """Sign that these instances are to be moved to a version; ``migrating.move_each`` then moves them, each by itself.

    Raises: Forbidden; Invalid without a reason or instances; Conflict for a version that is not released.
    """
    _need_mover(act, "move runs to another version")
    reason, chosen = reason_for(reason, "moving runs to another version"), list(dict.fromkeys(instance_ids))
    if not 1 <= len(chosen) <= MOST:
        raise Invalid(f"Expected 1 to {MOST:,} runs, but {len(chosen):,} are chosen", {"instances": "choose some"})
    if target.status != DefinitionStatus.RELEASED:
        raise Conflict(
            f"Expected a released version, but version {target.version} of {target.process_id} is {target.status}",
            code="NOT_RELEASED",
        )
    signed = relocation_hash(target, chosen, mapping or {})
    order = Relocation(
        process_id=target.process_id, definition_id=target.id, mapping=dict(mapping or {}), reason=reason,
        content_hash=signed, ordered_at=act.now, ordered_by=act.user_id or act.actor,
    )  # fmt: skip
    act.session.add(order)
    act.session.flush()
    act.note(
        "relocation",
        order.id,
        "RELOCATION",
        field=target.process_id,
        new=f"{target.version} {target.hash}",
        reason=reason,
    )
    _sign(act, "relocation", order.id, signed, reason, request)
    return order


def relocation_hash(target: Definition, instance_ids: Sequence[str], mapping: Mapping[str, str]) -> str:
    """Return the hash of which instances go to which version how: what a signature is on."""
    return content_hash({"to": target.hash, "instances": sorted(instance_ids), "mapping": dict(mapping)})


def revert(act: Act, move_id: str, *, reason: str, request: SignatureRequest) -> Instance:
    """Take a move back, signed. Raises: as ``migrating.revert``; Forbidden."""
    _need_mover(act, "take a move back")
    made = act.session.get(InstanceMove, move_id)
    if made is None:
        raise NotFound("Expected a move at this address, but there is none")
    motion.lock(act, made.instance_id)
    signed = content_hash({"move": made.id, "back": made.from_definition_id})
    _sign(act, "instance", made.instance_id, signed, reason_for(reason, "taking the move back"), request)
    return migrating.revert(act, move_id, reason)


def need_helper(session: Session, user_id: str, *, at: dt.datetime) -> None:
    """Refuse who may not help what is stuck. Raises: NotFound; Forbidden."""
    user = user_called(session, user_id)
    held = {grant.role for grant in grants_of(session, user_id, at=at)} if user.is_active else set()
    if held.isdisjoint(HELPERS):
        names = " or ".join(role_name(session, role) for role in HELPERS)
        why = "holds none of these roles" if user.is_active else "is disabled"
        raise Forbidden(f"Expected {names} to do this, but {user_id} {why}")


def may_move(roles: Collection[str]) -> bool:
    """Whether somebody with these roles bends runs."""
    return any(role.partition("@")[0] == MOVER for role in roles)


def _need_mover(act: Act, what: str) -> None:
    if act.user_id is None or not holds(act.session, act.user_id, MOVER, at=act.now):
        named = role_name(act.session, MOVER)
        raise Forbidden(
            f"Expected a {named.lower()} to {what}, since it is signed, but you are none; suspend or cancel the run instead"
        )


def _sign(act: Act, record_type: str, record_id: str, signed: str, reason: str, request: SignatureRequest) -> Signature:
    signer = act.installation.signer
    if not isinstance(signer, PasswordSigner):
        raise TypeError("Expected a signer with passwords to be wired before anybody signs, but there is another")
    if request.meaning != MEANING:
        raise Invalid(
            f"Expected the meaning {MEANING}, but it is {request.meaning}", {"meaning": "says something else"}
        )
    subject = Subject(record_type, record_id, signed, principal=f"role:{MOVER}", reason=reason)
    return signer.sign_subject(act, subject, request)
