"""Load together what many rows refer to: the first of them that is asked for brings that of the others along.

A document of five hundred lines has five hundred parts. Whoever asks the first line for its part will ask the others, too, so
that a relation that is loaded late is loaded for every row of its class in the session at once. How many statements a page or
an act needs then depends on what it asks, not on how many lines a document has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import event, select
from sqlalchemy.orm import (
    InstanceState,
    ORMExecuteState,
    RelationshipDirection,
    RelationshipProperty,
    Session,
    selectinload,
)

MOST = 1_000
"""Rows whose relation is loaded by one statement."""

_MISSES, _HELD = "looks for others in vain", "fetched for others"


def install(kind: type[Session], *, is_read_only: bool) -> None:
    """Let every session of a class load together.

    Where something may be written, only rows are fetched, to lie ready under their keys: each reference is still followed
    as it is when it is asked for. Lists, and references by anything else than a key, are filled in where nothing changes.
    """
    event.listen(kind, "do_orm_execute", _fill_for_others if is_read_only else _fetch_for_others)


def _fetch_for_others(asked: ORMExecuteState) -> None:
    relation = _relation_of(asked)
    if relation is None or not _is_by_key(relation):
        return
    others = _others(asked, relation)
    if others:
        _fetch_rows(asked.session, relation, others)


def _fill_for_others(asked: ORMExecuteState) -> None:
    relation = _relation_of(asked)
    if relation is None or _is_by_key(relation):
        _fetch_for_others(asked)
        return
    others = _others(asked, relation)
    if others:
        _fill_lists(asked.session, relation, others)


def _relation_of(asked: ORMExecuteState) -> RelationshipProperty[Any] | None:
    """Return the relation that a statement loads late, None for any other statement."""
    if not asked.is_select or asked.lazy_loaded_from is None or asked.loader_strategy_path is None:
        return None
    relation = asked.loader_strategy_path.path[-1]
    return relation if isinstance(relation, RelationshipProperty) else None


def _is_by_key(relation: RelationshipProperty[Any]) -> bool:
    """Whether a relation refers to one row by its primary key alone."""
    pairs = relation.local_remote_pairs or ()
    return relation.direction is RelationshipDirection.MANYTOONE and [remote for _, remote in pairs] == [
        *relation.mapper.primary_key
    ]


def _others(asked: ORMExecuteState, relation: RelationshipProperty[Any]) -> list[InstanceState[Any]]:
    """Return the other rows of a class that lack the relation.

    A session that holds much and asks one by one looks for others ever more rarely: each look reads all it holds.
    """
    session, origin = asked.session, asked.lazy_loaded_from
    misses: dict[Any, int] = session.info.setdefault(_MISSES, {})
    turn = misses.get(relation, 0)
    if turn & (turn - 1):
        misses[relation] = turn + 1
        return []
    found = [
        each
        for each in session.identity_map.all_states()
        if origin is not None and each.mapper is origin.mapper and each is not origin and relation.key not in each.dict
    ]
    misses[relation] = 0 if found else turn + 1
    return found[:MOST]


def _fetch_rows(session: Session, relation: RelationshipProperty[Any], others: Sequence[InstanceState[Any]]) -> None:
    """Fetch what rows refer to by its primary key. The session holds it from here on, so that it is found under its key."""
    ((local, remote),) = relation.local_remote_pairs or ()
    name, known = relation.parent.get_property_by_column(local).key, session.identity_map
    wanted = {identity for each in others if (identity := each.dict.get(name)) is not None}
    missing = sorted(one for one in wanted if relation.mapper.identity_key_from_primary_key((one,)) not in known)
    if missing:
        query = select(relation.mapper.class_).where(remote.in_(missing)).execution_options(autoflush=False)
        session.info.setdefault(_HELD, []).extend(session.scalars(query))


def _fill_lists(session: Session, relation: RelationshipProperty[Any], others: Sequence[InstanceState[Any]]) -> None:
    """Load the lists of rows, or what they refer to by something else than its primary key."""
    mapper = relation.parent
    (primary,) = mapper.primary_key
    query = (
        select(mapper.class_)
        .options(selectinload(relation.class_attribute))
        .where(primary.in_([each.identity[0] for each in others if each.identity]))
        .execution_options(autoflush=False)
    )
    session.scalars(query).all()
