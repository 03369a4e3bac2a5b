"""How often something may be asked: failed sign-ins and public forms by address, the API by key. Counted on each node by itself."""

from __future__ import annotations

import math
import time
from functools import lru_cache

from flask import Flask, current_app, request
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from engine.errors import Refused
from webapp import visit

DEFAULTS = {
    "sign_in_rate": "20 per 5 minutes",
    "api_rate": "1200 per minute",
    "public_rate": "60 per minute",
}
"""Wrong passwords from one address, requests under one key, requests to forms that need no account from one address."""


class TooMany(Refused):
    """It was asked too often. seconds: after which it may be asked again."""

    status = 429
    code = "TOO_MANY_REQUESTS"

    def __init__(self, message: str, seconds: int) -> None:
        super().__init__(message)
        self.seconds = seconds


def install(app: Flask) -> None:
    """Begin to count. Raises: ValueError for a setting that is no rate."""
    app.extensions["rates"] = MovingWindowRateLimiter(MemoryStorage())
    for name, usual in DEFAULTS.items():
        _limit(app.extensions["lockstep"].settings.get(name, usual), name)


def refuse_too_many(name: str, key: str, what: str) -> None:
    """Count one and refuse it when it is one too many. Raises: TooMany.

    name: of the setting. key: whom it is counted for. what: it is, in the plural.
    """
    limit = _known(name)
    if limit is not None and not _limiter().hit(limit, name, key):
        raise _refusal(limit, name, key, what)


def refuse_after(name: str, key: str, what: str) -> None:
    """Refuse when there were too many already, without counting this one. Raises: TooMany."""
    limit = _known(name)
    if limit is not None and not _limiter().test(limit, name, key):
        raise _refusal(limit, name, key, what)


def count(name: str, key: str) -> None:
    """Count one."""
    limit = _known(name)
    if limit is not None:
        _limiter().hit(limit, name, key)


def address() -> str:
    """Return from where the request comes."""
    return request.remote_addr or "unknown"


def _refusal(limit: RateLimitItem, name: str, key: str, what: str) -> TooMany:
    seconds = max(1, math.ceil(_limiter().get_window_stats(limit, name, key).reset_time - time.time()))
    return TooMany(
        f"Expected at most {limit.amount} {what} in {limit.get_expiry()} s, but there were more; try again in {seconds} s",
        seconds,
    )


def _known(name: str) -> RateLimitItem | None:
    return _limit(visit.installation().settings.get(name, DEFAULTS[name]), name)


@lru_cache(maxsize=30)
def _limit(said: object, name: str) -> RateLimitItem | None:
    text = str(said or "").strip()
    if text in ("", "0", "off"):
        return None
    try:
        return parse(text)
    except ValueError as error:
        raise ValueError(f"Expected {name} as “600 per minute”, or off, but found {text!r:.40}") from error


def _limiter() -> MovingWindowRateLimiter:
    limiter: MovingWindowRateLimiter = current_app.extensions["rates"]
    return limiter
