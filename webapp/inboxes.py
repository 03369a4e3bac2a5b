"""Rows of an inbox: the page that the engine found, with what a person looks for on each row, in a handful of queries."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from flask import url_for
from sqlalchemy import func, inspect, literal, select
from sqlalchemy.orm import Session

from engine import inbox, instances
from engine.canonical import is_whole
from engine.errors import Invalid
from engine.inbox import Item
from engine.inbox_query import EXAMPLES
from engine.stored.instance import Instance, InstanceStatus
from engine.stored.task import Task, TaskDraft, TaskState
from records import follower
from records.attachment import Attachment
from records.comment import Comment
from records.snooze import TaskSnooze
from records.viewing import seen_versions
from webapp import dossiers, formats, inbox_asked, visit, wording
from webapp.inbox_asked import Asked
from webapp.subjects import subjects

LIMIT = 50
LIMITS = {"requests": 20, "watching": 20}
"""Rows of a page where it is not ``LIMIT``: a request says in a sentence whom it waits for, which costs more."""
HIGH, LOW = 75, 25
"""Priorities (0 to 100, 50 unless the diagram says otherwise) from and to which a row has a bar."""

DANGLING = re.compile(r"\s+(of|for|on|about|in)\s*$")
"""What is left hanging at the end of a title when the key behind it is taken away."""


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
    is_changed: bool = False
    is_changing: bool = False
    version: int = 0
    group: str = ""
    asleep: str = ""


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
    changed: set[str]
    subjects: Mapping[str, str]


def rows(session: Session, found: inbox.Page, asked: Asked) -> list[Row]:
    """Return the rows of a page."""
    if asked.box == "requests":
        return [_request(session, item.instance) for item in found.items if item.instance is not None]
    tasks = [item.task for item in found.items if item.task is not None]
    beside = _beside(session, tasks)
    following = {task.id: after.id for task, after in pairwise(tasks)}
    back = asked.back

    def url(task: Task) -> str:
        return asked.url(task=task.id, back=back, next=following.get(task.id))

    return [_task(item, item.task, beside, url, asked) for item in found.items if item.task is not None]


def watched_rows(session: Session, *, after: str) -> tuple[list[Row], str]:
    """Return the rows of the documents that the visitor follows, the newest first, and where the next page begins, empty on the last.

    Raises: Invalid for a place that is none.
    """
    if after and not is_whole(after):
        raise Invalid("Expected the place where the page before ended, but it is none", {"after": "unknown"})
    limit, begin = LIMITS["watching"], int(after or 0)
    followed = follower.followed_by(session, visit.visitor().user_id)
    shown = followed[begin : begin + limit]
    rows = [row for row in (_followed(session, about) for about in shown) if row is not None]
    return rows, str(begin + limit) if len(followed) > begin + limit else ""


def _followed(session: Session, about: tuple[str, str]) -> Row | None:
    """Return the row of one document: whom it waits for, or what became of it; None for what is no document any more."""
    record: Any = dossiers.find(session, *about)
    if record is None:
        return None
    running = [one for one in instances.instances_of(session, *about) if one.status == InstanceStatus.RUNNING]
    state = formats.words(record.status)
    seen = seen_versions(session, visit.visitor().user_id, about[0], [about[1]]).get(about[1])
    return Row(
        record.number, getattr(record, "title", "") or formats.words(about[0]),
        instances.wait_sentence(session, running[0]) if running else state, dossiers.record_url(*about), None,
        getattr(record, "total", None), getattr(record, "currency", ""), state_words=state,
        is_changed=seen is not None and record.version > seen,
    )  # fmt: skip


def _task(item: Item, task: Task, beside: _Beside, url: Callable[[Task], str], asked: Asked) -> Row:
    about = task.record_id or task.id
    closed = formats.words(task.verdict or "done") if task.state != TaskState.OPEN else ""
    at = formats.moment(task.closed_at, visit.now(), visit.visitor().how) if closed else ""
    put_aside = asked.hidden.get(task.id) if asked.box == "snoozed" else None
    return Row(
        task.record_number or task.business_key, _title(task, beside), _line(task, beside, asked.columns),
        url(task), task.id, task.amount if "amount" in asked.columns else None,
        beside.currencies.get(about, ""), None if closed else task.due_at, f"{closed} {at}".strip(),
        draft=task.id in beside.drafts, comments=beside.comments.get(about, 0), files=beside.files.get(about, 0),
        on_behalf_of=wording.person_name(item.on_behalf_of) if item.on_behalf_of else "",
        is_high=task.priority >= HIGH, is_low=task.priority <= LOW, is_changed=about in beside.changed, version=task.version,
        is_changing=task.is_changing,
        group=_group(task, asked.grouping) if asked.is_open else "", asleep=asleep_words(put_aside) if put_aside else "",
    )  # fmt: skip


def _title(task: Task, beside: _Beside) -> str:
    """Return what a row is about: the document's own title; else its first thing, where the task's title only says what to do."""
    about = task.record_id or task.id
    subject = beside.subjects.get(about, "") if _says_only_what_to_do(task) else ""
    return beside.titles.get(about) or subject or short_title(task)


def _line(task: Task, beside: _Beside, columns: Sequence[str]) -> str:
    """Return the second line of a row: the business fields that were chosen, in their order."""
    how = visit.visitor().how
    words = {
        "requester": wording.person_name(beside.starters.get(task.instance_id, "")),
        "step": wording.said(_step(task, beside)),
        "party": task.party or "",
        "project": task.project or "",
        "flow": formats.words(task.flow),
        "created": f"opened {formats.moment(task.created_at, visit.now(), how)}",
        "priority": f"priority {task.priority}",
    }
    return " · ".join(filter(None, (words.get(name) for name in columns)))


def _step(task: Task, beside: _Beside) -> str:
    """Return what is to be done: a title that begins with the key says it, where the row shows the document's title instead.

    Two areas of one change are asked by the same step; only the titles tell them apart.
    """
    key = task.record_number or task.business_key
    has_own_words = key and task.title.startswith(key) and (task.record_id or task.id) in beside.titles
    return short_title(task) if has_own_words else task.name


def _group(task: Task, grouping: str) -> str:
    """Return the heading that a row stands under."""
    if grouping == "due":
        return _due_group(task.due_at)
    return {
        "flow": formats.words(task.flow),
        "party": task.party or "No supplier",
        "project": task.project or "No project",
    }.get(grouping, "")


def _due_group(due_at: dt.datetime | None) -> str:
    if due_at is None:
        return "No due date"
    if due_at < visit.now():
        return "Late"
    zone = visit.visitor().how.zone
    today, day = visit.now().astimezone(zone).date(), due_at.astimezone(zone).date()
    days = (day - today).days
    if days < 2:
        return "Tomorrow" if days else "Today"
    return "This week" if days <= 6 - today.weekday() else "Later"


EVENTS = {
    "COMMENT": "somebody comments", "CHANGE": "the document changes", "DECISION": "somebody decides", "ANYTHING": "anything happens",
}  # fmt: skip


def asleep_words(put_aside: TaskSnooze) -> str:
    """Say when a task comes back: ``back Nov 24, 09:00 or when somebody comments``."""
    at = formats.moment(put_aside.until_at, visit.now(), visit.visitor().how) if put_aside.until_at else ""
    event = EVENTS.get(put_aside.wakes_on or "", "")
    return "back " + " or ".join(filter(None, [at, f"when {event}" if event else ""]))


def short_title(task: Task) -> str:
    """Return a task's title without the key, which stands before it on the row; whole where the key stands within the sentence."""
    before, key, after = task.title.partition(task.record_number or task.business_key)
    if not key or (before.strip() and after.strip() and not after.lstrip().startswith(":")):
        return task.title
    return after.lstrip(" :") or DANGLING.sub("", before).strip(" ,:") or task.title


