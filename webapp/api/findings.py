"""Findings, waivers, modes of flows and the quality of the data: read them, acknowledge a warning, ask for a waiver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from marshmallow import fields

from engine.act import Act
from engine.errors import Effect
from processes import findings as desk
from processes import waiving
from processes.data_quality import defects_of
from processes.flow_modes import modes, signers_of
from records.waiver import Waiver, WaiverStatus
from rules.finding import KeptFinding
from rules.flow_mode import Mode
from rules.waiver import today_of
from webapp.api import bodies
from webapp.api.endpoints import reads, writes
from webapp.api.instances import Reason
from webapp.api.shapes import Answer, Exact, Instant, Listed, Request, as_page, maybe, page_of, text, word
from webapp.api.signing import SignedContent, signature_given
from webapp.pages import findings as pages
from webapp.pages import waivers as waiver_pages
from webapp.visit import now, reading


class FindingAnswer(Answer):
    """What a rule said about a document. old and new: both values. judged_by: the content hash of the table, with its row."""

    id = fields.UUID()
    rule = fields.String()
    effect = word(Effect)
    mode = fields.String()
    sentence = fields.String()
    record_type = fields.String()
    record_id = fields.String()
    field = fields.String()
    old = fields.String(attribute="old_text", allow_none=True)
    new = fields.String(attribute="new_text", allow_none=True)
    owner = fields.String()
    way_out = fields.String()
    judged_by = fields.String()
    judged_row = fields.Integer(allow_none=True)
    at = Instant()
    acknowledged_by = maybe()
    acknowledged_at = Instant(allow_none=True)
    acknowledgement = maybe()
    settled_at = Instant(allow_none=True)
    waiver_id = fields.UUID(allow_none=True)


class FindingQuery(Listed):
    """What open findings may be listed by."""

    rule = fields.String(load_default="")
    effect = word(Effect, load_default="")
    owner = fields.String(load_default="")
    kind = fields.String(load_default="")
    age = fields.String(load_default="")


class WaiverAnswer(Answer):
    """A waiver. state: STANDS, NOT_YET, EXPIRED, or its status. uses: findings that it turned into warnings."""

    id = fields.UUID()
    number = fields.String()
    rule = fields.String()
    target_type = fields.String()
    record_id = fields.String()
    record_name = fields.String()
    quantity_limit = Exact(allow_none=True)
    serials = fields.List(fields.String())
    starts_on = fields.Date()
    expires_on = fields.Date()
    reason = fields.String()
    requested_by = fields.String()
    status = word(WaiverStatus)
    state = fields.Function(
        lambda row: waiving.state_of(row, on=today_of(reading(), now())), metadata={"type": "string"}
    )
    content_hash = fields.String(attribute="approved_hash")
    uses = fields.Function(lambda row: waiving.uses_of(reading(), row), metadata={"type": "integer"})
    version = fields.Integer()


class WaiverQuery(Listed):
    """What waivers may be listed by."""

    status = word(WaiverStatus, load_default="")


class WaiverRequest(Request):
    """A waiver to ask for. It permits nothing until its seats are signed."""

    rule = text(40, required=True)
    record_type = text(40, required=True)
    record_id = text(60, required=True)
    starts_on = text(10, load_default="")
    expires_on = text(10, required=True)
    quantity_limit = text(40, load_default="")
    serials = fields.List(text(40), load_default=list)
    reason = text(4000, required=True)


class FlowModeAnswer(Answer):
    """The mode of one flow. signers: whose signatures a switch needs, and what each says."""

    flow = fields.String()
    mode = word(Mode)
    changed_at = Instant()
    signers = fields.Function(
        lambda row: {role: meaning.value for role, meaning in signers_of(row.flow).items()}, metadata={"type": "object"}
    )


class FlowModes(Answer):
    """Every flow."""

    items = fields.List(fields.Nested(FlowModeAnswer))


class DefectAnswer(Answer):
    """One thing that is missing."""

    kind = fields.String()
    severity = fields.String()
    record_type = fields.String()
    record_id = fields.String()
    number = fields.String()
    sentence = fields.String()
    owner = fields.String()
    way_out = fields.String()


class DataQuality(Answer):
    """What is missing now, the gravest first."""

    items = fields.List(fields.Nested(DefectAnswer))


FindingPage = page_of(FindingAnswer, "FindingPage")
WaiverPage = page_of(WaiverAnswer, "WaiverPage")


@reads(
    "/findings", scope="rules:read", summary="List open findings, newest first", query=FindingQuery, answer=FindingPage
)
def list_findings(*, q: str, after: str, limit: int, **filters: str) -> Any:
    """Filter by rule, effect, owner, kind of document and age in days."""
    return as_page(pages.look_up({"q": q, **filters}, after, limit=limit))


@reads("/findings/<record_id>", scope="rules:read", summary="Get a finding", answer=FindingAnswer)
def get_finding(record_id: str) -> KeptFinding:
    """Find it by id."""
    return desk.find(reading(), record_id)


def _finding(record_id: str) -> KeptFinding:
    return desk.find(reading(), record_id)


@writes(
    "POST", "/findings/<record_id>/acknowledgement", scope="rules:write", summary="Acknowledge a warning with a reason",
    body=Reason, answer=FindingAnswer, render=_finding, person=True,
)  # fmt: skip
def acknowledge_finding(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Its owner, or who oversees the rules; what holds or refuses is not acknowledged."""
    return desk.acknowledge_finding(act, desk.find(act.session, record_id), reason=body["reason"]).id


