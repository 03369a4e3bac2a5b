"""The few words that tasks are filtered by: kept once each, so that a search finds a party or a project without reading tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from engine.database import in_turn
from engine.stored.task import Task, TaskWord

if TYPE_CHECKING:
    from engine.act import Act

PARTY, PROJECT = "party", "project"

MOST = 200
"""Words that one search may stand for; who searches for less than a syllable is asked for more."""


def learn(act: Act, task: Task) -> None:
    """Keep the party and the project of a task that opens, when they are new; known ones cost no statement."""
    for kind, word in ((PARTY, task.party), (PROJECT, task.project)):
        if word:
            _keep(act, kind, word)


def _keep(act: Act, kind: str, word: str) -> None:
    key = f"{kind}:{word}"
    known = act.installation.task_words
    if known.find(key) is not None:
        return
    connection = act.session.connection()
    asked = select(TaskWord.word).where(TaskWord.kind == kind, TaskWord.word == word)
    if connection.execute(asked).first() is None:
        in_turn(connection)
        make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        connection.execute(make(TaskWord).values(kind=kind, word=word).on_conflict_do_nothing())
    # Remembered once it is committed: a rollback takes the word back.
    act.afterwards.append(lambda: known.keep(key, True))


def words_like(session: Session, kind: str, pattern: str) -> list[str]:
    """Return the words of a kind that contain something, in any case. pattern: for LIKE, escaped with a backslash, lower case."""
    found = select(TaskWord.word).where(TaskWord.kind == kind, func.lower(TaskWord.word).like(pattern, escape="\\"))
    return list(session.scalars(found.order_by(TaskWord.word).limit(MOST)))
