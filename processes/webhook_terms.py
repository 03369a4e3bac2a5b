"""How webhooks are delivered here, by the settings of the installation."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

DEFAULTS = {
    "webhook_http": "no",
    "webhook_timeout": "10",
    "webhook_back_off": "5 300 1800 7200 18000 36000 36000",
    "webhook_pause_after_days": "3",
    "webhook_log_days": "30",
}
"""Eight tries within 28 hours, as Standard Webhooks advises."""

YES, NO = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


@dataclass(frozen=True, slots=True)
class Terms:
    """What the settings say.

    takes_http: whether addresses without TLS, and of this machine, are taken. timeout: seconds that one try may take. back_off:
    before each further try. pause_after: how long nothing may arrive before a webhook is paused. log_for: how long deliveries are kept.
    """

    takes_http: bool
    timeout: float
    back_off: tuple[dt.timedelta, ...]
    pause_after: dt.timedelta
    log_for: dt.timedelta


def terms_of(settings: Mapping[str, Any]) -> Terms:
    """Return the terms. Raises: ValueError naming the setting that makes no sense."""
    return Terms(
        _truth(settings, "webhook_http"),
        _number(settings, "webhook_timeout", most=60),
        tuple(dt.timedelta(seconds=each) for each in _numbers(settings, "webhook_back_off", most=604_800)),
        dt.timedelta(days=_number(settings, "webhook_pause_after_days", most=365)),
        dt.timedelta(days=_number(settings, "webhook_log_days", most=3650)),
    )


def _said(settings: Mapping[str, Any], name: str) -> str:
    given = settings.get(name)
    return DEFAULTS[name] if given is None else str(given).strip()


def _truth(settings: Mapping[str, Any], name: str) -> bool:
    said = _said(settings, name).lower()
    if said not in (*YES, *NO):
        raise ValueError(f"Expected {name} to be true or false, but found {said!r:.40}")
    return said in YES


def _number(settings: Mapping[str, Any], name: str, *, most: int) -> float:
    found = _numbers(settings, name, most=most)
    if len(found) != 1:
        raise ValueError(f"Expected one number as {name}, but found {_said(settings, name)!r:.40}")
    return found[0]


def _numbers(settings: Mapping[str, Any], name: str, *, most: int) -> list[float]:
    said = _said(settings, name)
    try:
        found = [float(Decimal(one)) for one in said.replace(",", " ").split()]
    except InvalidOperation as error:
        raise ValueError(f"Expected {name} in numbers, but found {said!r:.40}") from error
    if not all(0 < one <= most for one in found):
        raise ValueError(f"Expected {name} above 0 and at most {most}, but found {said!r:.40}")
    return found
