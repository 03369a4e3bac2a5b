"""Coverage: who stands in for whom in a time ahead, with the chains, and where a chain ends with nobody."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from records.person import Absence, User


@dataclass(frozen=True, slots=True)
class Cover:
    """One absence. then: absences of the deputy in that time, each followed on. gap: why nobody acts in a part of it, or empty."""

    absence: Absence
    then: tuple[Cover, ...]
    gap: str

    @property
    def links(self) -> Sequence[Cover]:
        """This absence and those that it leads to, in order of the chain."""
        return [self, *(link for follower in self.then for link in follower.links)]


def coverage(session: Session, start: dt.datetime, end: dt.datetime) -> list[Cover]:
    """Return the absences of active people in a time, the earliest first. start, end: aware, the end exclusive."""
    wanted = (
        select(Absence).join(User, Absence.user_id == User.id).where(Absence.starts_at < end, Absence.ends_at > start)
    )
    rows = [row for row in session.scalars(wanted.order_by(Absence.starts_at, Absence.user_id)) if row.user.is_active]
    return [_cover(row, rows, start=start, end=end, seen={row.user_id}) for row in rows]


def _cover(row: Absence, rows: Sequence[Absence], *, start: dt.datetime, end: dt.datetime, seen: set[str]) -> Cover:
    begins, ends = max(row.starts_at, start), min(row.ends_at, end)
    meets = [
        other for other in rows
        if other.user_id == row.deputy_id and other.starts_at < ends and other.ends_at > begins and _share(row, other)
    ]  # fmt: skip
    then = tuple(
        _cover(other, rows, start=begins, end=ends, seen=seen | {other.user_id})
        for other in meets
        if other.deputy_id not in seen
    )
    gap = "" if row.deputy.is_active else f"{row.deputy.name} has left: name another deputy."
    if any(other.deputy_id in seen for other in meets):
        gap = f"The deputies of {row.deputy.name} lead back: nobody acts while both are away."
    return Cover(row, then, gap)


def _share(one: Absence, other: Absence) -> bool:
    return not one.flows or not other.flows or bool(set(one.flows) & set(other.flows))
