"""Signing in and out, and recognising who is signed in."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Forbidden
from records.footing import footing_of
from records.password import alert, check_password
from records.person import User
from records.session import SignInSession
from records.signing_policy import SigningPolicy, policy_in

GLANCE = dt.timedelta(minutes=1)
"""Within which a sign of life is not written down again."""


def sign_in(act: Act, user_id: str, password: str, *, device: str, address: str = "") -> tuple[str, SignInSession]:
    """Open a session and return (token for the cookie, session).

    device: what the browser says about itself; the session works on no other. Raises: Forbidden as ``check_password``.
    """
    user = check_password(act, user_id.strip().lower(), password)
    return open_session(act, user, device=device, address=address, method="PASSWORD")


def open_session(act: Act, user: User, *, device: str, address: str = "", method: str) -> tuple[str, SignInSession]:
    """Open a session for somebody who has proved who they are. method: how."""
    token = secrets.token_urlsafe(32)
    opened = SignInSession(
        id=digest(token), user_id=user.id, device=digest(device), address=address[:200], browser=browser_words(device),
        method=method, started_at=act.now, last_seen_at=act.now,
    )  # fmt: skip
    act.session.add(opened)
    act.note("user_account", user.id, "SIGNED_IN", new=address or None)
    return token, opened


BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "Mac"),
    ("Linux", "Linux"),
)


def browser_words(device: str) -> str:
    """Return a browser as its owner would call it: ``Firefox on Windows``; what is unknown as it names itself."""
    browser = next((words for mark, words in BROWSERS if mark in device), "")
    system = next((words for mark, words in SYSTEMS if mark in device), "")
    return f"{browser} on {system}" if browser and system else device[:60]


def open_sessions(session: Session, user_id: str, *, now: dt.datetime) -> list[SignInSession]:
    """Return where a user is signed in, the latest sign of life first."""
    wanted = select(SignInSession).where(SignInSession.user_id == user_id, SignInSession.ended_at.is_(None))
    policy = policy_in(session)
    found = session.scalars(wanted.order_by(SignInSession.last_seen_at.desc(), SignInSession.id))
    return [opened for opened in found if is_alive(opened, now, policy)]


def session_of(session: Session, token: str, *, device: str, now: dt.datetime) -> SignInSession | None:
    """Return the session of a cookie, or None when it is unknown, over, idle too long or from another device."""
    found = session.get(SignInSession, digest(token))
    if found is None or found.device != digest(device):
        return None
    owner = footing_of(session, found.user_id)
    if owner is None or not owner.person.is_active:
        return None
    return found if is_alive(found, now, policy_in(session)) else None


def is_alive(opened: SignInSession, now: dt.datetime, policy: SigningPolicy) -> bool:
    """Whether a session still counts at an instant. An instant before its last sign of life is none that continues it."""
    if opened.ended_at is not None or now - opened.started_at > policy.session_longest:
        return False
    return -policy.clock_skew <= now - opened.last_seen_at <= policy.session_idle


def is_continuous(opened: SignInSession, now: dt.datetime, policy: SigningPolicy) -> bool:
    """Whether something was signed in this session and no idle quarter of an hour, or what the policy says, lies since.

    A clock that was set back does not make the pause shorter: then both components are asked again.
    Source: 21 CFR 11.200(a)(1)(i).
    """
    if opened.last_signed_at is None:
        return False
    return -policy.clock_skew <= now - max(opened.last_signed_at, opened.last_seen_at) <= policy.signing_idle


def is_due_to_touch(opened: SignInSession, now: dt.datetime) -> bool:
    """Whether a request should note that the person is still there; within a minute it need not."""
    return now - opened.last_seen_at >= GLANCE


def touch(act: Act, session_id: str) -> SignInSession | None:
    """Note that the person is there. After an idle pause the next signature needs both components again."""
    opened, policy = act.session.get(SignInSession, session_id), policy_in(act.session)
    if opened is None or not is_alive(opened, act.now, policy):
        return None
    if not is_continuous(opened, act.now, policy):
        opened.last_signed_at = None
    opened.last_seen_at = max(opened.last_seen_at, act.now)
    return opened


def refuse_other_device(act: Act, token: str, *, device: str) -> None:
    """End a session whose cookie turns up on a second device, and alert.

    Nothing happens when the device is the right one.
    """
    found = act.session.get(SignInSession, digest(token))
    if found is None or found.ended_at is not None or found.device == digest(device):
        return
    end(act, found, why="its cookie was used on another device")
    alert(
        act, found.user, f"The session of {found.user.name} ({found.user_id}) was used on a second device and is closed"
    )


def sign_out(act: Act, session_id: str) -> None:
    """End the acting person's session. Raises Forbidden for somebody else's."""
    opened = act.session.get(SignInSession, session_id)
    if opened is None:
        return
    if opened.user_id != act.user_id:
        raise Forbidden("Expected a session of yours, but it is somebody else's")
    end(act, opened, why="signed out")


def end(act: Act, opened: SignInSession, *, why: str) -> None:
    """End a session."""
    if opened.ended_at is None:
        opened.ended_at, opened.ended_why = act.now, why
        act.note("user_account", opened.user_id, "SIGNED_OUT", new=why)


def end_all(act: Act, user_id: str, *, why: str, but: str | None = None) -> int:
    """End every session of a user (a changed password, a disabled account) and return how many there were.

    but: the session that stays.
    """
    wanted = select(SignInSession).where(SignInSession.user_id == user_id, SignInSession.ended_at.is_(None))
    if but is not None:
        wanted = wanted.where(SignInSession.id != but)
    sessions = list(act.session.scalars(wanted))
    for opened in sessions:
        end(act, opened, why=why)
    return len(sessions)


def digest(text: str) -> str:
    """Return the SHA-256 of a text; tokens and device names are kept as digests only."""
    return hashlib.sha256(text.encode()).hexdigest()