def _says_only_what_to_do(task: Task) -> bool:
    """Whether a title is a verb and a key, ``Build PF-000004``: it says nothing of what is built."""
    key = next((one for one in (task.record_number, task.business_key) if one and one in task.title), "")
    before, _, after = task.title.partition(key) if key else ("", "", "")
    return bool(before.strip()) and not after.lstrip().startswith(":") and not before.rstrip().endswith((",", ":"))


def closed_words(task: Task) -> str:
    """Say who closed a task and when: ``decided by R. Patel 10:01``."""
    at = formats.moment(task.closed_at, visit.now(), visit.visitor().how)
    if task.closed_by:
        return f"decided by {wording.person_name(task.closed_by)} {at}"
    return f"{task.closed_why or 'closed'} {at}"


def _request(session: Session, instance: Instance) -> Row:
    about = instances.records_of(session, instance.id)
    record: Any = dossiers.find(session, *about[0]) if about else None
    running = instance.status == InstanceStatus.RUNNING
    state = formats.words(record.status) if record is not None else formats.words(instance.status)
    title = getattr(record, "title", "") or formats.words(instance.process_id)
    url = dossiers.record_url(*about[0]) if about else ""
    return Row(
        instance.business_key, title, instances.wait_sentence(session, instance) if running else state,
        url or url_for("operations.show", record_id=instance.id), None,
        getattr(record, "total", None), getattr(record, "currency", ""), state_words=state,
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
        *_documents(session, tasks),
        _subjects(session, tasks),
    )


