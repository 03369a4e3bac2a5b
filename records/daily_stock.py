"""The days on which stock was taken of the data: one row a plant and day, so that two workers never take it at once."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from engine.act import Act
from engine.database import Base, Instant
from records.columns import Code, Day, Login


class DailyStock(Base):
    """Stock of the data taken at one plant on one of its days, the last time when, and by whom."""

    __tablename__ = "daily_stock"

    plant: Mapped[Code] = mapped_column(primary_key=True)
    on: Mapped[Day] = mapped_column(primary_key=True)
    taken_at: Mapped[Instant]
    taken_by: Mapped[Login]


def claim_day(act: Act, plant: str, on: dt.date) -> bool:
    """Claim a day for the act; say whether nobody had it before. Whoever comes second waits until the first act has ended."""
    return act.session.connection().execute(
        _row(act, plant, on).on_conflict_do_nothing(index_elements=["plant", "on"]).returning(DailyStock.__table__.c.on)
    ).first() is not None  # fmt: skip


def lock_day(act: Act, plant: str, on: dt.date) -> None:
    """Wait for whoever takes stock of that day now, then hold the day until the act ends."""
    fresh = {"taken_at": act.now, "taken_by": act.actor[:60]}
    row = _row(act, plant, on).on_conflict_do_update(index_elements=["plant", "on"], set_=fresh)
    act.session.connection().execute(row)


def _row(act: Act, plant: str, on: dt.date) -> sqlite.Insert | postgresql.Insert:
    dialect = postgresql if act.session.connection().dialect.name == "postgresql" else sqlite
    row: sqlite.Insert | postgresql.Insert = dialect.insert(DailyStock.__table__)
    return row.values(plant=plant, on=on, taken_at=act.now, taken_by=act.actor[:60])
