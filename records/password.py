"""Passwords: Argon2 hashes, a few attempts, then a lock and an alert (21 CFR 11.300(d)); how many is the site's policy."""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Forbidden, Invalid
from engine.jobs import defer
from records.directory import StaffDirectory
from records.notice import notify
from records.person import Credential, User, UserStatus, move
from records.roles import user_called
from records.signing_policy import policy_in

HASHER = PasswordHasher()
LONGEST = 200
"""Characters of a password that are looked at, so that nobody keeps the house busy with a book."""


def set_password(
    act: Act, user: User, password: str, *, hasher: PasswordHasher = HASHER, must_change: bool = False
) -> Credential:
    """Give a user a password. Raises Invalid when it is too short, too long, or the login name."""
    shortest = policy_in(act.session).password_shortest
    if not shortest <= len(password) <= LONGEST or password.lower() == user.id:
        raise Invalid(
            f"Expected a password of {shortest} to {LONGEST} characters that is not the login name",
            {"password": f"needs {shortest} to {LONGEST} characters"},
        )
    credential = user.credential
    if credential is None:
        credential = user.credential = Credential(user_id=user.id, failed_attempts=0)
    credential.password_hash, credential.set_at = hasher.hash(password), act.now
    credential.must_change = must_change
    act.note("user_account", user.id, "PASSWORD_SET")
    return credential


def check_password(act: Act, user_id: str, password: str, *, record: tuple[str, str] | None = None) -> User:
    """Return the user whose password this is.

    record: what the attempt belongs to, where not to the user. Raises: Forbidden WRONG_PASSWORD (kept and counted, also
    though the act is rolled back) or LOCKED; for unknown names it says and takes the same.
    """
    user = act.session.get(User, user_id)
    credential = act.session.get(Credential, user_id, populate_existing=True) if user is not None else None
    if user is None or credential is None or not user.is_active or not user.can_sign_in:
        _matches(_nobodys_hash(), password)
        raise Forbidden("Expected a known login name and its password, but they do not match", code="WRONG_PASSWORD")
    about = record or ("user_account", user.id)
    if credential.locked_until is not None and act.now < credential.locked_until:
        raise Forbidden(
            f"Expected an open account, but {user.id} is locked after {credential.failed_attempts} wrong passwords; an administrator can"
            " unlock it",
            code="LOCKED", record=about, keep=True,
        )  # fmt: skip
    if not _matches(credential.password_hash, password[: LONGEST + 1]):
        act.rescues.append(lambda second: _count_failure(second, user_id))
        raise Forbidden(
            "Expected a known login name and its password, but they do not match",
            code="WRONG_PASSWORD", record=about, keep=True,
        )  # fmt: skip
    _forgive(act, user, credential)
    return user


def has_password(session: Session, user_id: str) -> bool:
    """Whether somebody has a password here; who signs in at the company alone has none."""
    return session.get(Credential, user_id) is not None


def is_due(act: Act, credential: Credential) -> bool:
    """Whether a password has to be changed by its owner: somebody else set it, or it is too old (21 CFR 11.300(b))."""
    lasts = policy_in(act.session).password_lasts
    return credential.must_change or (lasts is not None and act.now - credential.set_at > lasts)


def refuse_unless_own(act: Act, user: User) -> None:
    """Refuse a password that somebody else knows, or that is too old, as proof of who signs.

    Whoever sets a password for another person can sign in with it, but never sign. Raises: Forbidden PASSWORD_DUE, kept.
    """
    if user.credential is None or not is_due(act, user.credential):
        return
    why = "somebody else set it" if user.credential.must_change else "it is too old"
    raise Forbidden(
        f"Expected a password that only {user.name} knows, but {why}; change it in your profile, then sign",
        code="PASSWORD_DUE", record=("user_account", user.id), keep=True,
    )  # fmt: skip


def change_password(act: Act, present: str, new: str, *, hasher: PasswordHasher = HASHER) -> Credential:
    """Let the acting person choose a new password. Raises: Forbidden as ``check_password``; Invalid for a poor or the same one."""
    if act.user_id is None:
        raise Forbidden("Expected a person to change their password, but the system acts", code="NOT_AUTHORISED")
    user = check_password(act, act.user_id, present)
    if new == present:
        raise Invalid("Expected another password, but it is the present one", {"password": "is the present one"})
    return set_password(act, user, new, hasher=hasher)


def unlock(act: Act, user_id: str) -> User:
    """Open a locked account again."""
    user = user_called(act.session, user_id)
    credential = act.session.get(Credential, user_id)
    if credential is not None:
        _forgive(act, user, credential)
    return user


def _forgive(act: Act, user: User, credential: Credential) -> None:
    if credential.failed_attempts or credential.locked_until:
        credential.failed_attempts, credential.locked_until = 0, None
    if user.status is UserStatus.LOCKED:
        move(act, user, UserStatus.ACTIVE, reason="the lock is over")


def _count_failure(act: Act, user_id: str) -> None:
    """Count a wrong password in an act of its own; the last one that the policy allows locks the account and alerts."""
    wanted = select(Credential).where(Credential.user_id == user_id).with_for_update()
    credential = act.session.scalars(wanted.execution_options(populate_existing=True)).one()
    if credential.locked_until is not None and act.now >= credential.locked_until:
        credential.failed_attempts, credential.locked_until = 0, None
    credential.failed_attempts += 1
    policy = policy_in(act.session)
    if credential.failed_attempts < policy.attempts:
        return
    user = user_called(act.session, user_id)
    credential.locked_until = act.now + policy.locked_for
    if user.status is UserStatus.ACTIVE:
        move(act, user, UserStatus.LOCKED, reason=f"{credential.failed_attempts} wrong passwords")
    alert(act, user, f"{user.name} ({user.id}) is locked after {credential.failed_attempts} wrong passwords")


def alert(act: Act, user: User, sentence: str) -> None:
    """Tell every administrator at once, by notice and mail, that an account may be under attack, and keep it in the user's chain."""
    act.note("user_account", user.id, "SECURITY_ALERT", new=sentence)
    for administrator in StaffDirectory().holders(act.session, "role:ADMIN", at=act.now):
        notify(
            act, administrator.id, sentence, key=f"security:{user.id}:{act.now.isoformat()}",
            record=("user_account", user.id),
        )  # fmt: skip
        if administrator.email:
            # Nobody chooses to hear of this later: whatever mail a person wishes otherwise, an alert goes out at once.
            defer(act, "mail", {"to": [administrator.email], "subject": sentence, "text": sentence})


def _matches(password_hash: str, password: str) -> bool:
    try:
        return HASHER.verify(password_hash, password)
    except VerificationError:
        return False


@cache
def _nobodys_hash() -> str:
    """Return a hash that an unknown name is compared with, so that an answer takes as long as for a known one."""
    return HASHER.hash("nobody signs in with this")
