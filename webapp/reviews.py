"""The review page's content: one task with its document, who may decide it and how, and what there is to know."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import changing, eligibility, instances, lending, rows, tasks
from engine.answers import once
from engine.closing import APPROVING
from engine.database import is_id
from engine.errors import Finding, NotFound
from engine.ports import Mandate
from engine.redline import Redline
from engine.stored.definition import Definition
from engine.stored.help import TaskHelp
from engine.stored.instance import Instance
from engine.stored.task import Task, TaskDraft, TaskState
from engine.task_variables import variables_of
from processes.helping import APPROVAL
from records import attachment, comment, follower
from records.amendment import PurchaseOrderAmendment
from records.attachment import Attachment
from records.comment import Comment
from records.follower import followers_of
from records.signature import Signature
from records.viewing import Look, last_look, seen_versions
from rules import redlines, reviewing
from rules.redlines import Item, Since
from webapp import dossiers, feel, formats, ledger, redline, route, signed, visit, wording
from webapp.dossiers import Dossier
from webapp.form_schema import PREFIX, SHOWN
from webapp.ledger import Ledger
from webapp.redline import View
from webapp.route import Stage
from webapp.task_facts import Fact, facts_of
from webapp.task_forms import Field, TaskForm
from webapp.touched import Touched, touched_by

TABS = (
    ("summary", "Summary"), ("changes", "Changes"), ("impact", "Impact"), ("documents", "Documents"),
    ("discussion", "Discussion"), ("route", "Route"), ("history", "History"),
)  # fmt: skip
OF_DOCUMENTS = ("changes", "impact")
"""Parts that only a task about a document has."""
VERDICTS: Mapping[str, tuple[str, str, str]] = {
    "approve": ("Approve", "a", "check"),
    "approve_with_condition": ("Approve with condition", "", "check"),
    "return": ("Return", "b", "back"),
    "reject": ("Reject", "r", "x"),
    "ask": ("Ask", "", "question"),
    "approve_supplier": ("Approve supplier", "a", "check"),
    "other_supplier": ("Other supplier", "", "swap"),
    "refuse": ("Refuse", "r", "x"),
    "submit": ("Submit", "a", "send"),
    "resubmit": ("Resubmit", "a", "send"),
    "issue": ("Issue", "a", "send"),
    "clear": ("Clear", "a", "check"),
    "accept": ("Accept", "a", "check"),
    "defer": ("Put off", "b", "back"),
    "duplicate": ("Duplicate", "", "copy"),
    "emergency": ("Emergency", "", "alert"),
    "no_impact": ("No impact", "a", "check"),
    "impact": ("Impact", "", "arrow"),
    "concern": ("Concern", "", "question"),
    "done": ("Done", "a", "check"),
    "refused": ("Refused", "r", "x"),
    "verified": ("Verified", "a", "check"),
    "failed": ("Failed", "r", "x"),
    "close": ("Close", "a", "check"),
}
"""Verdict to its words, its key and its icon; other outcomes of a diagram are shown by their own word."""
REASON_NEEDED = frozenset(
    {"reject", "return", "split", "ask", "approve_with_condition", "defer", "duplicate", "refused", "failed", "contain"}
)
FITTING = 3
"""Verdicts that fit side by side on a phone."""
QUIET = frozenset({"return", "reject", "ask", "approve_with_condition", "withdraw", "cancel", "refuse"})


@dataclass(frozen=True, slots=True)
class Button:
    """One verdict that the visitor may give."""

    verdict: str
    words: str
    key: str
    icon: str
    is_main: bool
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Tab:
    """One part of the review."""

    key: str
    words: str
    count: int = 0


@dataclass(slots=True)
class Review:
    """Everything the page of one task shows to one visitor."""

    task: Task
    instance: Instance
    definition: Definition
    dossier: Dossier | None
    mandates: Sequence[Mandate]
    barred: Sequence[Finding]
    draft: TaskDraft | None
    tab: str = "summary"
    tabs: Sequence[Tab] = ()
    fields: Sequence[Field] = ()
    errors: Mapping[str, str] = field(default_factory=dict)
    facts: Sequence[Fact] = ()
    items: Mapping[str, Item] = field(default_factory=dict)
    viewed: frozenset[str] = frozenset()
    seen: int | None = None
    look: Look | None = None
    redline: Redline = field(default_factory=Redline)
    view: View = field(default_factory=View)
    since: Since = Since.SUBMISSION
    choices: Sequence[Since] = ()
    kept_back: Sequence[Finding] = ()
    files: Sequence[Attachment] = ()
    comments: Sequence[Comment] = ()
    followers: Sequence[str] = ()
    helps: Sequence[TaskHelp] = ()
    stages: Sequence[Stage] = ()
    ledger: Ledger | None = None
    signatures: Sequence[Signature] = ()
    reasons: Sequence[str] = ()
    wait: str = ""
    is_wide: bool = False
    touched: Touched = field(default_factory=Touched)

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be decided here any more."""
        return self.task.state != TaskState.OPEN

    @property
    def changing_words(self) -> str:
        """What is being done with the task that its listeners hear of first; empty when nothing is."""
        return changing.sentence(visit.reading(), self.task) if self.task.is_changing else ""

    @property
    def is_plain(self) -> bool:
        """Whether the task is just done, without a verdict."""
        return not self.task.outcomes

    @property
    def has_inputs(self) -> bool:
        """Whether the form asks for anything, or only tells."""
        return any(one.kind not in SHOWN for one in self.fields)

    @property
    def is_seat(self) -> bool:
        """Whether the task is a seat of an approval round, beside which another one may be added."""
        return self.task.element_id == APPROVAL and self.task.body_scope is not None

    @property
    def is_mine(self) -> bool:
        """Whether the visitor has claimed it."""
        return self.task.assignee == visit.visitor().user_id

    @property
    def is_watched(self) -> bool:
        """Whether the visitor follows its document."""
        record = self.dossier.record if self.dossier else None
        me = visit.visitor().user_id
        return record is not None and follower.is_following(visit.reading(), (record.record_type, record.id), me)

    @property
    def currency(self) -> str:
        """The currency of the task's amount: the document's."""
        return getattr(self.dossier.record, "currency", "") if self.dossier else ""

    @property
    def people(self) -> list[tuple[str, str]]:
        """Label and name of the people in the header."""
        return (
            list(self.dossier.people.items())
            if self.dossier
            else [("Started by", wording.person_name(self.instance.started_by))]
        )

    @property
    def version(self) -> int:
        """The version that is shown: of the document, or of a task about none."""
        return self.dossier.record.version if self.dossier else self.task.version

    @property
    def is_newer(self) -> bool:
        """Whether the visitor saw an older version."""
        return self.seen is not None and self.seen < self.version

    @property
    def version_words(self) -> str:
        """``Version 5 - you saw 3``; only the version when it is new to the visitor or the one they saw."""
        return f"Version {self.version} – you saw {self.seen}" if self.is_newer else f"Version {self.version}"

    @property
    def closed_words(self) -> str:
        """What became of a closed task."""
        who = wording.person_name(self.task.closed_by) if self.task.closed_by else ""
        at = formats.moment(self.task.closed_at, visit.now(), visit.visitor().how)
        if self.task.verdict:
            return f"{signed.outcome(self.task.verdict, who)}, {at}."
        return (
            f"Done by {who} {at}."
            if who and not self.task.closed_why
            else f"Closed {at}: {self.task.closed_why or 'done'}."
        )

    @property
    def buttons(self) -> list[Button]:
        """The verdicts that the diagram offers, the most usual one first and filled."""
        if self.is_plain:
            return []
        first = next((word for word in self.task.outcomes if word not in QUIET), None)
        why_not = self.kept_back[0].sentence if self.kept_back else ""
        return [
            _button(word, is_main=word == first, why_not=why_not if word in APPROVING else "")
            for word in self.task.outcomes
        ]

    @property
    def folded(self) -> list[Button]:
        """The verdicts that a narrow bar keeps in its menu: where all do not fit, all but the filled one and its opposite."""
        buttons = self.buttons
        if len(buttons) <= FITTING:
            return []
        kept = sorted(buttons, key=lambda one: (not one.is_main, one.key != "r"))[:2]
        return [one for one in buttons if one not in kept]

    @property
    def progress_words(self) -> str:
        """``6 of 9 viewed``."""
        return f"{len(self.viewed)} of {len(self.items)} viewed"

    @property
    def waits_for(self) -> str:
        """Whom the task waits for, in words."""
        return route.waits_for(visit.reading(), self.task)

    @property
    def saved_at(self) -> dt.datetime | None:
        """When the visitor's draft was kept."""
        return self.draft.saved_at if self.draft else None

    @property
    def kept_because(self) -> str:
        """Why a sent text became a draft again."""
        return (self.draft.kept_because or "") if self.draft else ""

    @property
    def draft_reason(self) -> str:
        """The text of the visitor's draft."""
        return self.draft.reason if self.draft else ""

    @property
    def acting_for(self) -> list[tuple[str, str]]:
        """For whom the visitor may act here: user id (empty for oneself) and name."""
        found = dict.fromkeys(mandate.on_behalf_of or "" for mandate in self.mandates)
        return [(user_id, wording.person_name(user_id) if user_id else "Yourself") for user_id in found]

    @property
    def tally(self) -> str:
        """How far the votes of this round are, in words: of every stage that is open, since several may be at once."""
        return " · ".join(f"{stage.name}: {stage.words}" for stage in self.stages if stage.tone == "now")


