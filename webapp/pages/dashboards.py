"""Dashboards: what waits for whom, and how long; every figure leads to the list of tasks that it counts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from flask import Blueprint, render_template, request, url_for
from sqlalchemy import literal, tuple_

from engine import workload
from engine.database import is_id
from engine.errors import Invalid
from engine.stored.task import Task
from engine.workload import Asked, Queues, Spread
from webapp import dossiers, formats, inboxes, listing, plots, wording
from webapp.sheet import Column, Sheet, of_page, offered, whole
from webapp.visit import now, reading, visitor

pages = Blueprint("dashboards", __name__)

SHOWN = 15
"""Steps, people and groups on the page; the export holds all."""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Everything at one instant."""

    asked: Asked
    spread: Spread
    steps: Queues
    people: Queues
    ages: Sequence[tuple[str, str, int]]
    weeks: Sequence[workload.Week]
    flows: Sequence[str]


def dashboard(asked: Asked, *, most: int = workload.MOST_GROUPS) -> Dashboard:
    """Return the dashboard of a narrowing, of which only flow, step and person count. most: queues of each kind."""
    session, at = reading(), now()
    return Dashboard(
        asked, workload.spread(session, asked, now=at), workload.by_step(session, asked, now=at, most=most),
        workload.by_principal(session, asked, now=at, most=most), workload.by_age(session, asked, now=at),
        workload.by_week(session, asked, now=at, zone=_zone()), workload.flows(session),
    )  # fmt: skip


def _zone() -> dt.tzinfo:
    return visitor().how.zone


def asked() -> Asked:
    """Read what an address asks. Raises: Invalid."""
    given: dict[str, Any] = {
        field.name: request.args.get(field.name, "").strip()[:200] for field in fields(Asked)
    }  # fmt: skip
    given["week"] = _monday(given["week"])
    return Asked(**given)


