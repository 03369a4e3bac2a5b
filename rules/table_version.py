"""Which versions of the rule tables this house ever worked by: each one's bytes, and who brought it in, in its chain."""

from __future__ import annotations

from sqlalchemy import LargeBinary, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine.act import Act
from engine.audit import AuditEvent
from engine.database import Base, Instant
from records.columns import Hash, Login
from rules.policy import table_called, table_names

RECORD_TYPE = "rule_table"
"""Under what the chain knows a table; its record id is the table's name."""

ADOPTED, FOUND = "TABLE_ADOPTED", "TABLE_FOUND"
"""A table came into use because somebody said so, or because it was found changed where the program is installed."""


FIRST = "as it came with the program"


class RuleTableVersion(Base):
    """The content of a table that was once in use, under its hash. Written once."""

    __tablename__ = "rule_table_version"

    name: Mapped[Login] = mapped_column(primary_key=True)
    hash: Mapped[Hash] = mapped_column(primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    seen_at: Mapped[Instant]


def in_use(session: Session) -> dict[str, str]:
    """Return the hash that the chain says of each table, by name."""
    told = (
        select(AuditEvent.record_id, AuditEvent.new)
        .where(AuditEvent.record_type == RECORD_TYPE, AuditEvent.action.in_([ADOPTED, FOUND]))
        .order_by(AuditEvent.record_id, AuditEvent.seq)
    )
    return {row.record_id: row.new for row in session.execute(told)}


def changed(session: Session) -> list[str]:
    """Return the installed tables that are not what the chain says, in order."""
    known = in_use(session)
    return [name for name in table_names() if known.get(name) != table_called(name).hash]


def keep_versions(act: Act, action: str, *, reason: str | None = None) -> list[str]:
    """Keep every installed table that changed, and let its chain say who brought it in; return their names."""
    known = in_use(act.session)
    names = changed(act.session)
    for name in names:
        table = table_called(name)
        if act.session.get(RuleTableVersion, (name, table.hash)) is None:
            act.session.add(RuleTableVersion(name=name, hash=table.hash, content=table.source, seen_at=act.now))
        why = reason if name in known or action == ADOPTED else FIRST
        act.note(RECORD_TYPE, name, action, field="content", old=known.get(name), new=table.hash, reason=why)
    act.session.flush()
    return names
