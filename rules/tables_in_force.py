"""Which content of each rule table counts, once tables are under change control: as a signed change order says, and nothing else.

The rules read their tables from the installation when a program starts. From the day of the lock a program refuses to start on
tables that are not the ones in force, and what is in force moves by an approved item alone, whatever else is written.
"""

from __future__ import annotations

from sqlalchemy import UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session

from engine.act import Act
from engine.database import Base
from engine.record import Record
from records.columns import Hash, Login
from records.definition_lock import lock_of
from rules.policy import table_called, table_names

RETIRED = ""
"""The hash of a table that is in use no more."""


class TableInForce(Record, Base):
    """One rule table and the hash of the content that counts; empty once it is in use no more."""

    __tablename__ = "table_in_force"
    __table_args__ = (UniqueConstraint("name"),)

    name: Mapped[Login]
    content_hash: Mapped[Hash]

    @property
    def number(self) -> str:
        """What people call it."""
        return self.name


class TablesNotInForce(RuntimeError):
    """A program was to start on tables that nobody signed. problems: which, one sentence each."""

    def __init__(self, found: list[str]) -> None:
        super().__init__("Expected the rule tables that are in force, but they are not:\n" + "\n".join(found))
        self.problems = found


def in_force(session: Session) -> dict[str, TableInForce]:
    """Return the rows by name."""
    return {row.name: row for row in session.scalars(select(TableInForce).order_by(TableInForce.name))}


def put_in_force(act: Act) -> None:
    """Take the installed tables as the ones in force, before the lock: they are what is being validated."""
    known = in_force(act.session)
    for name in table_names():
        if name not in known:
            act.session.add(TableInForce(name=name, content_hash=table_called(name).hash))
        else:
            known[name].content_hash = table_called(name).hash
    act.session.flush()


def problems_of(session: Session) -> list[str]:
    """Return a sentence for each installed table that is not the one in force; none while tables are not under change control."""
    if lock_of(session) is None:
        return []
    known = {name: row.content_hash for name, row in in_force(session).items()}
    installed = {name: table_called(name).hash for name in table_names()}
    wrong = [name for name in sorted({*known, *installed}) if known.get(name, RETIRED) != installed.get(name, RETIRED)]
    return [
        f"The table {name} is {installed[name][:12] if name in installed else 'not installed'}, but in force is "
        f"{known.get(name, RETIRED)[:12] or 'none'}: install the one that was signed (lockstep rules in-force FOLDER writes it), "
        "or have this one signed by a change order."
        for name in wrong
    ]


def require_tables(session: Session) -> None:
    """Refuse to go on with tables that are not in force. Raises: TablesNotInForce."""
    if found := problems_of(session):
        raise TablesNotInForce(found)
