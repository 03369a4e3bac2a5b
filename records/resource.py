"""What does the work: work centres with their rates, equipment and gauges with their calibration, people with qualifications."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from engine.database import Base, Id, Money
from engine.errors import NotFound
from engine.record import Record
from records.calendar import Site
from records.columns import Code, Currency, Day, Login, Name, Text, word
from records.person import User


class WorkCentre(Record, Base):
    """A group of equally qualified machines or benches. labour_rate, machine_rate: per hour, in ``currency``, until the first dated one.

    Moving work between the machines of one centre is clerical; moving it to another centre is a change of the routing.
    """

    __tablename__ = "work_centre"
    __table_args__ = (
        UniqueConstraint("code"),
        CheckConstraint("labour_rate >= 0 AND machine_rate >= 0", name="rates_not_negative"),
    )

    code: Mapped[Code]
    name: Mapped[Name]
    site_id: Mapped[Id] = mapped_column(ForeignKey("site.id"))
    labour_rate: Mapped[Money] = mapped_column(default=Decimal(0))
    machine_rate: Mapped[Money] = mapped_column(default=Decimal(0))
    currency: Mapped[Currency] = mapped_column(default="USD")
    is_active: Mapped[bool] = mapped_column(default=True)

    site: Mapped[Site] = relationship()
    rates: Mapped[list[WorkCentreRate]] = relationship(
        back_populates="work_centre", order_by="WorkCentreRate.valid_from"
    )

    @property
    def number(self) -> str:
        """The code."""
        return self.code

    def rates_on(self, day: dt.date) -> tuple[Decimal, Decimal]:
        """Return the labour and the machine rate of a day, per hour; before the first dated one, those it began with."""
        dated = [rate for rate in self.rates if rate.valid_from <= day]
        return (dated[-1].labour_rate, dated[-1].machine_rate) if dated else (self.labour_rate, self.machine_rate)


class WorkCentreRate(Record, Base):
    """What an hour of a work centre costs from a day on; written once, so that hours booked before keep their rate.

    labour_rate, machine_rate: per hour, in the work centre's currency.
    """

    __tablename__ = "work_centre_rate"
    __table_args__ = (
        UniqueConstraint("work_centre_id", "valid_from"),
        CheckConstraint("labour_rate >= 0 AND machine_rate >= 0", name="rates_not_negative"),
    )

    work_centre_id: Mapped[Id] = mapped_column(ForeignKey("work_centre.id"))
    valid_from: Mapped[Day]
    labour_rate: Mapped[Money]
    machine_rate: Mapped[Money]

    work_centre: Mapped[WorkCentre] = relationship(back_populates="rates")

    @property
    def number(self) -> str:
        """The centre and the day."""
        return f"{self.work_centre.code} from {self.valid_from}"


class ResourceKind(StrEnum):
    """What a resource is. EQUIPMENT makes, GAUGE measures, PERSON performs."""

    EQUIPMENT = "EQUIPMENT"
    GAUGE = "GAUGE"
    PERSON = "PERSON"


class Resource(Record, Base):
    """A machine, a gauge or a person, under the code that the shop floor knows it by.

    calibration_due: the last day on which it may be used, None where it needs no calibration. last_good_on: when it was last
    found in tolerance. user_id: the person's account here, if they have one; many on the floor have none.
    """

    __tablename__ = "resource"
    __table_args__ = (
        UniqueConstraint("code"),
        CheckConstraint("kind <> 'GAUGE' OR calibration_interval_days IS NOT NULL", name="gauges_are_calibrated"),
        CheckConstraint("calibration_interval_days IS NULL OR calibration_interval_days > 0", name="interval_positive"),
        CheckConstraint("kind = 'PERSON' OR user_id IS NULL", name="only_people_have_accounts"),
        Index("ix_resource_user_id", "user_id"),
        Index("ix_resource_calibration_due", "calibration_due"),
    )

    code: Mapped[Code]
    name: Mapped[Name]
    kind: Mapped[ResourceKind] = word(ResourceKind, "kind")
    work_centre_id: Mapped[Id | None] = mapped_column(ForeignKey("work_centre.id"))
    user_id: Mapped[Login | None] = mapped_column(ForeignKey("user_account.id"))
    serial: Mapped[Name | None]
    location: Mapped[Name] = mapped_column(default="")
    is_validated: Mapped[bool] = mapped_column(default=False)
    calibration_interval_days: Mapped[int | None]
    calibration_due: Mapped[Day | None]
    last_good_on: Mapped[Day | None]
    is_active: Mapped[bool] = mapped_column(default=True)
    out_of_service: Mapped[Text | None]

    work_centre: Mapped[WorkCentre | None] = relationship()
    user: Mapped[User | None] = relationship()
    qualifications: Mapped[list[Qualification]] = relationship(
        back_populates="person", order_by="Qualification.process_code"
    )

    @property
    def number(self) -> str:
        """The code."""
        return self.code

    def is_calibrated_on(self, day: dt.date) -> bool:
        """Whether it may be used on a day: it needs no calibration, or its calibration is not yet due."""
        if self.calibration_interval_days is None:
            return True
        return self.calibration_due is not None and day <= self.calibration_due

    def is_qualified(self, process_code: str, on: dt.date) -> bool:
        """Whether a person may perform a process on a day."""
        return any(each.process_code == process_code and each.holds_on(on) for each in self.qualifications)


class Qualification(Record, Base):
    """That a person may perform a process, until a day. expires_on: the last day; None where it does not expire."""

    __tablename__ = "qualification"
    __table_args__ = (
        UniqueConstraint("person_id", "process_code", "qualified_on"),
        CheckConstraint("expires_on IS NULL OR expires_on >= qualified_on", name="expires_after_it_begins"),
    )

    person_id: Mapped[Id] = mapped_column(ForeignKey("resource.id"))
    process_code: Mapped[Code]
    qualified_on: Mapped[Day]
    expires_on: Mapped[Day | None]
    evidence: Mapped[Name] = mapped_column(default="")

    person: Mapped[Resource] = relationship(back_populates="qualifications")

    @property
    def number(self) -> str:
        """Person and process."""
        return f"{self.person.code} {self.process_code}"

    def holds_on(self, day: dt.date) -> bool:
        """Whether it holds on a day."""
        return self.qualified_on <= day and (self.expires_on is None or day <= self.expires_on)


def resource_called(session: Session, code: str) -> Resource:
    """Return the resource with a code. Raises NotFound."""
    found = session.scalar(select(Resource).where(Resource.code == code))
    if found is None:
        raise NotFound(f"Expected a resource called {code!r:.60}, but there is none")
    return found


def work_centre_called(session: Session, code: str) -> WorkCentre:
    """Return the work centre with a code. Raises NotFound."""
    found = session.scalar(select(WorkCentre).where(WorkCentre.code == code))
    if found is None:
        raise NotFound(f"Expected a work centre called {code!r:.60}, but there is none")
    return found