def _button(verdict: str, *, is_main: bool, why_not: str = "") -> Button:
    words, key, icon = VERDICTS.get(verdict, (formats.words(verdict), "", "arrow"))
    return Button(verdict, words, key, icon, is_main, why_not)


def verdict_words(verdict: str) -> str:
    """Return a verdict in words."""
    return _button(verdict, is_main=False).words


def load(
    session: Session, task_id: str, *, tab: str = "summary", sent: Mapping[str, Any] | None = None, since: str = ""
) -> Review:
    """Return the review of a task for the visitor. Raises: NotFound when it is not theirs to see."""
    me, now = visit.visitor().user_id, visit.now()
    task = visible(session, task_id)
    instance, mandates = instances.find(session, task.instance_id), eligibility.mandates_for(session, task, me, now=now)
    record = dossiers.find(session, task.record_type, task.record_id)
    definition = session.get_one(Definition, instance.definition_id)
    review = Review(
        task, instance, definition, dossiers.dossier(session, record) if record is not None else None, mandates,
        bars(session, task, mandates), tasks.draft_of(session, task.id, me), tab if tab in dict(TABS) else "summary",
    )  # fmt: skip
    _fill_head(session, review)
    _fill_redline(session, review, since)
    _fill_tab(session, review, sent)
    return review


