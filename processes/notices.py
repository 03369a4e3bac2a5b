"""Tell people: a notice in the application, and a mail to those who have an address and wish it."""

from __future__ import annotations

from collections.abc import Iterable

from engine.act import Act
from engine.jobs import defer
from processes.local_times import in_zone, zone_of
from records.notice import notify
from records.person import MailWish, User


def tell(
    act: Act, people: Iterable[str], subject: str, *, key: str, body: str = "", record: tuple[str, str] | None = None
) -> None:
    """Tell some people something, once per key.

    people: user ids; those who left are passed over. key: what it is about. record: (type, id) it leads to.
    """
    for user_id in dict.fromkeys(people):
        user = act.session.get(User, user_id)
        if user is None or not user.is_active:
            continue
        notify(act, user_id, subject, key=key, body=body, record=record)
        mail_to(act, user_id, subject, text=body or subject)


def mail_to(act: Act, user_id: str, subject: str, *, text: str) -> None:
    """Mail a person who has an address and wishes mail; instants in it are of the person's zone."""
    user = act.session.get(User, user_id)
    if user is not None and user.email and user.mail_wish is MailWish.AT_ONCE:
        zone = zone_of(act.session, user)
        mail = {"to": [user.email], "subject": in_zone(subject, zone), "text": in_zone(text, zone)}
        defer(act, "mail", mail)


def tell_role(
    act: Act, role: str, subject: str, *, key: str, body: str = "", record: tuple[str, str] | None = None
) -> None:
    """Tell everybody who holds a role. role: a code such as ``PUR_LEAD``."""
    tell(act, holders(act, role), subject, key=key, body=body, record=record)


def holders(act: Act, role: str) -> list[str]:
    """Return who holds a role now, by user id."""
    directory = act.installation.directory
    found = directory.holders(act.session, f"role:{role}", at=act.now) if directory is not None else []
    return [person.id for person in found]
