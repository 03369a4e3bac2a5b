"""How the functions of a board speak, where its keeper says otherwise than the table: each rule begins and ends under a signature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.act import Act
from engine.canonical import is_whole
from engine.database import new_id
from engine.errors import Conflict, Forbidden, Invalid
from engine.ports import SignatureRequest
from processes.goods_signature import role_for, sign
from records.board import Board, Membership
from records.board_rule import BoardRule, rule_end_hash, rule_hash, rules_at
from records.change_request import OrderClass
from records.columns import codes
from records.roles import meanings_of
from records.signature import Meaning
from records.vote import VoteRule

MOST = 1000
"""Of votes or weight that a rule may need."""


def set_rule(
    act: Act, board: Board, request: SignatureRequest | None, given: Mapping[str, Any], *, reason: str
) -> BoardRule:
    """Say how a function of a board speaks from now on, under the keeper's signature; the rule before it ends with the same press.

    given: function, role, rule, needed, has_veto, classes (of change orders that ask it though the table does not). What is up for
    decision keeps the rules that it was sent with. Raises: Forbidden; Invalid naming the field, or for the rule that is there already.
    """
    role = role_for(act, (board.keeper_role,), to=f"say how {board.name} decides")
    said = _said(act, board, given, reason)
    before = rules_at(act.session, board, act.now).get(said["function"])
    if before is not None and all(getattr(before, name) == said[name] for name in said if name != "valid_from"):
        raise Invalid("Expected another rule, but it is the present one", {"rule": "Change something, or leave"})
    if before is not None:
        _end(act, before, request, role=role, reason=f"Another rule follows: {reason.strip()}"[:4000])
    rule_id = new_id()
    made = BoardRule(
        id=rule_id, board=board, board_id=board.id, content_hash=rule_hash(rule_id, board.id, said), **said
    )
    with act.session.no_autoflush:
        signed = sign(
            act, made, _wanted(request, board), content_hash=made.content_hash, role=f"role:{role}",
            meanings=(Meaning.APPROVED,), reason=reason.strip()[:4000],
        )  # fmt: skip
    made.signature, made.signature_id = signed, signed.id
    act.reason = reason.strip()[:4000]
    act.session.add(made)
    act.session.flush()
    return made


def end_rule(act: Act, rule: BoardRule, request: SignatureRequest | None, *, reason: str) -> BoardRule:
    """End a rule now, under a signature; the table says again how the function speaks.

    Raises: Forbidden; Invalid without a reason; Conflict when it ended already.
    """
    role = role_for(act, (rule.board.keeper_role,), to=f"say how {rule.board.name} decides")
    if rule.valid_to is not None:
        raise Conflict(
            f"Expected a rule that counts, but the one of {rule.words} ended already", record=_about(rule.board)
        )
    if not reason.strip():
        raise Invalid("Expected why the rule ends, but there is no reason", {"reason": "is required"})
    return _end(act, rule, request, role=role, reason=reason.strip()[:4000])


def _end(act: Act, rule: BoardRule, request: SignatureRequest | None, *, role: str, reason: str) -> BoardRule:
    signed = sign(
        act, rule, _wanted(request, rule.board), content_hash=rule_end_hash(rule, act.now), role=f"role:{role}",
        meanings=(Meaning.APPROVED,), reason=reason,
    )  # fmt: skip
    act.reason = reason
    rule.valid_to, rule.end_signature_id, rule.end_signature = act.now, signed.id, signed
    act.session.flush()
    return rule


def _said(act: Act, board: Board, given: Mapping[str, Any], reason: str) -> dict[str, Any]:
    said: dict[str, Any] = {
        "function": str(given.get("function") or "").strip().upper().replace(" ", "_"), "role": str(given.get("role") or "").strip(),
        "rule": str(given.get("rule") or ""), "needed": str(given.get("needed") or 1), "has_veto": bool(given.get("has_veto")),
        "classes": codes(given.get("classes") or ()), "valid_from": act.now,
    }  # fmt: skip
    problems = {name: "is required" for name in ("function", "role", "rule") if not said[name]}
    if not reason.strip():
        problems["reason"] = "is required"
    if len(str(said["function"])) > 40:
        problems["function"] = "Expected at most 40 characters"
    if "rule" not in problems and said["rule"] not in set(VoteRule):
        problems["rule"] = f"Expected one of {', '.join(VoteRule)}"
    if not is_whole(str(said["needed"])) or not 1 <= int(str(said["needed"])) <= MOST:
        problems["needed"] = f"Expected 1 to {MOST}"
    if set(given.get("classes") or ()) - set(OrderClass):
        problems["classes"] = f"Expected some of {', '.join(OrderClass)}"
    if "role" not in problems and Meaning.APPROVED not in meanings_of(act.session, str(said["role"])):
        problems["role"] = "signs no approval"
    if not problems:
        said |= {"rule": VoteRule(str(said["rule"])), "needed": int(str(said["needed"]))}
        members = [one for one in board.members_at(act.now) if one.function == said["function"]]
        if (most := _most(said["rule"], members)) is not None and said["needed"] > most:
            problems["needed"] = f"Expected at most {most}: what the members it has come to"
    if problems:
        raise Invalid("Expected how a function speaks, but something does not fit", problems)
    return said


def _most(rule: Any, members: Sequence[Membership]) -> int | None:
    """Return what the members of a function can reach at most; None where nobody sits for it, or all are asked."""
    if rule is VoteRule.ALL or not members:
        return None
    return sum(one.weight for one in members) if rule is VoteRule.WEIGHT else len(members)


def _wanted(request: SignatureRequest | None, board: Board) -> SignatureRequest:
    if request is None:
        raise Forbidden(f"Expected a signature on how {board.name} decides, but there is none", code="UNSIGNED")
    return request


def _about(board: Board) -> tuple[str, str]:
    return board.record_type, board.id