def visible(session: Session, task_id: str) -> Task:
    """Return a task that the visitor may know of. Raises: NotFound for any other, whether it exists or not."""
    task = known(session, task_id)
    if task is None or not tasks.may_see(session, task, visit.visitor().user_id):
        raise NotFound(
            "Expected a task of yours, but there is none at this address. It may have been decided or given to somebody else."
        )
    return task


def known(session: Session, task_id: str) -> Task | None:
    """Return a task, whoever may know of it; a session that reads asks once."""
    return once(session, (Task, task_id), lambda: rows.get(session, Task, task_id)) if is_id(task_id) else None


def may_take(session: Session, task: Task) -> bool:
    """Whether the visitor is among those who may decide a task, whatever bars them now."""
    return bool(eligibility.mandates_for(session, task, visit.visitor().user_id, now=visit.now()))


def bars(session: Session, task: Task, mandates: Sequence[Mandate]) -> list[Finding]:
    """Return what bars the visitor under every mandate; empty when one of them may decide."""
    found: list[Finding] = []
    for mandate in mandates or (Mandate(""),):
        barring = eligibility.bars(
            session, task, visit.visitor().user_id, on_behalf_of=mandate.on_behalf_of, now=visit.now()
        )
        if not barring:
            return []
        found += barring
    return list({finding.rule: finding for finding in found}.values())


def _fill_head(session: Session, review: Review) -> None:
    task, me = review.task, visit.visitor().user_id
    review.wait = instances.wait_sentence(session, review.instance)
    review.helps = lending.helps_of(session, task.id)
    review.reasons = [_in_words(reason) for reason in eligibility.why_me(session, task, me, now=visit.now())]
    about = (task.record_type or "task", task.record_id or task.id)
    if review.dossier:
        review.seen = seen_versions(session, me, about[0], [about[1]]).get(about[1])
        review.redline = redlines.redline_of(session, review.dossier.record)
        review.stages = route.stages_of(session, *about, task.record_hash)
    counts = {
        "changes": review.redline.count,
        "documents": len(attachment.attachments_of(session, *about)),
        "discussion": comment.count_on(session, *about),
    }
    review.tabs = [
        Tab(key, words, counts.get(key, 0)) for key, words in TABS if review.dossier or key not in OF_DOCUMENTS
    ]


