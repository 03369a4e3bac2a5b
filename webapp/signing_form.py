"""What a form that asks for a signature reads and shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import g, request
from sqlalchemy.orm import Session

from engine import closing
from engine.errors import Invalid, Refused
from engine.ports import SignatureRequest
from engine.stored.task import Task
from records import signing
from records.roles import meanings_of, role_code
from records.session import SignInSession
from records.sign_in import is_continuous
from records.signature import Meaning
from records.signing_policy import policy_in
from webapp import formats, reviews, typed
from webapp.typed import Unreadable
from webapp.visit import now, visitor


def read_signature(meaning: Meaning | None = None) -> SignatureRequest:
    """Return what was typed to sign.

    meaning: where the page says it in its words and asks for none. Raises: Invalid without a meaning.
    """
    chosen = meaning or request.form.get("meaning")
    if not chosen:
        raise Invalid("Expected a meaning, but none is chosen", {"meaning": "Choose what your signature means"})
    return SignatureRequest(
        meaning=chosen, password=request.form.get("password", ""),
        user_id=request.form.get("user_id", "").strip().lower(), session_id=g.session_id,
        accepts_responsibility=request.form.get("accepts_responsibility") == "true",
        method=method(), proof=request.form.get("proof", ""),
    )  # fmt: skip


def method() -> str:
    """Return how the visitor proves who signs: as they signed in."""
    return str(g.get("session_method") or "PASSWORD")


def is_asked() -> bool:
    """Whether the form that was sent asked for a signature."""
    return "password" in request.form or "signs_by" in request.form


def read_reason() -> str:
    """Return the typed reason. Raises: Invalid for one that is too long or cannot be stored."""
    try:
        return typed.words(request.form.get("reason", ""), longest=4000)
    except Unreadable as error:
        raise Invalid("Expected a reason that fits", {"reason": str(error)}) from error


@dataclass(frozen=True, slots=True)
class Signing:
    """What the signature dialog says and asks."""

    counts: str
    next_words: str
    meanings: Sequence[tuple[str, str]]
    needs_both: bool
    must_certify: bool
    statement: str = signing.STATEMENT


def signing_of(session: Session, review: reviews.Review, verdict: str, *, session_id: str) -> Signing | None:
    """Return what has to be said and asked before this verdict is signed, or None when it needs no signature."""
    if not review.task.signature:
        return None
    me = visitor().user_id
    return Signing(
        _counts(review), _next_words(review, verdict), meanings_for(session, review.task, verdict),
        needs_both=needs_both(session, session_id),
        must_certify=not signing.is_certified(session, me),
    )  # fmt: skip


def needs_both(session: Session, session_id: str) -> bool:
    """Tell whether the next signature needs user name and password: the first of a session, or after an idle pause."""
    opened = session.get(SignInSession, session_id)
    return opened is None or not is_continuous(opened, now(), policy_in(session))


def _counts(review: reviews.Review) -> str:
    if not review.dossier:
        return review.task.title
    lines = getattr(review.dossier.record, "lines", None)
    parts = [
        *([formats.plural(len(lines), "line")] if lines is not None else []),
        formats.plural(review.redline.count, "difference"),
        review.progress_words,
    ]
    return f"{', '.join(parts)}, version {review.dossier.record.version}"


def _next_words(review: reviews.Review, verdict: str) -> str:
    if not verdict.startswith("approve"):
        return ""
    later = [stage for stage in review.stages if not stage.tone]
    waiting = [
        seat for stage in review.stages if stage.tone == "now" for seat in stage.slots if seat.words == "Waiting"
    ]
    if len(waiting) > 1:
        return f"After you, {formats.plural(len(waiting) - 1, 'signature')} of this stage still to come."
    return f"This starts the next stage: {later[0].name}." if later else "This is the last signature of the plan."


def meanings_for(session: Session, task: Task, verdict: str) -> list[tuple[str, str]]:
    """Return the meanings that fit the verdict and that the visitor's role may give."""
    otherwise = (task.signature,) if closing.binds_meaning(task, verdict) else (task.signature, "REVIEWED")
    refusing = {
        "reject": ("REJECTED",),
        "return": ("REJECTED", "REVIEWED"),
        "split": ("REVIEWED",),
        "abstain": ("REVIEWED",),
    }
    wanted = refusing.get(verdict, otherwise)
    codes = [role_code(task.role)] if task.role else [role_code(f"role:{one}") for one in visitor().roles]
    allowed = {meaning for code in codes for meaning in meanings_of(session, code)}
    return [(word, formats.words(word)) for word in dict.fromkeys(wanted) if word and word in allowed]


def signing_values(session: Session, *meanings: Meaning | None) -> dict[str, Any]:
    """Return what the template ``signature_fields.html`` needs. meanings: of the open seats; None where there is none."""
    return {
        "meanings": [(meaning.value, formats.words(meaning)) for meaning in meanings if meaning is not None],
        "needs_both": needs_both(session, g.session_id),
        "must_certify": not signing.is_certified(session, visitor().user_id),
        "statement": signing.STATEMENT,
    }


def errors_of(refusal: Refused | None) -> dict[str, str]:
    """Return the sentences by field; a wrong password belongs to its field too."""
    if isinstance(refusal, Invalid):
        return dict(refusal.fields)
    if refusal is not None and refusal.code == "WRONG_PASSWORD":
        return {"password": "Expected your password, but this is another one"}
    if refusal is not None and refusal.code == "CERTIFICATION_MISSING":
        return {"accepts_responsibility": "Expected this to be ticked before the first signature"}
    return {}
