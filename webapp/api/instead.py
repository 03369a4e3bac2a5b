"""What a refused change of a controlled value offers instead: the same edits, as a request that a caller may send.

An amendment makes values of class C1 and C2, and those that a change order in force covers; a change request asks for the others.
Nothing that was sent is lost, whatever is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flask import g
from marshmallow import fields
from sqlalchemy.orm import Session

from engine.canonical import canonical
from engine.errors import Finding, NotFound, Refused, RuleViolation
from processes.amendment_examination import examine
from processes.change_values import name_of, record_of
from records.part import PartRevision
from records.purchase_order import OrderStatus, PurchaseOrder
from rules.amending import AMENDABLE, RULE, Classified, Edits, deepest, refuse_status
from rules.change_item import ChangeClass
from rules.controlled import current_policy
from webapp import visit
from webapp.api import problems
from webapp.api.shapes import Answer, maybe

BEFORE_SENDING = (
    OrderStatus.PENDING_APPROVAL, OrderStatus.APPROVED, OrderStatus.APPROVAL_EXPIRED, OrderStatus.APPROVED_NOT_TRANSMITTED,
)  # fmt: skip
TECHNICAL = (ChangeClass.C3, ChangeClass.C4)


class Offer(Answer):
    """A request that would take refused edits. body: to send with it; missing: what the caller still has to say in it."""

    summary = fields.String()
    change_class = maybe()
    method = fields.String()
    href = fields.String()
    body = fields.Dict()
    missing = fields.List(fields.String())


def remember(order: PurchaseOrder, body: Mapping[str, Any], edits: Edits) -> None:
    """Keep what a request wants of an order, so that a refusal can offer it again. edits: the same as an amendment takes them."""
    g.refused_edits = (order.id, body, edits)


def offers_of(refusal: Refused) -> list[dict[str, Any]]:
    """Return what a refusal offers instead; nothing for one that is not about controlled values."""
    if refusal.code != RULE:
        return []
    session = visit.read_anew()
    kept = g.get("refused_edits")
    order = session.get(PurchaseOrder, kept[0]) if kept is not None else None
    if order is not None:
        return _of_order(session, order, kept[1], kept[2], refusal)
    return _of_findings(session, refusal.findings if isinstance(refusal, RuleViolation) else ())


def _of_order(
    session: Session, order: PurchaseOrder, body: Mapping[str, Any], edits: Edits, refusal: Refused
) -> list[dict[str, Any]]:
    if order.status not in AMENDABLE:
        withdrawal = [_withdrawal(order)] if order.status in BEFORE_SENDING else []
        technical = [one for one in _findings(refusal) if _class_of(one) in TECHNICAL]
        return withdrawal + _of_findings(session, technical)
    try:
        refuse_status(order)
        found = examine(_Looking(session), order, edits).classified
    except Refused:
        return _of_findings(session, _findings(refusal))
    possible = [one for one in found if one.is_possible]
    asked = [one for one in found if not one.is_possible and one.change_class in TECHNICAL]
    return _amendment(order, body, possible) + _request(_requested(order, body, asked), deepest(asked))


class _Looking:
    """Who only looks: the session of a request and the present instant."""

    def __init__(self, session: Session) -> None:
        self.session, self.now = session, visit.now()


def _withdrawal(order: PurchaseOrder) -> dict[str, Any]:
    return {
        "summary": "Withdraw the order: it is a draft again, its signatures are superseded. Then send the same change once more.",
        "change_class": None, "method": "POST", "href": f"/api/v1/orders/{order.id}/withdrawal", "body": {"reason": ""},
        "missing": ["reason"],
    }  # fmt: skip


def _amendment(order: PurchaseOrder, body: Mapping[str, Any], possible: Sequence[Classified]) -> list[dict[str, Any]]:
    wanted: dict[str, Any] = {"reason": ""}
    lines: dict[int, dict[str, Any]] = {}
    for one in possible:
        line_no, name, value = _sent(order, body, one)
        if name is not None and line_no is None:
            wanted[name] = value
        elif name is not None and line_no is not None:
            lines.setdefault(line_no, {"line_no": line_no})[name] = value
    if not lines and len(wanted) == 1:
        return []
    return [
        {
            "summary": "Start an amendment with these edits", "change_class": deepest(possible).value, "method": "POST",
            "href": f"/api/v1/orders/{order.id}/amendments", "body": wanted | ({"lines": list(lines.values())} if lines else {}),
            "missing": ["reason"],
        }
    ]  # fmt: skip


def _requested(order: PurchaseOrder, body: Mapping[str, Any], asked: Iterable[Classified]) -> list[dict[str, Any]]:
    found = []
    for one in asked:
        line_no, name, value = _sent(order, body, one)
        if name is not None:
            record = order.number if line_no is None else f"{order.number}/{line_no}"
            found.append({"record": record, "column": one.asked.column, "new": _typed(value)})
    return found


def _request(edits: list[dict[str, Any]], change_class: ChangeClass | None) -> list[dict[str, Any]]:
    if not edits:
        return []
    subject = " and ".join(dict.fromkeys(edit["record"] for edit in edits))
    return [
        {
            "summary": "Ask for a change with these edits", "change_class": change_class.value if change_class else None,
            "method": "POST", "href": "/api/v1/change-requests",
            "body": {"title": f"Change of {subject}"[:200], "problem": "", "edits": edits}, "missing": ["problem"],
        }
    ]  # fmt: skip


def _sent(order: PurchaseOrder, body: Mapping[str, Any], one: Classified) -> tuple[int | None, str | None, Any]:
    """Return line number, name and value of what was sent, as it was sent; no name for what only follows from it."""
    name = "part_revision" if one.asked.column == "part_revision_id" else one.asked.column
    line = next((line for line in order.lines if line.id == one.asked.row_id), None)
    if line is None:
        return (None, name, _plain(body[name])) if name in body else (None, None, None)
    sent: Mapping[str, Any] = next((given for given in body.get("lines", ()) if given["line_no"] == line.line_no), {})
    return (line.line_no, name, _plain(sent[name])) if name in sent else (None, None, None)


def _of_findings(session: Session, findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Offer a change request with what findings say was to become of which value."""
    edits, classes = [], []
    for finding in _changing(findings):
        try:
            called = name_of(record_of(session, finding.record_type, finding.record_id))
        except NotFound:
            continue
        edits.append({"record": called, "column": finding.field, "new": _new_of(session, finding)})
        classes.append(_class_of(finding))
    known = [one for one in classes if one is not None]
    order = list(ChangeClass)
    return _request(edits, max(known, key=order.index, default=None))


