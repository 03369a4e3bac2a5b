"""Runs: what there is, what one waits for and knows; start, cancel, try again."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from engine import incidents, instances, retrying
from engine.act import Act
from engine.database import is_id
from engine.errors import NotFound
from engine.stored.definition import Definition
from engine.stored.instance import Instance, InstanceStatus
from engine.stored.wait import Incident
from processes.operating import HELPERS
from webapp import rehearsals
from webapp.api import bodies, callers
from webapp.api.endpoints import reads, writes
from webapp.api.shapes import Answer, Instant, Listed, Nothing, Request, Values, as_page, maybe, page_of, text, word
from webapp.pages import operations as pages
from webapp.visit import reading, visitor

STATES = (*InstanceStatus, "INCIDENT")


class InstanceSummary(Answer):
    """A run in a list. incidents: how many wait for help."""

    id = fields.UUID()
    process_id = fields.String()
    definition_id = fields.UUID()
    business_key = fields.String()
    status = word(InstanceStatus)
    incidents = fields.Integer()
    suspended_at = Instant(allow_none=True)
    started_at = Instant()
    started_by = fields.String()
    closed_at = Instant(allow_none=True)
    closed_why = maybe()
    ended_at = maybe()
    version = fields.Integer()


class Wait(Answer):
    """What one token waits for. kind: task, job, message, signal, timer, conditional, activation (a choice) or incident."""

    token_id = fields.Integer()
    process_id = fields.String()
    element_id = fields.String()
    kind = fields.String()
    due_at = Instant(allow_none=True)
    incident = maybe()


class IncidentAnswer(Answer):
    """What was or is stuck."""

    id = fields.UUID()
    element_id = fields.String()
    token_id = fields.Integer()
    cause = fields.String()
    message = fields.String()
    state = fields.String()
    attempts = fields.Integer()
    opened_at = Instant()
    resolved_at = Instant(allow_none=True)
    resolution = maybe()


class AboutRecord(Answer):
    """A document that a run is about."""

    record_type = fields.String()
    record_id = fields.String()


class InstanceDetail(InstanceSummary):
    """A run. newest_version: that new runs start with, null when there is none. wait: what it waits for, in one sentence.

    variables: only for those who help what is stuck, else null.
    """

    definition_version = fields.Integer()
    newest_version = fields.Integer(allow_none=True)
    suspended_by = maybe()
    suspended_why = maybe()
    wait = fields.String()
    waits = fields.List(fields.Nested(Wait))
    open_incidents = fields.List(fields.Nested(IncidentAnswer))
    records = fields.List(fields.Nested(AboutRecord))
    variables = fields.Raw(metadata={"type": ["object", "null"], "additionalProperties": True})


class RetryAnswer(Answer):
    """What came of trying again."""

    incident_id = fields.UUID()
    business_key = fields.String()
    outcome = word(retrying.Outcome)
    message = fields.String()


class InstanceQuery(Listed):
    """What runs may be listed by. ``q``: ``key:``, ``flow:``, ``state:``, ``incident:``, ``var.amount>5000``, or words."""

    state = word(STATES, load_default="")


class Start(Request):
    """A run to start."""

    process_id = text(200, required=True)
    business_key = text(200, required=True, metadata={"description": "Unique among the running ones of the process."})
    variables = Values(load_default=dict)


class Reason(Request):
    """Why."""

    reason = text(4000, required=True)


InstancePage = page_of(InstanceSummary, "InstancePage")


@reads(
    "/instances", scope="instances:read", summary="List runs, newest first", query=InstanceQuery, answer=InstancePage
)
def list_instances(*, q: str, state: str, after: str, limit: int) -> Any:
    """Search as on the operations page."""
    may_know = callers.is_adapter() or visitor().holds(*HELPERS)
    return as_page(pages.look_up(q, state, after, limit=limit, may_know=may_know))


def show_instance(instance_id: str) -> dict[str, Any]:
    """Return a run as it is answered."""
    session = reading()
    instance = pages.find(session, instance_id)
    found = {name: getattr(instance, name) for name in InstanceSummary().fields}
    waits = [token for token in instances.live_tokens(session, instance) if not token.is_listener]
    newest = rehearsals.newest(session, instance.process_id)
    may_know = callers.is_adapter() or visitor().holds(*HELPERS)
    return found | {
        "definition_version": session.get_one(Definition, instance.definition_id).version,
        "newest_version": newest.version if newest is not None else None,
        "suspended_by": instance.suspended_by,
        "suspended_why": instance.suspended_why,
        "wait": instances.wait_sentence(session, instance),
        "waits": waits,
        "open_incidents": [one for one in incidents.of_instance(session, instance.id) if one.state == "OPEN"],
        "records": [
            {"record_type": kind, "record_id": key} for kind, key in instances.records_of(session, instance.id)
        ],
        "variables": instances.variables_of(session, instance.id) if may_know else None,
    }


def tag_of(instance: Any) -> str:
    """Return the ETag of a run."""
    return str(instance["version"] if isinstance(instance, dict) else instance.version)


@reads(
    "/instances/<instance_id>", scope="instances:read", summary="Get a run, what it waits for and what it knows",
    answer=InstanceDetail, etag=tag_of,
)  # fmt: skip
def get_instance(instance_id: str) -> dict[str, Any]:
    """Find it by id."""
    return show_instance(instance_id)


@writes(
    "POST", "/instances", scope="instances:write", summary="Start a run of a released process", body=Start,
    answer=InstanceDetail, status=201, render=show_instance, etag=tag_of,
)  # fmt: skip
def start_instance(act: Act, body: dict[str, Any]) -> str:
    """Start in the caller's name: an adapter's, or that of somebody who helps what is stuck. People start by documents."""
    need_helper()
    return instances.start(act, body["process_id"], business_key=body["business_key"], variables=body["variables"]).id


@writes(
    "POST", "/instances/<instance_id>/cancellation", scope="instances:write", summary="End a run for a reason", body=Reason,
    answer=InstanceDetail, render=show_instance, etag=tag_of, match=True,
)  # fmt: skip
def cancel_instance(act: Act, body: dict[str, Any], instance_id: str) -> str:
    """Take back its tasks, timers and jobs."""
    need_helper()
    bodies.seen_tag(tag_of(pages.find(act.session, instance_id)))
    return instances.cancel(act, instance_id, body["reason"]).id


def _tried(subject: dict[str, Any]) -> dict[str, Any]:
    return subject


@writes(
    "POST", "/instances/<instance_id>/incidents/<incident_id>/retry", scope="instances:write",
    summary="Try again what is stuck", body=Nothing, answer=RetryAnswer, render=_tried,
)  # fmt: skip
def retry_incident(act: Act, _body: dict[str, Any], instance_id: str, incident_id: str) -> dict[str, Any]:
    """Say what really happened: it advanced, failed again, or a worker tries."""
    need_helper()
    instance: Instance = pages.find(act.session, instance_id)
    incident = act.session.get(Incident, incident_id) if is_id(incident_id) else None
    if incident is None or incident.instance_id != instance.id:
        raise NotFound("Expected an incident of this run at this address, but there is none.")
    came = retrying.retry(act, incident.id)
    return {
        "incident_id": came.incident_id, "business_key": came.business_key, "outcome": str(came.outcome), "message": came.message
    }  # fmt: skip


def need_helper() -> None:
    """Refuse a person who may not help what is stuck; an adapter's scope says enough. Raises: Forbidden."""
    if not callers.is_adapter():
        pages.need_helper()
