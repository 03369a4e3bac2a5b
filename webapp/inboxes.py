"""Rows of an inbox: the page that the engine found, with what a person looks for on each row, in a handful of queries."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

from flask import g, url_for
from sqlalchemy import func, literal, select
from sqlalchemy.orm import Session

from engine import inbox, instances
from engine.inbox import Item
from engine.stored.instance import Instance, InstanceStatus
from engine.stored.task import Task, TaskDraft, TaskState
from records.attachment import Attachment
from records.comment import Comment
from webapp import dossiers, filters, formats, visit

LIMIT = 50
LIMITS = {"requests": 20}
"""Rows of a page where it is not ``LIMIT``: a request says in a sentence whom it waits for, which costs more."""
HIGH, LOW = 75, 25
"""Priorities (0 to 100, 50 unless the diagram says otherwise) from and to which a row has a bar."""

DANGLING = re.compile(r"\s+(of|for|on|about|in)\s*$")
"""What is left hanging at the end of a title when the key behind it is taken away."""

BOXES = (
    ("mine", "Mine", "inbox"),
    ("groups", "My groups", "group"),
    ("decided", "Decided", "check"),
    ("requests", "My requests", "send"),
)
SORTS = (
    ("due", "Due first"), ("priority", "Priority"), ("created", "Oldest"), ("amount", "Largest amount"),
    ("party", "Supplier"), ("business_key", "Key"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Box:
    """One entry of the rail."""

    key: str
    words: str
    icon: str
    count: int | None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the list, in words."""

    key: str
    title: str
    line: str
    url: str
    task_id: str | None = None
    amount: Decimal | None = None
    currency: str = ""
    due_at: dt.datetime | None = None
    state_words: str = ""
    draft: bool = False
    comments: int = 0
    files: int = 0
    on_behalf_of: str = ""
    is_high: bool = False
    is_low: bool = False


@dataclass(frozen=True, slots=True)
class Empty:
    """What an empty list says: what was done, what waits on others, and what to do next. ways: (words, address, icon)."""

    title: str
    sentences: Sequence[str]
    ways: Sequence[tuple[str, str, str]] = ()


@dataclass(frozen=True, slots=True)
class _Beside:
    """What rows show beside the tasks themselves, looked up for the whole page at once."""

    starters: dict[str, str]
    drafts: set[str]
    comments: dict[str, int]
    files: dict[str, int]
    currencies: dict[str, str]
    titles: dict[str, str]


def counted_tasks(session: Session) -> inbox.Counts:
    """Return the visitor's counts, read once a request."""
    if "counts" not in g:
        g.counts = inbox.counts(session, visit.visitor().user_id)
    found: inbox.Counts = g.counts
    return found


def boxes(session: Session) -> list[Box]:
    """Return the entries of the rail with their counts."""
    counted = counted_tasks(session)
    counts = {"mine": counted.mine, "groups": counted.groups}
    return [Box(key, words, icon, counts.get(key)) for key, words, icon in BOXES]


def rows(session: Session, found: inbox.Page, *, box: str, query: str, sort: str) -> list[Row]:
    """Return the rows of a page."""
    if box == "requests":
        return [_request(session, item) for item in found.items]
    tasks = [item.task for item in found.items if item.task is not None]
    beside = _beside(session, tasks)
    following = {task.id: after.id for task, after in pairwise(tasks)}
    back = urlencode({key: value for key, value in (("box", box), ("q", query), ("sort", sort)) if value})

    def url(task: Task) -> str:
        return url_for(
            "inbox.show", box=box, q=query or None, sort=sort, task=task.id, back=back, next=following.get(task.id)
        )

    return [_task(item, item.task, beside, url) for item in found.items if item.task is not None]


def _task(item: Item, task: Task, beside: _Beside, url: Callable[[Task], str]) -> Row:
    about = task.record_id or task.id
    starter = filters.person_name(beside.starters.get(task.instance_id, ""))
    line = " · ".join(filter(None, (starter, task.name, task.party)))
    closed = formats.words(task.verdict or "done") if task.state != TaskState.OPEN else ""
    at = formats.moment(task.closed_at, visit.now(), visit.visitor().how) if closed else ""
    return Row(
        task.record_number or task.business_key, beside.titles.get(about) or short_title(task), line, url(task), task.id, task.amount,
        beside.currencies.get(about, ""), None if closed else task.due_at, f"{closed} {at}".strip(),
        draft=task.id in beside.drafts, comments=beside.comments.get(about, 0), files=beside.files.get(about, 0),
        on_behalf_of=filters.person_name(item.on_behalf_of) if item.on_behalf_of else "",
        is_high=task.priority >= HIGH, is_low=task.priority <= LOW,
    )  # fmt: skip


def short_title(task: Task) -> str:
    """Return a task's title without the key, which stands before it on the row."""
    before, key, after = task.title.partition(task.record_number or task.business_key)
    if not key:
        return task.title
    return after.lstrip(" :") or DANGLING.sub("", before).strip() or task.title


def closed_words(task: Task) -> str:
    """Say who closed a task and when: ``decided by R. Patel 10:01``."""
    at = formats.moment(task.closed_at, visit.now(), visit.visitor().how)
    if task.closed_by:
        return f"decided by {filters.person_name(task.closed_by)} {at}"
    return f"{task.closed_why or 'closed'} {at}"


