"""The signing policy of a site, as the table ``signing_policy.dmn`` says it."""

from __future__ import annotations

import datetime as dt

from records.signing_policy import SigningPolicy
from rules.policy import PolicyProblem, table_called


def signing_policy_of(site: str) -> SigningPolicy:
    """Return what holds at a site. Raises: PolicyProblem when the table says something that locks nobody or everybody out."""
    said = table_called("signing_policy").judge(site=site).row.outputs
    policy = SigningPolicy(
        signing_idle=dt.timedelta(minutes=float(said["signing_idle_minutes"])),
        session_idle=dt.timedelta(minutes=float(said["session_idle_minutes"])),
        session_longest=dt.timedelta(hours=float(said["session_hours"])),
        attempts=int(said["attempts"]),
        locked_for=dt.timedelta(minutes=float(said["locked_minutes"])),
        password_lasts=dt.timedelta(days=float(said["password_days"])) if said["password_days"] else None,
        password_shortest=int(said["password_shortest"]),
        clock_skew=dt.timedelta(seconds=float(said["clock_seconds"])),
    )
    times = (policy.signing_idle, policy.session_idle, policy.session_longest, policy.locked_for, policy.password_lasts)
    is_none = policy.attempts < 1 or policy.password_shortest < 1 or policy.clock_skew < dt.timedelta(0)
    if is_none or any(time is not None and time <= dt.timedelta(0) for time in times):
        raise PolicyProblem(f"Expected signing_policy to give {site} limits above 0, but found {policy}")
    return policy