def _fill_redline(session: Session, review: Review, since: str) -> None:
    """Fill what differs, against what the visitor chose; what they viewed of it, and what keeps an approval back."""
    if not review.dossier:
        return
    record, me = review.dossier.record, visit.visitor().user_id
    progress = reviewing.progress_of(session, record, me, found=review.redline)
    review.items, review.viewed = {item.path: item for item in progress.items}, progress.viewed
    if not review.is_closed and review.mandates:
        verdict = next((word for word in review.task.outcomes if word in APPROVING), "")
        review.kept_back = eligibility.verdict_bars(session, review.task, verdict, me) if verdict else ()
    if review.tab != "changes" and review.task.record_type != PurchaseOrderAmendment.record_type:
        return
    found = review.redline
    if review.tab == "changes":
        review.look = last_look(session, me, (record.record_type, record.id), version=record.version, now=visit.now())
        review.choices = redlines.choices(session, record, review.look)
        review.since = Since(since) if since in {choice.value for choice in review.choices} else Since.SUBMISSION
        if review.since is not Since.SUBMISSION:
            found = redlines.redline_of(session, record, review.since, look=review.look)
    said = comment.comments_on(session, record.record_type, record.id) if review.tab == "changes" else []
    hashes = {path: item.hash for path, item in review.items.items()}
    review.view = redline.view_of(found, hashes=hashes, viewed=review.viewed, comments=said)


def _in_words(reason: eligibility.Reason) -> str:
    """Return a reason with the role's printed name instead of its code."""
    code = reason.principal.removeprefix("role:")
    return reason.sentence.replace(f"you are {code}", f"you are {wording.principal_words(reason.principal)}").replace(
        f"You are {code}", f"You are {wording.principal_words(reason.principal)}"
    )


def _fill_tab(session: Session, review: Review, sent: Mapping[str, Any] | None) -> None:
    about = (review.task.record_type or "task", review.task.record_id or review.task.id)
    if review.tab == "summary":
        _fill_summary(session, review, sent)
    elif review.tab == "impact" and review.dossier:
        review.touched = touched_by(session, review.dossier.record)
    elif review.tab == "documents":
        review.files = attachment.attachments_of(session, *about)
    elif review.tab == "discussion":
        review.comments = comment.comments_on(session, *about)
        review.followers = followers_of(session, about)
    elif review.tab == "history":
        review.ledger = ledger.ledger_of(session, *about)


def _fill_summary(session: Session, review: Review, sent: Mapping[str, Any] | None) -> None:
    form = form_of(session, review.task)
    names = variables_of(session, review.task) if form or not review.dossier else {}
    if form is not None and not review.is_closed:
        kept = sent if sent is not None else _kept(review.draft)
        values = review.draft.variables if review.draft and kept is None else {}
        shown = [one for one in form.show(names | values, kept) if one.kind != "text" or one.text]
        # The digest and the document's own card say what a diagram marks as ``folded``.
        review.fields = [one for one in shown if not (review.dossier and one.is_folded)]
    if not review.dossier:
        review.facts = facts_of(names, visit.visitor().how)
    if review.is_closed and review.task.record_id:
        wanted = select(Signature).where(
            Signature.record_type == review.task.record_type, Signature.record_id == review.task.record_id
        )
        review.signatures = [one for one in session.scalars(wanted) if one.signer_id == review.task.closed_by]


def _kept(draft: TaskDraft | None) -> Mapping[str, Any] | None:
    """Return the fields of a draft as they were typed, or None without any."""
    kept = draft.variables if draft is not None else {}
    return kept if any(name.startswith(PREFIX) for name in kept) else None


def form_of(session: Session, task: Task) -> TaskForm | None:
    """Return the form of a task out of the pinned bundle, or None where it has none."""
    form = tasks.form_of(session, task)
    if form is None:
        return None
    return TaskForm.of_schema(form.schema, feel.evaluate, visit.visitor().how, tell=wording.said)
