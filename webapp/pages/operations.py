"""Operations: runs by state, incidents with retry that says what happened, one run with its live diagram."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from engine import choosing, incidents, instances, migrating, retrying
from engine.database import is_id
from engine.errors import Forbidden, NotFound
from engine.stored.definition import Definition
from engine.stored.instance import Instance, InstanceMove, InstanceStatus
from engine.stored.job import Job
from engine.stored.wait import Incident, IncidentState
from processes import operating
from processes.operating import HELPERS
from webapp import (
    diagrams,
    dossiers,
    formats,
    ledger,
    listing,
    rehearsals,
    run_search,
    run_tasks,
    sheet,
    standing,
    wording,
)
from webapp.task_forms import value_words
from webapp.visit import acting, installation, reading, visitor

pages = Blueprint("operations", __name__)

MOST_SHOWN = 10
"""Steps, tasks and jobs of a run that its page shows; how many there are is said beside."""

MOST_EVENTS = 30
"""Rows of its history, and decisions, that the page of a run shows; the whole history is a page of its own."""

SHOWN = 25
"""Runs on a page of the list: for each it is said what it waits for."""


@pages.get("/operations")
def index() -> str:
    """Show runs by state, and what is stuck."""
    session = reading()
    may_help = visitor().holds(*HELPERS)
    page, flows = look_up(*listing.search(), limit=SHOWN, may_know=may_help), _flows(session)
    return render_template(
        "operations/index.html", page=page, states=list(InstanceStatus), versions=_versions(session, page.items),
        misunderstood=run_search.read(page.query, may_know=may_help).misunderstood, hint=run_search.HELP,
        counts=_counts(session), stuck=_stuck(session),
        flows=flows, may_help=may_help, waits=_waits(session, page.items),
        process_names={definition.process_id: definition.name for definition, _runs in flows},
    )  # fmt: skip


COLUMNS: dict[str, sheet.Column] = {
    "key": "business_key", "process": "process_id", "state": "status", "incidents": "incidents", "started_at": "started_at",
    "started_by": "started_by",
    "suspended_at": "suspended_at", "wakes_at": "wake_at", "closed_at": "closed_at", "ended_at": "ended_at", "why": "closed_why",
}  # fmt: skip


@sheet.offered(pages, "/operations")
def export() -> sheet.Sheet:
    """Hand out the runs that a search finds, the newest first."""
    return sheet.of_page("runs", sheet.whole(partial(look_up, may_know=visitor().holds(*HELPERS))), COLUMNS)


def look_up(
    query: str, state: str, after: str, *, limit: int = listing.LIMIT, may_know: bool = False
) -> listing.Listing:
    """Return a page of runs, newest first. query: as ``run_search`` reads it; state: INCIDENT too; may_know: variables count."""
    wanted = select(Instance)
    if state == "INCIDENT":
        wanted = wanted.where(Instance.incidents > 0)
    elif state:
        wanted = wanted.where(Instance.status == state)
    search = run_search.read(query, may_know=may_know)
    return run_search.page(reading(), wanted, search, query=query, state=state, after=after, limit=limit)


@pages.get("/operations/runs/<record_id>")
def show(record_id: str) -> str:
    """Show one run: the diagram, what it waits for, what it knows, what happened."""
    session = reading()
    instance = find(session, record_id)
    how = visitor().how
    definition = session.get_one(Definition, instance.definition_id)
    newer = rehearsals.newest(session, instance.process_id)
    is_running = instance.status == InstanceStatus.RUNNING
    values = instances.variables_of(session, instance.id) if visitor().holds(*HELPERS) else {}
    tokens = diagrams.tokens_of(session, instance)
    wanted = select(Job).where(Job.instance_id == instance.id).order_by(Job.created_at, Job.id)
    return render_template(
        "operations/run.html", instance=instance, definition=definition, most=MOST_SHOWN, is_drawn=diagrams.is_drawn(session, definition),
        newer=newer if is_running and newer is not None and newer.version > definition.version else None,
        choices=_choices(session, instance), moves=_moves(session, instance), may_move=visitor().holds(operating.MOVER),
        wait=instances.wait_sentence(session, instance), jobs=list(session.scalars(wanted)),
        tokens=tokens, places=standing.places_of(tokens), few=standing.FEW,
        tasks=run_tasks.look_up(session, instance, limit=MOST_SHOWN), task_counts=run_tasks.counts(session, instance),
        stuck=_alike([one for one in incidents.of_instance(session, instance.id) if one.state == IncidentState.OPEN]),
        records=[(kind, dossiers.find(session, kind, key)) for kind, key in instances.records_of(session, instance.id)],
        values=[(name, value_words(value, how)[:2000]) for name, value in sorted(values.items())],
        ledger=ledger.ledger_of(session, "instance", instance.id, most=MOST_EVENTS), may_help=visitor().holds(*HELPERS),
    )  # fmt: skip


def _choices(session: Session, instance: Instance) -> list[tuple[str, str]]:
    """Return what may begin in the ad-hoc sub-processes that are open: value and words of each."""
    if instance.suspended_at is not None:
        return []
    return [
        (f"{one.token_id}:{element}", f"{name}, in {one.name}")
        for one in choosing.open_ad_hocs(session, instance)
        for element, name in one.elements
    ]


def _alike(found: Sequence[Incident]) -> list[list[Incident]]:
    """Return incidents that say the same about the same step together, as those of a thousand instances of one step may."""
    groups: dict[tuple[str, str], list[Incident]] = {}
    for one in found:
        groups.setdefault((one.element_id, one.message), []).append(one)
    return list(groups.values())


@pages.post("/operations/retry")
def retry() -> Answer:
    """Try again what is stuck, each in an act of its own, so that one failure undoes no other; say what came of it."""
    need_helper()
    chosen = [one for one in request.form.getlist("incident") if is_id(one)]
    _flash_results(retrying.retry_all(installation(), visitor().principal, chosen))
    back = request.form.get("run", "")
    return redirect(url_for("operations.show", record_id=back) if is_id(back) else url_for("operations.index"), 303)


@pages.post("/operations/runs/<instance_id>/cancel")
def cancel(instance_id: str) -> Answer:
    """End a run for a reason."""
    need_helper()
    with acting() as act:
        instances.cancel(act, instance_id, request.form.get("reason", ""))
    flash("The run is cancelled. Its tasks, timers and jobs are taken back.", "good")
    return redirect(url_for("operations.show", record_id=instance_id), 303)


@pages.get("/operations/runs/<instance_id>/diagram.bpmn")
def bpmn(instance_id: str) -> Response:
    """Hand out the diagram of a run's pinned bundle, for the viewer; the called process with ``process``."""
    session = reading()
    found = diagrams.drawing_of(session, find(session, instance_id), request.args.get("process", ""))
    if found is None:
        raise NotFound("Expected a diagram in this bundle, but there is none.")
    return Response(found, mimetype="application/xml")


