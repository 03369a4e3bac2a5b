"""Findings that are kept: what a rule said about a document, by which row of which table, and whether somebody acknowledged it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from sqlalchemy import Index, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine.act import Act
from engine.database import Base, Id, Instant, InstantType, new_id
from engine.errors import Effect, Finding
from records.columns import Code, Hash, Name, word


class KeptFinding(Base):
    """One finding on one document. Only its acknowledgement, and that it holds no more, are ever written later.

    judged_by: the content hash of the table that judged, or empty for a law in code; judged_row: its row number, from 1.
    at: when it was found. mode: the mode of the flow at that instant. waiver_id: the waiver that turned it into a warning.
    settled_at: when its document was judged again and this was not found any more.
    """

    __tablename__ = "finding"
    __table_args__ = (
        Index("ix_finding_record_id_record_type", "record_id", "record_type"),
        Index("ix_finding_at", "at"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    rule: Mapped[Code]
    effect: Mapped[Effect] = word(Effect, "effect")
    mode: Mapped[Code]
    sentence: Mapped[str] = mapped_column(Text)
    record_type: Mapped[Code]
    record_id: Mapped[Code]
    field: Mapped[Code]
    old_text: Mapped[str | None] = mapped_column(Text)
    new_text: Mapped[str | None] = mapped_column(Text)
    owner: Mapped[Name]
    way_out: Mapped[str] = mapped_column(Text)
    judged_by: Mapped[Hash]
    judged_row: Mapped[int | None]
    actor: Mapped[Name]
    act_id: Mapped[Code]
    at: Mapped[Instant]
    acknowledged_by: Mapped[Name | None]
    acknowledged_at: Mapped[dt.datetime | None] = mapped_column(InstantType())
    acknowledgement: Mapped[str | None] = mapped_column(Text)
    settled_at: Mapped[dt.datetime | None] = mapped_column(InstantType())
    waiver_id: Mapped[Id | None]

    @property
    def as_finding(self) -> Finding:
        """The finding as the rule gave it."""
        return Finding(
            rule=self.rule, effect=self.effect, sentence=self.sentence, record_type=self.record_type,
            record_id=self.record_id, field=self.field, old=self.old_text, new=self.new_text, owner=self.owner,
            way_out=self.way_out, judged_by=self.judged_by, row=self.judged_row, waiver_id=self.waiver_id,
        )  # fmt: skip


def keep_findings(act: Act, findings: Iterable[Finding], *, mode: str = "ENFORCE") -> list[KeptFinding]:
    """Write findings down with the act; one that stands unacknowledged on the same document already is not written twice."""
    kept: list[KeptFinding] = []
    known: dict[tuple[str, str], set[tuple[str, Effect, str, str, str, str]]] = {}
    for finding in findings:
        about = (finding.record_type, finding.record_id)
        if about not in known:
            known[about] = {_key(row) for row in open_findings(act.session, *about)}
        said = (finding.rule, finding.effect, finding.sentence, *about, finding.field)
        if said in known[about]:
            continue
        known[about].add(said)
        row = KeptFinding(
            rule=finding.rule, effect=finding.effect, mode=mode, sentence=finding.sentence,
            record_type=finding.record_type, record_id=finding.record_id, field=finding.field, old_text=finding.old,
            new_text=finding.new, owner=finding.owner, way_out=finding.way_out, judged_by=finding.judged_by,
            judged_row=finding.row, actor=act.actor, act_id=act.id, at=act.now,
            waiver_id=finding.waiver_id,
        )  # fmt: skip
        act.session.add(row)
        kept.append(row)
    return kept


def open_findings(session: Session, record_type: str, record_id: str) -> list[KeptFinding]:
    """Return the unacknowledged findings on a document that still hold, oldest first, those of this act included."""
    stored = session.scalars(
        select(KeptFinding)
        .where(KeptFinding.record_type == record_type, KeptFinding.record_id == record_id)
        .where(KeptFinding.acknowledged_at.is_(None), KeptFinding.settled_at.is_(None))
        .order_by(KeptFinding.at, KeptFinding.id)
    ).all()
    fresh = [
        row
        for row in session.new
        if isinstance(row, KeptFinding) and (row.record_type, row.record_id) == (record_type, record_id)
    ]
    return [*stored, *(row for row in fresh if row not in stored)]


def acknowledge(act: Act, finding: KeptFinding, *, reason: str) -> KeptFinding:
    """Write down that the acting person has seen a finding, and why the work goes on."""
    finding.acknowledged_by, finding.acknowledged_at, finding.acknowledgement = act.actor, act.now, reason
    act.note(finding.record_type, finding.record_id, "ACKNOWLEDGED", field=finding.rule, new=reason)
    return finding


def _key(row: KeptFinding) -> tuple[str, Effect, str, str, str, str]:
    return (row.rule, row.effect, row.sentence, row.record_type, row.record_id, row.field)


def settle(act: Act, record_type: str, record_id: str, *, rules: frozenset[str], found: Iterable[Finding]) -> None:
    """Write down which open findings hold no more, after a document was judged again.

    rules: families (``BLUR``, ``SUP``) or single rules (``CON-08``) that were judged; others are left alone. found: what was
    found this time.
    """
    still = {(each.rule, each.effect, each.sentence, each.record_type, each.record_id, each.field) for each in found}
    for row in open_findings(act.session, record_type, record_id):
        if {row.rule, row.rule.partition("-")[0]} & rules and _key(row) not in still and row.settled_at is None:
            row.settled_at = act.now
