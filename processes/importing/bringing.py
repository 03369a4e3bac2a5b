"""Bringing documents in, one by one: new, unchanged, changed or only observed; each wholly or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from engine.act import Act, Installation
from engine.canonical import content_hash
from engine.errors import Invalid, Refused
from engine.record import Record
from processes.importing.agreement import Disagreement
from processes.importing.mapping import OPTIONAL, Mapped
from processes.importing.papers import Papers
from processes.importing.problems import Problem, Report, Weight
from processes.importing.reading import Reading
from processes.importing.sheets import Family, Row, Sheet, families, read_sheet
from records.external import ExternalRef
from records.part import RevisionStatus
from records.requisition import Requisition

ACTOR = "adapter:erp"
TOGETHER = 20
"""Documents written in one act; each in a savepoint of its own, so that a bad one takes no other with it."""

Progress = Callable[[str, int, int], None]
Start = Callable[[Act, Requisition], object]


class Outcome(StrEnum):
    """What became of a document that was here before."""

    CHANGED = "changed"
    OBSERVED = "observed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a native document: our record, and the hash of what the ERP last said about it."""

    record_type: str
    record_id: str
    last_hash: str


@dataclass(frozen=True)
class Item:
    """One document to bring in. content: everything that was read of it; when nothing of it changed, nothing is done."""

    kind: type[Record]
    native_type: str
    native_id: str
    number: str
    row: Row
    content: Mapping[str, Any]
    insert: Callable[[Act], Record]
    update: Callable[[Act, Any], Outcome]