@pages.get("/operations/runs/<instance_id>/diagram.json")
def diagram_state(instance_id: str) -> Response:
    """Say where the tokens of a run stand and which elements are done, for painting."""
    session = reading()
    instance = find(session, instance_id)
    return jsonify(diagrams.state_of(session, instance))


def find(session: Session, instance_id: str) -> Instance:
    """Return a run. Raises: NotFound."""
    found = session.get(Instance, instance_id) if is_id(instance_id) else None
    if found is None:
        raise NotFound("Expected a run at this address, but there is none.")
    return found


def _flash_results(results: Sequence[retrying.Retry]) -> None:
    if not results:
        flash("Nothing was chosen, so nothing was tried again.", "bad")
        return
    failed = [result for result in results if result.outcome == retrying.Outcome.FAILED_AGAIN]
    flash(retrying.summary(results), "bad" if failed else "good")
    told = Counter(f"{result.business_key}: {result.message}" for result in failed)
    for message, times in list(told.items())[:10]:
        flash(f"{message} ({formats.plural(times, 'time')})" if times > 1 else message, "bad")


def need_helper() -> None:
    """Refuse a visitor who may not help what is stuck. Raises: Forbidden."""
    if not visitor().holds(*HELPERS):
        names = " or ".join(wording.principal_words(f"role:{role}") for role in HELPERS)
        raise Forbidden(f"Expected {names} to do this, but you hold none of these roles.")


def _counts(session: Session) -> list[tuple[str, str, int]]:
    """Return (state, words, count) of the figures at the top."""
    rows: dict[str, int] = dict(session.execute(select(Instance.status, func.count()).group_by(Instance.status)).all())
    stuck = session.scalar(select(func.count()).where(Incident.state == IncidentState.OPEN)) or 0
    found = [(status.value, formats.words(status), rows.get(status.value, 0)) for status in InstanceStatus]
    return [*found, ("INCIDENT", "Incidents", stuck)]


def _versions(session: Session, shown: Any) -> dict[str, str]:
    """Return the version of each run on the page, and that there is a newer one to move it to."""
    newest = {process_id: rehearsals.newest(session, process_id) for process_id in {one.process_id for one in shown}}
    return {
        one.id: rehearsals.version_words(
            session.get_one(Definition, one.definition_id),
            newest[one.process_id] if one.status == InstanceStatus.RUNNING else None,
        )
        for one in shown
    }


def _moves(session: Session, instance: Instance) -> list[tuple[InstanceMove, int, int]]:
    """Return the moves of a run to other versions that stand, each with the versions."""
    return [
        (
            move,
            session.get_one(Definition, move.from_definition_id).version,
            session.get_one(Definition, move.to_definition_id).version,
        )
        for move in migrating.moves_of(session, instance.id)
    ]


def _stuck(session: Session) -> list[tuple[Incident, Instance]]:
    return list(incidents.opened(session))


def _flows(session: Session) -> list[tuple[Definition, int]]:
    """Return the newest version of each process and how many runs it has."""
    running = (
        select(Instance.definition_id, func.count().label("runs"))
        .where(Instance.status == InstanceStatus.RUNNING)
        .group_by(Instance.definition_id)
        .subquery()
    )
    wanted = select(Definition, func.coalesce(running.c.runs, 0)).outerjoin(
        running, running.c.definition_id == Definition.id
    )
    rows = session.execute(wanted.order_by(Definition.process_id, Definition.version.desc()))
    return [(definition, runs) for definition, runs in rows if definition.status == "RELEASED" or runs]


def _waits(session: Session, shown: Any) -> dict[str, str]:
    """Return the wait sentences of the runs on the page; each costs a few look-ups, which is why a page shows few runs."""
    running = [one for one in shown if one.status == InstanceStatus.RUNNING]
    return {one.id: instances.wait_sentence(session, one) for one in running}
