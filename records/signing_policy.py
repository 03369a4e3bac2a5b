"""How long a sign-in and a signing session last and what guessing costs: a site's policy, given by whoever wires the house."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy.orm import Session

WIRED_AS = "signing_policy"
"""Where the installation keeps it among its extras."""


@dataclass(frozen=True, slots=True)
class SigningPolicy:
    """What holds at one site.

    signing_idle: after so long without a sign of life a signature needs user name and password again (21 CFR 11.200(a)(1)(ii)).
    session_idle, session_longest: when one has to sign in again. attempts: wrong passwords in a row that lock the account (21 CFR
    11.300(d)); locked_for: how long no password is accepted then; an administrator may unlock sooner. password_lasts: how long a
    password signs until its owner changes it (21 CFR 11.300(b)), None for ever; password_shortest: its characters at least. clock_skew:
    how far the clocks of two nodes may be apart; a clock that is set back further proves no continuity.
    """

    signing_idle: dt.timedelta
    session_idle: dt.timedelta
    session_longest: dt.timedelta
    attempts: int
    locked_for: dt.timedelta
    password_lasts: dt.timedelta | None
    password_shortest: int
    clock_skew: dt.timedelta

    @property
    def idle_minutes(self) -> int:
        """The idle minutes of a signing session, as a person reads them."""
        return int(self.signing_idle.total_seconds() // 60)


def policy_in(session: Session) -> SigningPolicy:
    """Return the policy of the installation that a session reads or writes.

    Raises: RuntimeError where none is wired: nobody signs under limits that nobody set.
    """
    policy: SigningPolicy | None = session.info["installation"].extras.get(WIRED_AS)
    if policy is None:
        raise RuntimeError("Expected a signing policy to be wired before anybody signs in, but there is none")
    return policy
