"""How the caller may sign, told with every refusal of a signature: by which method, whether this API takes it, and where else."""

from __future__ import annotations

from typing import Any

from flask import g, request, url_for
from marshmallow import fields
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.errors import Forbidden, Refused
from records.company import CompanyIdentity
from records.password import has_password
from records.signing import ByPassword
from webapp import company, visit
from webapp.api import problems
from webapp.api.shapes import Answer, maybe

REFUSED = frozenset(
    {"UNSIGNED", "NO_PASSWORD", "PROOF_NEEDED", "BOTH_COMPONENTS_NEEDED", "WRONG_PASSWORD", "PASSWORD_DUE", "LOCKED"}
)
"""Codes of refusals that say: not signed, or not proved."""


class SigningWay(Answer):
    """One method. here: whether this API takes it from the caller. what_to_do: in a sentence; page: where it is possible else."""

    method = fields.String()
    here = fields.Boolean()
    what_to_do = fields.String()
    page = maybe()


def ways(refusal: Refused) -> list[dict[str, Any]]:
    """Return the methods that the caller may sign by; nothing for a refusal that is not about a signature."""
    if refusal.code not in REFUSED or "visitor" not in g:
        return []
    session, user_id = visit.read_anew(), visit.visitor().user_id
    owns = may_use_password(session, user_id)
    page = _page()
    found = [
        {
            "method": ByPassword.code, "here": owns, "page": None if owns else url_for("account.profile"),
            "what_to_do": "Send signature: {meaning, password}, with your own password; a key has no session, so it is asked for each time."
            if owns
            else "You have no password here. An administrator can give you one, which you change in your profile before you sign.",
        }
    ]  # fmt: skip
    known = company.company()
    if known is not None:
        there = (
            f"Sign on the page: {known.name} asks you there who you are. A proof of it cannot be sent through the API."
        )
        found.append({"method": "COMPANY", "here": False, "page": page, "what_to_do": there})
    return found


def may_use_password(session: Session, user_id: str) -> bool:
    """Whether a password of somebody counts here: not without one, nor where everybody who has an account at the company signs in there."""
    known = company.company()
    linked = select(CompanyIdentity.user_id).where(
        CompanyIdentity.issuer == (known.issuer if known is not None else ""), CompanyIdentity.user_id == user_id
    )
    if known is not None and known.only and session.scalar(linked) is not None:
        return False
    return has_password(session, user_id)


def refuse_password_of_company() -> None:
    """Refuse a password of the caller where it does not count. Raises: Forbidden NO_PASSWORD."""
    me = visit.visitor().user_id
    if not may_use_password(visit.reading(), me):
        raise Forbidden(
            f"Expected a password of {me} to prove who signs, but none counts here: sign on the page of the document",
            code="NO_PASSWORD",
        )


def _page() -> str | None:
    task_id = (request.view_args or {}).get("task_id")
    return url_for("review.show", task_id=task_id) if task_id else None


problems.SIGNING.append(ways)