def _request(session: Session, item: Item) -> Row:
    instance = item.instance
    assert instance is not None
    about = instances.records_of(session, instance.id)
    record: Any = dossiers.find(session, *about[0]) if about else None
    running = instance.status == InstanceStatus.RUNNING
    state = formats.words(record.status) if record is not None else formats.words(instance.status)
    title = getattr(record, "title", "") or formats.words(instance.process_id)
    url = dossiers.record_url(*about[0]) if about else ""
    return Row(
        instance.business_key, title, instances.wait_sentence(session, instance) if running else state,
        url or url_for("operations.show", record_id=instance.id), None,
        record.total if record is not None else None, getattr(record, "currency", ""), state_words=state,
    )  # fmt: skip


def _beside(session: Session, tasks: Sequence[Task]) -> _Beside:
    ids, about = [task.id for task in tasks], {task.record_id for task in tasks if task.record_id}
    instance_ids = {task.instance_id for task in tasks}
    started = select(Instance.id, Instance.started_by).where(Instance.id.in_(instance_ids))
    drafts = select(TaskDraft.task_id).where(TaskDraft.user_id == visit.visitor().user_id, TaskDraft.task_id.in_(ids))
    return _Beside(
        dict(session.execute(started).all()),
        set(session.scalars(drafts)),
        _counted(session, Comment.about_id, about),
        _counted(session, Attachment.owner_id, about),
        *_currencies_and_titles(session, tasks),
    )


def _counted(session: Session, column: Any, ids: Iterable[str | None]) -> dict[str, int]:
    wanted = select(column, func.count()).where(column.in_(list(ids))).group_by(column)
    return dict(session.execute(wanted).all())


def _currencies_and_titles(session: Session, tasks: Sequence[Task]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the currency and the title of each document that has one, by its id."""
    currencies: dict[str, str] = {}
    titles: dict[str, str] = {}
    for name, kind in dossiers.KINDS.items():
        ids = {task.record_id for task in tasks if task.record_type == name}
        columns = [getattr(kind.record, field, None) for field in ("currency", "title")]
        if not ids or columns[0] is None:
            continue
        known = select(kind.record.id, *(literal("") if one is None else one for one in columns))
        for key, currency, title in session.execute(known.where(kind.record.id.in_(ids))):
            currencies[key], titles[key] = currency, title
    return currencies, titles


def empty(session: Session, box: str, query: str) -> Empty:
    """Say what an empty list means: what the visitor decided today, and what waits on others."""
    if query:
        return Empty("Nothing fits this search", ("Try fewer words, or key: from: due<3d amount>5000.",))
    if box == "requests":
        sentence = "A requisition starts here and tells you whom it waits for."
        return Empty("You have not asked for anything yet", (sentence,), _ways(session, box))
    today = visit.now().astimezone(visit.visitor().how.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    me = visit.visitor().user_id
    done = session.scalar(select(func.count()).where(Task.closed_by == me, Task.closed_at >= today)) or 0
    waiting = session.scalar(
        select(func.count()).where(Instance.started_by == me, Instance.status == InstanceStatus.RUNNING)
    )
    cleared = f"You decided {formats.plural(done, 'task')} today." if done else "Nothing waited for you today."
    others = f"{formats.plural(waiting or 0, 'request')} of yours {'waits' if waiting == 1 else 'wait'} on others."
    title = {"mine": "All clear", "groups": "Your groups are clear", "decided": "Nothing decided yet"}.get(
        box, "Nothing here"
    )
    sentences = [cleared, *([others] if waiting else []), *_next_words(session, box)]
    return Empty(title, sentences, _ways(session, box))


WAYS = (
    # what one may hold, the words, where, the icon, and a sentence for an empty inbox
    (("REQUESTER",), "New requisition", "requisitions.new", "plus", ""),
    (
        ("PROCESS_ENGINEER", "INTEGRATION", "ADMIN"), "See what runs", "operations.index", "pulse",
        "Operations shows every run, what it waits for and what is stuck.",
    ),
    (("BUYER", "PUR_LEAD", "PUR_MGR"), "See the orders", "orders.index", "box", ""),
    (("SQ", "QA_ENG"), "See the suppliers", "suppliers.index", "building", ""),
)  # fmt: skip


def _ways(session: Session, box: str) -> list[tuple[str, str, str]]:
    """Return what to do next: the groups' tasks when there are any, then what the visitor's roles do."""
    waiting = _in_groups(session, box)
    found = [(f"My groups: {formats.plural(waiting, 'task')}", url_for("inbox.show", box="groups"), "group")]
    mine = [
        (words, url_for(endpoint), icon) for roles, words, endpoint, icon, _ in WAYS if visit.visitor().holds(*roles)
    ]
    anybody = [("See the requisitions", url_for("requisitions.index"), "file")]
    return [*(found if waiting else []), *(mine or anybody)][:2]


def _next_words(session: Session, box: str) -> list[str]:
    if waiting := _in_groups(session, box):
        return [f"{formats.plural(waiting, 'task')} {'waits' if waiting == 1 else 'wait'} in your groups."]
    said = [sentence for roles, *_, sentence in WAYS if sentence and visit.visitor().holds(*roles)]
    return said or ["What comes to you appears here by itself."]


def _in_groups(session: Session, box: str) -> int:
    """Return how many tasks wait in the visitor's groups while another box is open."""
    return 0 if box == "groups" else counted_tasks(session).groups
