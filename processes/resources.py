"""Keep what does the work: rates from a day on, machines and gauges with their calibration, people with qualifications.

Who may: finance sets rates; metrology and maintenance keep machines and gauges; quality qualifies people. Each edit is in the
history of its record.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Conflict, Forbidden, Invalid
from records.part import OutsideProcess, process_words
from records.person import User
from records.resource import Qualification, Resource, ResourceKind, WorkCentre, WorkCentreRate
from records.roles import holds
from records.routing import RoutingOperation
from records.work_order import WorkOrderOperation

RATES = ("FIN_CTRL",)
MACHINES = ("METROLOGY", "MAINT_PLANNER", "MAINT_MGR", "QA_ENG")
PEOPLE = ("QA_SP", "QA_ENG")
FIELDS = (
    "name", "work_centre_id", "user_id", "serial", "location", "is_validated", "calibration_interval_days", "calibration_due",
    "last_good_on", "is_active", "out_of_service",
)  # fmt: skip


def keepers_of(kind: ResourceKind) -> tuple[str, ...]:
    """Return the roles that keep resources of a kind."""
    return PEOPLE if kind is ResourceKind.PERSON else MACHINES


def set_rate(
    act: Act, centre: WorkCentre, *, valid_from: dt.date, labour_rate: Decimal, machine_rate: Decimal
) -> WorkCentreRate:
    """Set what an hour of a work centre costs from a day on. Rates: per hour, in the centre's currency.

    Raises: Forbidden; Invalid for a rate below 0, or a day that has begun: hours of it may be booked; Conflict for a second rate of a
    day, which is written once.
    """
    _need(act, RATES, "set rates")
    today = centre.site.local_day(act.now)
    errors = {
        name: f"Expected 0 or more, but found {rate:f}"
        for name, rate in (("labour_rate", labour_rate), ("machine_rate", machine_rate))
        if rate < 0
    }
    if valid_from <= today:
        errors["valid_from"] = f"Expected a day after {today}, but found {valid_from}: its hours have their cost"
    if errors:
        raise Invalid(f"Expected rates of {centre.code} that can hold, but {', '.join(errors)} do not fit", errors)
    if any(rate.valid_from == valid_from for rate in centre.rates):
        raise Conflict(
            f"Expected no rate of {centre.code} from {valid_from} on yet, but there is one. Choose another day.",
            code="DUPLICATE", record=(centre.record_type, centre.id),
        )  # fmt: skip
    rate = WorkCentreRate(
        work_centre=centre, work_centre_id=centre.id, valid_from=valid_from, labour_rate=labour_rate, machine_rate=machine_rate
    )  # fmt: skip
    act.session.add(rate)
    act.session.flush()
    act.session.refresh(centre, ["rates"])
    return rate


def add(act: Act, kind: ResourceKind, code: str, **values: Any) -> Resource:
    """Make a machine, a gauge or a person known under the code of the shop floor.

    Raises: Forbidden; Invalid naming each field; Conflict DUPLICATE for a code that is taken.
    """
    _need(act, keepers_of(kind), "keep resources of this kind")
    code = code.strip()
    if not code or len(code) > 40:
        raise Invalid("Expected a code of 1 to 40 characters", {"code": "Expected 1 to 40 characters"})
    if act.session.scalar(select(Resource.id).where(Resource.code == code)) is not None:
        raise Conflict(f"Expected a new code, but {code} is taken", code="DUPLICATE")
    made = Resource(code=code, kind=kind, name="", location="", is_validated=False, is_active=True)
    with act.session.no_autoflush:
        _write(act, made, values)
    act.session.add(made)
    act.session.flush()
    return made


def keep(act: Act, resource: Resource, **values: Any) -> Resource:
    """Change what is known of a resource; fields that are left out stay. Raises: Forbidden; Invalid naming each field."""
    _need(act, keepers_of(resource.kind), "keep resources of this kind")
    with act.session.no_autoflush:
        _write(act, resource, values)
    act.session.flush()
    return resource


def _write(act: Act, resource: Resource, values: dict[str, Any]) -> None:
    after = {name: getattr(resource, name) for name in FIELDS} | values
    errors: dict[str, str] = dict.fromkeys(sorted(values.keys() - set(FIELDS)), "is unknown")
    if not str(after["name"] or "").strip():
        errors["name"] = "Expected a name, but it is empty"
    interval = after["calibration_interval_days"]
    if resource.kind is ResourceKind.GAUGE and interval is None:
        errors["calibration_interval_days"] = "Expected the days between calibrations of a gauge, but there are none"
    if interval is not None and not 0 < interval <= 36_500:
        errors["calibration_interval_days"] = f"Expected 1 to 36,500 days, but found {interval}"
    if resource.kind is ResourceKind.PERSON and interval is not None:
        errors["calibration_interval_days"] = "Expected none for a person"
    if after["user_id"] and (
        resource.kind is not ResourceKind.PERSON or act.session.get(User, after["user_id"]) is None
    ):
        errors["user_id"] = "Expected the user name of a person who has an account here"
    if not after["is_active"] and not str(after["out_of_service"] or "").strip():
        errors["out_of_service"] = "Expected why it is out of service"
    if errors:
        raise Invalid(f"Expected values that {resource.code} can take, but {', '.join(errors)} do not fit", errors)
    for name, value in values.items():
        setattr(resource, name, value)
    if resource.is_active:
        resource.out_of_service = None


def processes_of(session: Session) -> list[str]:
    """Return the codes of every process that a supplier or an operation performs, in order."""
    columns = (OutsideProcess.code, RoutingOperation.process_code, WorkOrderOperation.process_code)
    return sorted({code for column in columns for code in session.scalars(select(column).distinct()) if code})


def qualify(
    act: Act,
    person: Resource,
    process_code: str,
    *,
    qualified_on: dt.date,
    expires_on: dt.date | None = None,
    evidence: str = "",
) -> Qualification:
    """Say that a person may perform a process. expires_on: the last day; None where it does not expire.

    Raises: Forbidden to who is not quality, and to the person themselves; Invalid; Conflict DUPLICATE for the same process and day.
    """
    _need(act, PEOPLE, "qualify people")
    errors: dict[str, str] = {}
    if person.kind is not ResourceKind.PERSON:
        errors["person"] = f"Expected a person, but {person.code} is {person.kind.value.lower()}"
    if process_code not in processes_of(act.session):
        errors["process_code"] = "Expected a process that some routing or supplier performs"
    if expires_on is not None and expires_on < qualified_on:
        errors["expires_on"] = f"Expected a day from {qualified_on} on, but found {expires_on}"
    if errors:
        raise Invalid(
            f"Expected a qualification of {person.code} that can be, but {', '.join(errors)} do not fit", errors
        )
    if act.user_id is not None and person.user_id == act.user_id:
        raise Forbidden(
            f"Expected somebody else to qualify {person.name}, but nobody qualifies themselves.", code="SOD-10"
        )
    if any(each.process_code == process_code and each.qualified_on == qualified_on for each in person.qualifications):
        raise Conflict(
            f"Expected one qualification of {person.code} for {process_words(process_code)} from {qualified_on} on, but there is one",
            code="DUPLICATE",
        )
    made = Qualification(
        person=person, person_id=person.id, process_code=process_code, qualified_on=qualified_on, expires_on=expires_on,
        evidence=evidence.strip()[:200],
    )  # fmt: skip
    act.session.add(made)
    act.session.flush()
    return made


def end_qualification(act: Act, qualification: Qualification, on: dt.date) -> Qualification:
    """Let a qualification end on a day: its last. Raises: Forbidden; Invalid for a day before it begins."""
    _need(act, PEOPLE, "qualify people")
    if on < qualification.qualified_on:
        raise Invalid(
            f"Expected a day from {qualification.qualified_on} on, but found {on}",
            {"expires_on": "is before it begins"},
        )
    qualification.expires_on = on
    act.session.flush()
    return qualification


def _need(act: Act, roles: tuple[str, ...], what: str) -> None:
    if act.user_id is None and act.actor.startswith("system:"):
        return
    if act.user_id is None or not any(holds(act.session, act.user_id, role, at=act.now) for role in roles):
        raise Forbidden(f"Expected {' or '.join(roles)} to {what}, but {act.actor} holds none of these roles.")