def _monday(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError as error:
        raise Invalid(
            f"Expected a Monday such as 2026-11-23, but found “{text[:20]}”", {"week": "is no day"}
        ) from error


@pages.get("/dashboards")
def index() -> str:
    """Show what waits, by step, by person or group and by age, and what came and went each week."""
    found = dashboard(_only(asked()), most=SHOWN)
    return render_template(
        "operations/dashboard.html", board=found, list_url=lambda **more: list_url(found.asked, **more),
        ages=_ages_plot(found), weeks=_weeks_plot(found), span=_span, name=_names(found), narrowed=_narrowed_words(found.asked),
    )  # fmt: skip


def _only(given: Asked) -> Asked:
    """Return what a dashboard is narrowed by: ages, due dates and weeks are what it shows."""
    return Asked(flow=given.flow, step=given.step, who=given.who)


COLUMNS = ("of", "what", "flow", "tasks", "late", "median_hours", "p90_hours", "longest_hours")


@offered(pages, "/dashboards")
def export() -> Sheet:
    """Hand out the figures of the dashboard: all tasks, by step, by person or group, by age and by week."""
    found = dashboard(_only(asked()))
    rows: list[Sequence[object]] = [("all", "", found.asked.flow, *_figures(found.spread))]
    rows += [("step", each.name, each.flow, *_figures(each.spread)) for each in found.steps.rows]
    rows += [
        ("person or group", wording.principal_words(each.key), "", *_figures(each.spread)) for each in found.people.rows
    ]
    rows += [("age", words, "", tasks, None, None, None, None) for _, words, tasks in found.ages]
    for week in found.weeks:
        rows.append(("opened in the week from", week.begins_on, "", week.opened, None, None, None, None))
        rows.append(("done in the week from", week.begins_on, "", week.done, None, None, None, None))
    return Sheet("what-waits", COLUMNS, rows)


def _figures(spread: Spread) -> tuple[object, ...]:
    return (spread.tasks, spread.late, *(_hours(age) for age in (spread.median, spread.p90, spread.longest)))


def _hours(age: dt.timedelta | None) -> int | None:
    return None if age is None else int(age.total_seconds() // 3600)


@pages.get("/dashboards/tasks")
def tasks() -> str:
    """List the tasks that a figure counts, the one that waits longest first."""
    given = asked()
    page = look_up(*listing.search())
    return render_template(
        "operations/tasks.html", page=page, asked=given, narrowed=_narrowed_words(given), rows=[_row(task) for task in page.items],
        total=workload.count(reading(), given, now=now(), zone=_zone()),
    )  # fmt: skip


TASK_COLUMNS: dict[str, Column] = {
    "key": "business_key", "document": "record_number", "task": "title", "step": "name", "flow": "flow",
    "waits_for": lambda task: ", ".join(wording.principal_words(one) for one in waits_for(task)), "opened_at": "created_at",
    "due_at": "due_at", "closed_at": "closed_at", "party": "party", "amount": "amount",
}  # fmt: skip


@offered(pages, "/dashboards/tasks")
def export_tasks() -> Sheet:
    """Hand out the tasks that a figure counts."""
    return of_page("tasks", whole(look_up), TASK_COLUMNS)


def look_up(query: str, state: str, after: str, *, limit: int = listing.LIMIT) -> listing.Listing:
    """Return a page of the tasks that the address asks for, oldest first. query: part of a key; state is not asked."""
    wanted = workload.listed(asked(), now=now(), zone=_zone())
    if query:
        wanted = wanted.where(listing.contains(query, Task.business_key, Task.record_number))
    if after:
        wanted = wanted.where(tuple_(Task.created_at, Task.id) > _place(after))
    found = list(reading().scalars(wanted.order_by(Task.created_at, Task.id).limit(limit + 1)))
    return listing.Listing(found[:limit], query, state, found[limit - 1].id if len(found) > limit else "")


def _place(after: str) -> Any:
    """Return where the page before ended. Raises: Invalid."""
    task = reading().get(Task, after) if is_id(after) else None
    if task is None:
        raise Invalid("Expected the task where the page before ended, but there is none", {"after": "is unknown"})
    return tuple_(literal(task.created_at, Task.created_at.type), literal(task.id, Task.id.type))


def waits_for(task: Task) -> list[str]:
    """Return the principals that a task waits for."""
    return [f"user:{task.assignee}"] if task.assignee else list(task.candidates)


def _row(task: Task) -> dict[str, Any]:
    url = dossiers.record_url(task.record_type, task.record_id)
    return {
        "task": task, "title": inboxes.short_title(task), "who": waits_for(task),
        "url": url or url_for("operations.show", record_id=task.instance_id),
        "age": _span((task.closed_at or now()) - task.created_at),
    }  # fmt: skip


def list_url(given: Asked, **more: Any) -> str:
    """Return the address of the list of tasks of a narrowing, narrowed further."""
    narrowed = replace(given, **more)
    parts = {field.name: getattr(narrowed, field.name) for field in fields(Asked) if getattr(narrowed, field.name)}
    return url_for("dashboards.tasks", **parts)


def _names(found: Dashboard) -> dict[str, str]:
    words = {each.key: wording.principal_words(each.key) for each in found.people.rows}
    return {key: name[:1].upper() + name[1:] for key, name in words.items()}


def _narrowed_words(given: Asked) -> str:
    """Say which tasks are looked at, empty for all that wait."""
    ages = {key: words for key, words, _, _ in workload.AGES}
    week = (
        f"{'opened' if given.way == 'opened' else 'done'} in the week from {formats.day(given.week, visitor().how)}"
        if given.week
        else ""
    )
    step = formats.words(given.step.partition("/")[2]).lower()
    parts = (
        formats.words(given.flow) if given.flow else "", f"step {step}" if step else "",
        wording.principal_words(given.who) if given.who else "", f"waiting {ages[given.age]}" if given.age else "",
        {"late": "overdue", "none": "without a due date"}.get(given.due, ""), week,
    )  # fmt: skip
    return ", ".join(filter(None, parts))


def _span(age: dt.timedelta | None) -> str:
    return "none" if age is None else formats.span(age.total_seconds())


def _ages_plot(found: Dashboard) -> plots.Columns:
    row = [
        (tasks, f"{formats.plural(tasks, 'task')} waiting {words}", list_url(found.asked, age=key))
        for key, words, tasks in found.ages
    ]
    return plots.columns(
        [words.replace(" days", " d").replace("up to a day", "1 d") for _, words, _ in found.ages], [row]
    )


def _weeks_plot(found: Dashboard) -> plots.Columns:
    how = visitor().how
    labels = [formats.day(week.begins_on, how, short=True) for week in found.weeks]
    whole = replace(found.asked, who="")
    series = [
        [
            (
                getattr(week, way), f"{formats.plural(getattr(week, way), 'task')} {way} in the week from {label}",
                list_url(whole, week=week.begins_on, way=way),
            )
            for week, label in zip(found.weeks, labels, strict=True)
        ]
        for way in workload.WAYS
    ]  # fmt: skip
    return plots.columns(labels, series)