@reads("/waivers", scope="rules:read", summary="List waivers, newest first", query=WaiverQuery, answer=WaiverPage)
def list_waivers(*, q: str, status: str, after: str, limit: int) -> Any:
    """Search in number, rule and document."""
    return as_page(waiver_pages.look_up(q, status, after, limit=limit))


def tag_of(waiver: Waiver) -> str:
    """Return the ETag of what is shown."""
    return str(waiver.version)


@reads("/waivers/<record_id>", scope="rules:read", summary="Get a waiver", answer=WaiverAnswer, etag=tag_of)
def get_waiver(record_id: str) -> Waiver:
    """Find it by id."""
    return waiver_pages.find(reading(), record_id)


def _waiver(record_id: str) -> Waiver:
    return waiver_pages.find(reading(), record_id)


@writes(
    "POST", "/waivers", scope="rules:write", summary="Ask for a waiver", body=WaiverRequest, answer=WaiverAnswer,
    status=201, render=_waiver, etag=tag_of, person=True,
)  # fmt: skip
def propose_waiver(act: Act, body: dict[str, Any]) -> str:
    """It waits for the signatures that its rule needs."""
    return waiving.propose(act, body).id


@writes(
    "POST", "/waivers/<record_id>/signature", scope="rules:write", summary="Sign a waiver", body=SignedContent, answer=WaiverAnswer,
    render=_waiver, etag=tag_of, person=True,
)  # fmt: skip
def sign_waiver(act: Act, body: dict[str, Any], record_id: str) -> str:
    """Fill one's seat; it stands when every seat is signed, by different people."""
    waiver, signed = waiver_pages.find(act.session, record_id), signature_given(body["signature"])
    return waiving.sign(act, waiver, signed, seen_hash=body["content_hash"], reason=body["reason"]).id


def _ending(verb: str, summary: str, words: str) -> Callable[..., str]:
    def end(act: Act, body: dict[str, Any], record_id: str) -> str:
        waiver = waiver_pages.find(act.session, record_id)
        bodies.seen_tag(tag_of(waiver))
        return waiver_pages.ENDS[verb](act, waiver, reason=body["reason"]).id

    end.__name__, end.__doc__ = f"{verb}_waiver", words
    registered: Callable[..., str] = writes(
        "POST", f"/waivers/<record_id>/{verb}", scope="rules:write", summary=summary, body=Reason, answer=WaiverAnswer,
        render=_waiver, etag=tag_of, match=True, person=True,
    )(end)  # fmt: skip
    return registered


refuse_waiver = _ending("refuse", "Refuse a waiver", "As a holder of one of its open seats.")
withdraw_waiver = _ending("withdraw", "Withdraw a waiver", "As the person who asked for it, while it waits.")
revoke_waiver = _ending("revoke", "Revoke a waiver", "Before its day, as a holder of a role that signed it.")


@reads("/flow-modes", scope="rules:read", summary="List the mode of every flow", answer=FlowModes)
def list_flow_modes() -> Any:
    """Say who signs a switch; what was and is to be switched is under /mode-switches."""
    return {"items": list(modes(reading()).values())}


@reads("/data-quality", scope="rules:read", summary="Report what is missing in the data", answer=DataQuality)
def report_data_quality() -> Any:
    """Every defect with its kind and owner."""
    return {"items": defects_of(reading(), now=now())}
