"""What people, roles and numbers are called for the visitor of this request, in his customs."""

from __future__ import annotations

from decimal import Decimal

from flask import g, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from records.person import Role, User
from webapp import formats, sayings, visit


def customs() -> formats.Custom:
    """Return the visitor's customs; before sign-in those of the browser's language."""
    visitor: visit.Visitor | None = g.get("visitor")
    return visitor.how if visitor else formats.custom(request.accept_languages.best, None)


def plain_number(value: Decimal | None) -> str:
    """Write a number as one types it into a field, in the visitor's customs and without groups."""
    if value is None:
        return ""
    text = f"{Decimal(value):f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace(".", customs().point)


def person_name(user_id: str | None) -> str:
    """Return the printed name of a user id or of an acting principal; the system has names too."""
    if not user_id:
        return "nobody"
    kind, _, name = user_id.rpartition(":")
    if kind in ("system", "adapter"):
        return {"system": "Lockstep", "adapter": "Interface"}[kind] + f" ({name})"
    return _names(visit.reading()).get(name, name)


def principal_words(principal: str) -> str:
    """Return a principal in words: a person's name, or the role's name with its scope."""
    kind, _, name = principal.partition(":")
    if kind in ("user", "system", "adapter"):
        return person_name(principal)
    if kind != "role":
        return principal
    code, _, scope = name.partition("@")
    if scope.startswith("user:"):
        return f"whoever stands in for {person_name(scope.removeprefix('user:'))}"
    words = _roles(visit.reading()).get(code, formats.words(code))
    return f"{words} {scope}".strip()


def said(text: str | None) -> str:
    """Return a sentence of the house with its days, codes, roles and people as the visitor reads them."""
    if not text:
        return ""
    return sayings.said(text, customs(), principal_words, lambda code: _roles(visit.reading()).get(code))


def _names(session: Session) -> dict[str, str]:
    """Return every user's name; a plant has hundreds of people, read once a request and only when one is named."""
    if "names" not in g:
        g.names = dict(session.execute(select(User.id, User.name)).all())
    names: dict[str, str] = g.names
    return names


def _roles(session: Session) -> dict[str, str]:
    if "role_names" not in g:
        g.role_names = dict(session.execute(select(Role.code, Role.name)).all())
    names: dict[str, str] = g.role_names
    return names
