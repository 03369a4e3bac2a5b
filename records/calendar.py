"""Sites and their business time."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint, bindparam, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from engine.answers import lasting
from engine.database import Base, Id
from engine.errors import Invalid, NotFound
from engine.prepared import Question
from engine.record import Record
from records.columns import Code, Codes, Currency, Day, Name, Text

WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")

MAIN = "MAIN"
"""The code of the site an installation starts with."""


class Site(Record, Base):
    """A plant.

    currency: the company currency that limits and budgets are kept in. has_erp: an ERP mints its PO numbers.
    """

    __tablename__ = "site"
    __table_args__ = (
        UniqueConstraint("code"),
        CheckConstraint("closes_at > opens_at", name="closes_after_opening"),
    )

    code: Mapped[Code]
    name: Mapped[Name]
    time_zone: Mapped[Code]
    currency: Mapped[Currency]
    opening_days: Mapped[Codes] = mapped_column(default=("FRI", "MON", "THU", "TUE", "WED"))
    opens_at: Mapped[dt.time] = mapped_column(default=dt.time(7))
    closes_at: Mapped[dt.time] = mapped_column(default=dt.time(17))
    has_erp: Mapped[bool] = mapped_column(default=True)
    address: Mapped[Text] = mapped_column(default="")
    number_prefix: Mapped[Code] = mapped_column(default="")

    holidays: Mapped[list[Holiday]] = relationship(
        back_populates="site", cascade="all, delete-orphan", order_by="Holiday.on"
    )

    @property
    def number(self) -> str:
        """The code under which people know the site."""
        return self.code

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.time_zone)

    def local_day(self, at: dt.datetime) -> dt.date:
        """Return the calendar day of an instant at the site."""
        return at.astimezone(self.zone).date()


class Holiday(Record, Base):
    """A day on which a site is closed."""

    __tablename__ = "holiday"
    __table_args__ = (UniqueConstraint("site_id", "on"),)

    site_id: Mapped[Id] = mapped_column(ForeignKey("site.id"))
    on: Mapped[Day]
    name: Mapped[Name]

    site: Mapped[Site] = relationship(back_populates="holidays")

    @property
    def number(self) -> str:
        """The day, as people name a holiday."""
        return self.on.isoformat()


_SITE = select(Site).where(Site.code == bindparam("site"))


def site_called(session: Session, code: str) -> Site:
    """Return the site with a code. Raises NotFound."""
    site = session.scalar(_SITE, {"site": code})
    if site is None:
        raise NotFound(f"Expected a site called {code}, but there is none")
    return site


_ZONE = Question(select(Site.time_zone).where(Site.code == bindparam("site")))


class BusinessCalendar:
    """Business time of one site; implements ``engine.ports.Calendar``."""

    def __init__(self, site: str = MAIN) -> None:
        self.site = site

    def zone(self, session: Session) -> dt.tzinfo:
        """Return the time zone of the site; UTC before there is one."""

        def ask() -> str | None:
            return next((name for (name,) in _ZONE.ask(session, {"site": self.site})), None)

        name = lasting(session, ("zone", self.site), ask, about=frozenset({Site}))
        return ZoneInfo(name) if name is not None else dt.UTC

    def add_business_days(self, session: Session, start: dt.datetime, days: Decimal) -> dt.datetime:
        """Return the instant ``days`` business days after ``start``, keeping the local time of day across summer time.

        From a closed day counting begins on the next open one. A fraction of a day is that part of the opening hours,
        and what does not fit into a day runs over to the next morning. Raises: Invalid for negative or absurd numbers
        of days.
        """
        if not days.is_finite() or not 0 <= days <= 10_000:
            raise Invalid(f"Expected between 0 and 10,000 business days, but found {days}")
        site = site_called(session, self.site)
        closed = {holiday.on for holiday in site.holidays}
        local = start.astimezone(site.zone).replace(tzinfo=None)
        whole = int(days)
        day = _open_day(site, closed, local.date(), whole)
        moment = dt.datetime.combine(day, local.time())
        fraction = days - whole
        if fraction:
            moment = _run_over(site, closed, moment, fraction)
        return moment.replace(tzinfo=site.zone).astimezone(dt.UTC)


def is_open(site: Site, closed: set[dt.date], day: dt.date) -> bool:
    """Return whether a site works on a day. closed: its holidays."""
    return WEEKDAYS[day.weekday()] in site.opening_days and day not in closed


def working_day(site: Site, day: dt.date, *, later: int = 0) -> dt.date:
    """Return the day itself or the next one that the site works; with ``later``, so many working days after it.

    Raises: Invalid for a site that never opens.
    """
    closed = {holiday.on for holiday in site.holidays}
    begin = _open_day(site, closed, day, 0)
    return _open_day(site, closed, begin, later) if later else begin


def closed_because(site: Site, day: dt.date) -> str:
    """Return why a site does not work on a day, in words; empty when it does."""
    holiday = next((each.name for each in site.holidays if each.on == day), "")
    return holiday or ("" if WEEKDAYS[day.weekday()] in site.opening_days else f"{day:%A}")


def _open_day(site: Site, closed: set[dt.date], day: dt.date, steps: int) -> dt.date:
    """Return the ``steps``-th open day after a day; with 0 steps the day itself, or the next open one."""
    if not site.opening_days:
        raise Invalid(f"Expected site {site.code} to open on some weekday, but it never does")
    if steps == 0:
        while not is_open(site, closed, day):
            day += dt.timedelta(days=1)
        return day
    while steps:
        day += dt.timedelta(days=1)
        steps -= is_open(site, closed, day)
    return day


def _run_over(site: Site, closed: set[dt.date], moment: dt.datetime, fraction: Decimal) -> dt.datetime:
    opens = dt.datetime.combine(moment.date(), site.opens_at)
    closes = dt.datetime.combine(moment.date(), site.closes_at)
    wanted = dt.timedelta(seconds=float(fraction) * (closes - opens).total_seconds())
    begin = min(max(moment, opens), closes)
    if begin + wanted <= closes:
        return begin + wanted
    rest = wanted - (closes - begin)
    return dt.datetime.combine(_open_day(site, closed, moment.date(), 1), site.opens_at) + rest