def _counted(session: Session, column: Any, ids: Iterable[str | None]) -> dict[str, int]:
    wanted = select(column, func.count()).where(column.in_(list(ids))).group_by(column)
    return dict(session.execute(wanted).all())


def _documents(session: Session, tasks: Sequence[Task]) -> tuple[dict[str, str], dict[str, str], set[str]]:
    """Return the currency and the title of each document that has one, and which changed since the visitor looked, by id."""
    currencies: dict[str, str] = {}
    titles: dict[str, str] = {}
    changed: set[str] = set()
    for name, kind in dossiers.KINDS.items():
        ids = {task.record_id for task in tasks if task.record_type == name and task.record_id}
        if not ids:
            continue
        kept = inspect(kind.record).column_attrs  # a title may also be computed
        fields = [getattr(kind.record, field) if field in kept else None for field in ("currency", "title", "version")]
        known = select(kind.record.id, *(literal("") if one is None else one for one in fields))
        seen = seen_versions(session, visit.visitor().user_id, name, ids)
        for key, currency, title, version in session.execute(known.where(kind.record.id.in_(ids))):
            currencies[key], titles[key] = currency, title
            if key in seen and version and version > seen[key]:
                changed.add(key)
    return currencies, titles, changed


def _subjects(session: Session, tasks: Sequence[Task]) -> dict[str, str]:
    """Return what the documents are about whose tasks' titles do not say it, by id."""
    wanted: dict[str, set[str]] = {}
    for task in tasks:
        if task.record_type and task.record_id and _says_only_what_to_do(task):
            wanted.setdefault(task.record_type, set()).add(task.record_id)
    return {key: words for kind, ids in wanted.items() for key, words in subjects(session, kind, ids).items()}


def empty(session: Session, asked: Asked) -> Empty:
    """Say what an empty list means: what the visitor decided today, and what waits on others."""
    box = asked.box
    if asked.text:
        return Empty("Nothing fits this search", (f"Try fewer words, or {' '.join(list(EXAMPLES.values())[2:])}.",))
    if box == "requests":
        sentence = "A requisition starts here and tells you whom it waits for."
        return Empty("You have not asked for anything yet", (sentence,), _ways(session, box))
    if box in QUIET:
        return Empty(*QUIET[box])
    today = visit.now().astimezone(visit.visitor().how.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    me = visit.visitor().user_id
    done = session.scalar(select(func.count()).where(Task.closed_by == me, Task.closed_at >= today)) or 0
    # By whom it was started, not by its status: almost everything runs, and SQLite would read it all by that index.
    running = func.coalesce(Instance.status, "") == InstanceStatus.RUNNING
    waiting = session.scalar(select(func.count()).where(Instance.started_by == me, running))
    cleared = f"You decided {formats.plural(done, 'task')} today." if done else "Nothing waited for you today."
    others = f"{formats.plural(waiting or 0, 'request')} of yours {'waits' if waiting == 1 else 'wait'} on others."
    aside = len(asked.hidden)
    later = f"{formats.plural(aside, 'task')} you put aside {'comes' if aside == 1 else 'come'} back later."
    title = {"mine": "All clear", "groups": "Your groups are clear", "decided": "Nothing decided yet"}.get(
        box, "Nothing here"
    )
    sentences = [cleared, *([others] if waiting else []), *([later] if aside else []), *_next_words(session, box)]
    return Empty(title, sentences, _ways(session, box))


QUIET = {
    "snoozed": ("Nothing is put aside", ("Press z on a task to see it again later, or when something happens to it.",)),
    "watching": ("You watch nothing yet", ("Press Watch on a task to follow its course here, whoever has to act.",)),
    "deputising": (
        "Nothing waits for you here",
        ("What waits for the person you stand in for appears here by itself.",),
    ),
}


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
    return 0 if box == "groups" else inbox_asked.counted_tasks(session).groups
