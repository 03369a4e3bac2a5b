"""The FEEL functions that the house lends to diagrams and tables.

They are compiled into definitions, which all installations of a process share; whose calendar they ask is said by
``lent``, around every evaluation.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from dmn import HostFunction
from engine.errors import Refused

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_asking: ContextVar[Session | None] = ContextVar("the session whose act evaluates", default=None)


@contextmanager
def lent(session: Session) -> Iterator[None]:
    """Let the functions answer from this session's installation until the block ends."""
    before = _asking.set(session)
    try:
        yield
    finally:
        _asking.reset(before)


def zone_of(session: Session) -> dt.tzinfo:
    """Return the zone of the plant's calendar; UTC without a calendar."""
    calendar = session.info["installation"].calendar
    return dt.UTC if calendar is None else calendar.zone(session)


def _add_business_days(start: Any, days: Any) -> dt.datetime:
    session = _asking.get()
    calendar = session.info["installation"].calendar if session is not None else None
    fits = isinstance(start, dt.datetime) and isinstance(days, Decimal)
    if session is None or calendar is None or not fits:
        missing = "a date and time and a number of business days" if not fits else "a business calendar"
        raise ValueError(f"Expected {missing}, but there is none")
    moment = start if start.tzinfo is not None else start.replace(tzinfo=dt.UTC)
    try:
        result: dt.datetime = calendar.add_business_days(session, moment, days)
    except (Refused, OverflowError) as error:
        # An expression that has no value stops its token; it does not refuse what somebody else does.
        raise ValueError(
            error.message if isinstance(error, Refused) else f"{moment} plus {days} days is no date"
        ) from error
    return result


HOUSE: Final[Mapping[str, HostFunction]] = MappingProxyType(
    {"add business days": HostFunction("add business days", ("from", "n"), _add_business_days)}
)
"""By name. ``add business days(from, n)`` keeps the local time of day."""