@dataclass(eq=False)
class Import:
    """One run over one folder."""

    installation: Installation
    folder: Path
    mapping: Mapped
    report: Report
    start: Start | None
    progress: Progress
    sheets: dict[str, Sheet] = field(default_factory=dict)
    known: dict[tuple[str, str], Known] = field(default_factory=dict)
    people: dict[str, str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    services: dict[str, str] = field(default_factory=dict)
    revision_statuses: dict[str, RevisionStatus] = field(default_factory=dict)
    line_prices: dict[str, tuple[Decimal, str]] = field(default_factory=dict)
    asked_prices: dict[str, tuple[Decimal, str]] = field(default_factory=dict)
    numbers: dict[tuple[str, str], str] = field(default_factory=dict)
    centres: dict[str, str] = field(default_factory=dict)
    lots: dict[str, Any] = field(default_factory=dict)
    papers: Papers = field(default_factory=Papers)
    disagreements: list[Disagreement] = field(default_factory=list)
    _families: dict[tuple[str, str], list[Family]] = field(default_factory=dict)
    _dry_act: Act | None = None

    @contextmanager
    def dry(self) -> Iterator[None]:
        """Let everything happen in one act that is rolled back at the end: what it reports is what would be."""
        try:
            with self.installation.acting(ACTOR) as act:
                self._dry_act = act
                yield
                _undo()
        except _Undone:
            self._dry_act = None

    @contextmanager
    def act(self) -> Iterator[Act]:
        """Open an act of the adapter; in a dry run it is always the same one."""
        if self._dry_act is not None:
            yield self._dry_act
            return
        with self.installation.acting(ACTOR) as act:
            yield act

    def recall(self, session: Session) -> None:
        """Load what earlier imports from this system brought in."""
        for ref in session.scalars(select(ExternalRef).where(ExternalRef.system == self.mapping.system)):
            self.known[ref.native_type, ref.native_id] = Known(ref.record_type, ref.record_id, ref.last_hash)

    def has(self, section: str) -> bool:
        """Whether an optional kind of document can be brought in: the mapping names its file, and the folder has it."""
        return section in self.mapping.sections and (self.folder / self.mapping[section].file).is_file()

    def note_what_is_missing(self) -> None:
        """Name every file that the mapping names and the folder may lack: nothing is said about what stands in them."""
        self.report.absent += [
            self.mapping[section].file
            for section in sorted(OPTIONAL & self.mapping.sections.keys())
            if not self.has(section)
        ]

    def sheet(self, section: str) -> Sheet:
        """Return the file of a section, read once; a column that the mapping names and the file lacks is a problem."""
        mapped = self.mapping[section]
        if mapped.file not in self.sheets:
            self.sheets[mapped.file] = read_sheet(self.folder, mapped.file, self.report)
        return self.sheets[mapped.file]

    def check_columns(self) -> None:
        """Note every column that the mapping names and its file lacks. Raises Invalid when there is any: the mapping is wrong."""
        missing: dict[str, str] = {}
        for section in self.mapping.sections.values():
            if section.name.partition(".")[0] in OPTIONAL and not self.has(section.name):
                continue
            sheet = self.sheet(section.name)
            for name in section.columns.values() if sheet.columns else ():
                if name not in sheet.columns:
                    missing[f"{section.file}: {name}"] = f"feeds {section.name}, but is no column of the file"
        if missing:
            raise Invalid(
                "Expected every column of the mapping file in the extract, but these are missing: "
                + ", ".join(missing),
                missing,
            )

    def families(self, section: str) -> list[Family]:
        """Return the parents of a section with their children; what is wrong with them is noted once."""
        sheet, id_column = self.sheet(section), self.mapping[section].column("id")
        if (sheet.file, id_column) not in self._families:
            self._families[sheet.file, id_column] = list(families(sheet, id_column, self.report))
        return self._families[sheet.file, id_column]

    def reading(self, section: str, row: Row) -> Reading:
        """Read a row by the fields of a section."""
        return Reading(self.mapping[section], row, self.report)

    def id_of(self, native_type: str, native_id: str) -> str | None:
        """Return our id of a native document, or None when it was not brought in."""
        found = self.known.get((native_type, native_id))
        return found.record_id if found else None

    def default(self, name: str, *, otherwise: str | None = None) -> str:
        """Return a text of the mapping file's defaults. otherwise: what holds where it has none; without it, it must."""
        if otherwise is not None and name not in self.mapping.values.get("defaults", {}):
            return otherwise
        return str(self.mapping.value(f"defaults.{name}"))

    def budget(self) -> Decimal:
        """Return the budget of a cost centre that has to be made."""
        try:
            return Decimal(self.default("budget"))
        except InvalidOperation as error:
            raise Invalid("Expected defaults.budget to be an amount, but it is not") from error

    def bring(self, what: str, items: Iterable[Item]) -> None:
        """Bring documents in. what: their name in the report."""
        everything = list(items)
        self.numbers.update({(item.native_type, item.native_id): item.number for item in everything})
        tally = self.report.tally(what)
        done = 0
        for begin in range(0, len(everything), TOGETHER):
            some = everything[begin : begin + TOGETHER]
            fresh = [item for item in some if self._is_new_or_changed(item)]
            tally.unchanged += len(some) - len(fresh)
            if fresh:
                with self.act() as act:
                    brought = [self._bring(act, what, item) for item in fresh]
                self.known.update(known for known in brought if known is not None)
            done += len(some)
            self.progress(what, done, len(everything))

    def leave_out(self, what: str) -> None:
        """Count a document that was not even tried."""
        self.report.tally(what).left_out += 1

    def _is_new_or_changed(self, item: Item) -> bool:
        known = self.known.get((item.native_type, item.native_id))
        return known is None or known.last_hash != content_hash(item.content)

    def _bring(self, act: Act, what: str, item: Item) -> tuple[tuple[str, str], Known] | None:
        key = (item.native_type, item.native_id)
        tally = self.report.tally(what)
        known = self.known.get(key)
        try:
            with act.attempt():
                if known is None:
                    record, outcome = item.insert(act), "new"
                else:
                    record = act.session.get_one(item.kind, known.record_id)
                    outcome = item.update(act, record).value
                self._remember(act, item, record)
        except (Refused, IntegrityError, DataError) as error:
            self.refused(item, error)
            tally.left_out += 1
            return None
        setattr(tally, outcome, getattr(tally, outcome) + 1)
        return key, Known(record.record_type, record.id, content_hash(item.content))

    def _remember(self, act: Act, item: Item, record: Record) -> None:
        ref = self.remember(act, item.native_type, item.native_id, record)
        ref.native_number, ref.last_hash = item.number[:200], content_hash(item.content)

    def remember(self, act: Act, native_type: str, native_id: str, record: Record) -> ExternalRef:
        """Keep which record of ours a native one is."""
        ref = None
        if (native_type, native_id) in self.known:
            wanted = select(ExternalRef).where(
                ExternalRef.system == self.mapping.system,
                ExternalRef.native_type == native_type,
                ExternalRef.native_id == native_id,
            )
            ref = act.session.scalar(wanted)
        if ref is None:
            ref = ExternalRef(system=self.mapping.system, native_type=native_type, native_id=native_id, last_hash="")
            act.session.add(ref)
        ref.record_type, ref.record_id, ref.last_seen_at = record.record_type, record.id, act.now
        return ref

    def remembered(self, act: Act, native_type: str, native_id: str) -> str | None:
        """Return our id of a native record that came with another document in this run, or None."""
        act.session.flush()
        wanted = select(ExternalRef.record_id).where(
            ExternalRef.system == self.mapping.system,
            ExternalRef.native_type == native_type,
            ExternalRef.native_id == native_id,
        )
        return act.session.scalar(wanted)

    def refused(self, item: Item, error: Exception) -> None:
        """Note that a document was refused by a law or a constraint."""
        message = error.message if isinstance(error, Refused) else str(getattr(error, "orig", error)).splitlines()[0]
        code = error.code if isinstance(error, Refused) else "CONSTRAINT"
        self.report.problems.append(
            Problem(Weight.ERROR, code, item.row.file, item.row.number, "", item.number, message)
        )


class _Undone(Exception):
    """Ends a dry run, so that its act is rolled back."""


def _undo() -> None:
    raise _Undone


def assign(record: Record, values: Mapping[str, Any]) -> bool:
    """Set the fields that differ and return whether any did."""
    differing = {name: value for name, value in values.items() if getattr(record, name) != value}
    for name, value in differing.items():
        setattr(record, name, value)
    return bool(differing)