def _changing(findings: Iterable[Finding]) -> list[Finding]:
    possible = [one for one in findings if one.rule == RULE and one.field and one.field != "status"]
    return [one for one in possible if _class_of(one) is not ChangeClass.REFUSED]


def _findings(refusal: Refused) -> Sequence[Finding]:
    return refusal.findings if isinstance(refusal, RuleViolation) else ()


def _class_of(finding: Finding) -> ChangeClass | None:
    """Return the least class that the controlled fields ask for, by the row that judged; a finding without one tells none."""
    policy = current_policy()
    if finding.judged_by != policy.hash or finding.row is None:
        return None
    return next((control.change_class for control in policy.controls.values() if control.row == finding.row), None)


def _new_of(session: Session, finding: Finding) -> str | None:
    if finding.field == "part_revision_id" and finding.new:
        revision = session.get(PartRevision, finding.new)
        return revision.number if revision is not None else finding.new
    return ", ".join(json.loads(finding.new)) if finding.new and finding.new.startswith("[") else finding.new


def _plain(value: Any) -> Any:
    """Return a sent value as JSON has it: numbers and days as text, lists as lists."""
    return value if isinstance(value, (str, bool, list, type(None))) else canonical(value)


def _typed(value: Any) -> str | None:
    """Return a sent value as a change request takes it."""
    if value is None or isinstance(value, str):
        return value
    return ", ".join(value) if isinstance(value, list) else str(value).lower()


problems.INSTEAD.append(offers_of)
