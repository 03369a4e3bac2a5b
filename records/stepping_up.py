"""Signing by a sign-in at the company: asked for anew each time, bound to the very content that is signed, good once.

The nonce of the sign-in is made of a secret row and of the records and hashes that were shown, so that what the provider signs
says which content it was asked for (21 CFR 11.70); ``prompt=login`` and ``max_age=0`` keep an open session there from answering.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from collections.abc import Sequence

from sqlalchemy import select

from engine.act import Act
from engine.canonical import canonical_json
from engine.errors import Forbidden, NotFound
from engine.ports import SignatureRequest
from records.company import CompanyIdentity, StepUp
from records.company_sign_in import METHOD
from records.sign_in import digest
from records.signing_policy import policy_in

LASTS = dt.timedelta(minutes=10)
"""How long a proof waits for its signature, and a signature for its proof."""

Subject = tuple[str, str, str]
"""Record type, record id and content hash."""


class ProofNeeded(Forbidden):
    """The signer has to sign in at the company first. subjects: what for."""

    code = "PROOF_NEEDED"

    def __init__(self, subjects: Sequence[Subject]) -> None:
        super().__init__(
            "Expected a fresh sign-in at the company for this signature, but there is none; sign on the page of the document"
        )
        self.subjects = tuple(subjects)


class ByCompany:
    """Implements ``engine.ports.SigningMethod``: a sign-in at the company, asked for at each signature."""

    code = METHOD
    has_all_components = True

    def prove(
        self, act: Act, user_id: str, request: SignatureRequest, *, record: tuple[str, str], content_hash: str
    ) -> None:
        """Use the proof that was made for this content.

        Raises: ProofNeeded without one; Forbidden PROOF_STALE, kept, for one of another content, person or session, for one that
        is too old and for one that was used.
        """
        subject = (*record, content_hash)
        if not request.proof:
            raise ProofNeeded([subject])
        found = act.session.scalar(select(StepUp).where(StepUp.proof == digest(request.proof)).with_for_update())
        wrong = _why_not(act, found, user_id, request, subject)
        if found is None or wrong:
            raise Forbidden(
                f"Expected a sign-in at the company for this very content, but {wrong}; sign again",
                code="PROOF_STALE", record=record, keep=True,
            )  # fmt: skip
        found.used = [*found.used, list(subject)]


def begin(
    act: Act, session_id: str, subjects: Sequence[Subject], *, path: str, form: Sequence[tuple[str, str]]
) -> StepUp:
    """Keep what is to be signed and what was typed while its signer goes to sign in at the company."""
    asked = StepUp(
        user_id=act.user_id or "", session_id=session_id, subjects=[list(one) for one in subjects], path=path,
        form=[list(pair) for pair in form], created_at=act.now, proven_at=None, proof=None, used=[],
    )  # fmt: skip
    act.session.add(asked)
    act.session.flush()
    return asked


def find(act: Act, step_up_id: str) -> StepUp:
    """Return a step-up of the acting person. Raises: NotFound, also for one that waited too long."""
    found = act.session.get(StepUp, step_up_id)
    if found is None or found.user_id != act.user_id or act.now - found.created_at > LASTS:
        raise NotFound(
            "Expected a signature that waits for your sign-in at the company, but it waits no longer; sign again"
        )
    return found


def nonce_of(asked: StepUp, *, secret: str) -> str:
    """Return what the provider is to sign: a digest of the row and of every content that it stands for.

    secret: of this installation, so that nobody else can make it.
    """
    return hashlib.sha256(canonical_json([asked.id, secret, asked.subjects])).hexdigest()


def prove(act: Act, asked: StepUp, *, issuer: str, subject: str, authenticated_at: dt.datetime | None) -> str:
    """Note that its signer has signed in at the company for it, and return the code that the signature carries.

    authenticated_at: when the provider says that it checked. Raises: Forbidden PROOF_FAILED, kept, for another person, for a
    sign-in that is older than the question, and for a second answer to it.
    """
    identity = act.session.scalar(
        select(CompanyIdentity).where(CompanyIdentity.issuer == issuer, CompanyIdentity.subject == subject)
    )
    why = ""
    if identity is None or identity.user_id != asked.user_id:
        why = f"it was {identity.user_id if identity is not None else 'somebody unknown here'}"
    elif authenticated_at is None or authenticated_at < asked.created_at - policy_in(act.session).clock_skew:
        why = "the company did not ask anew"
    elif asked.proven_at is not None:
        why = "it was answered before"
    if why:
        first = asked.subjects[0]
        raise Forbidden(
            f"Expected {asked.user_id} to sign in at the company for this signature, but {why}; sign again",
            code="PROOF_FAILED", record=(first[0], first[1]), keep=True,
        )  # fmt: skip
    code = secrets.token_urlsafe(32)
    asked.proven_at, asked.proof = act.now, digest(code)
    return code


def _why_not(act: Act, found: StepUp | None, user_id: str, request: SignatureRequest, subject: Subject) -> str:
    if found is None or found.user_id != user_id or found.session_id != request.session_id:
        return "this proof belongs to another signature"
    if found.proven_at is None or act.now - found.proven_at > LASTS:
        return f"it is more than {int(LASTS.total_seconds() // 60)} minutes old"
    if list(subject) not in found.subjects:
        return "the content is another one now"
    if list(subject) in found.used:
        return "it was used"
    return ""
