"""Signing: proof of who signs, a meaning that the signer's role may give, and a row bound to what was shown."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.errors import Forbidden, Invalid
from engine.ports import SignatureRequest, SigningMethod
from engine.record import Edit, Operation, Record
from records.calendar import MAIN, site_called
from records.password import check_password, has_password, refuse_unless_own
from records.person import Certification, User, UserStatus
from records.roles import grants_of, meanings_of, role_code, user_called
from records.session import SignInSession
from records.sign_in import is_alive, is_continuous
from records.signature import Meaning, Signature, SignatureStatus
from records.signing_policy import policy_in

if TYPE_CHECKING:
    from engine.decisions import Decision

STATEMENT = (
    "I confirm that my electronic signature in this system is the legally binding equivalent"
    " of my handwritten signature."
)
"""What a user certifies once, before the first signature (21 CFR 11.100(c))."""


SIGNED_HASHES = {
    "purchase_order": "approved_hash", "requisition": "approved_hash", "work_order": "approved_hash",
    "purchase_order_amendment": "content_hash", "change_order": "content_hash", "change_order_addendum": "content_hash",
    "waiver": "approved_hash", "mode_switch": "approved_hash", "work_order_change": "content_hash",
    "outside_loss": "approved_hash", "board_meeting": "minutes_hash",
}  # fmt: skip
"""Kind of document to its column that says which content its signatures are on."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is signed: a record, the hash of the content that was shown, the role and the person it is signed for."""

    record_type: str
    record_id: str
    content_hash: str
    revision: int | None = None
    principal: str | None = None
    on_behalf_of: str | None = None
    reason: str = ""
    decision_id: str | None = None


class ByPassword:
    """Implements ``engine.ports.SigningMethod``: the password, typed again at each signature."""

    code = "PASSWORD"
    has_all_components = False

    def prove(
        self, act: Act, user_id: str, request: SignatureRequest, *, record: tuple[str, str], content_hash: str
    ) -> None:
        """Check the password. Raises: Forbidden NO_PASSWORD, WRONG_PASSWORD, LOCKED or PASSWORD_DUE."""
        if not has_password(act.session, user_id):
            # Told apart from a wrong one only here, where the person is known already: at the door both sound the same.
            raise Forbidden(
                f"Expected a password of {user_id} to prove who signs, but there is none here: whoever signs in at the company proves it"
                " there, on the page of the document",
                code="NO_PASSWORD", record=record, keep=True,
            )  # fmt: skip
        # Another name than the signer's is a failed attempt on the signer's own account, not on the one that was typed.
        typed = request.password if request.user_id in ("", user_id) else ""
        refuse_unless_own(act, check_password(act, user_id, typed, record=record))


class PasswordSigner:
    """Implements ``engine.ports.Signer``: with login name and password, and with whatever other methods are wired."""

    def __init__(self, site: str = MAIN, *, methods: Sequence[SigningMethod] = (ByPassword(),)) -> None:
        self.site = site
        self.methods = {method.code: method for method in methods}

    def sign(self, act: Act, decision: Decision, request: SignatureRequest) -> None:
        """Check the second component and write the signature of a decision.

        Raises: Forbidden WRONG_PASSWORD, LOCKED, PASSWORD_DUE, BOTH_COMPONENTS_NEEDED, MEANING_NOT_YOURS, CERTIFICATION_MISSING or
        NOT_YOUR_SESSION; Invalid when the decision is about no record or the meaning is unknown.
        """
        if decision.record_type is None or decision.record_id is None or decision.record_hash is None:
            raise Invalid("Expected a decision about a document, but it names none; there is nothing to sign")
        if decision.actor_id != act.user_id:
            raise Forbidden("Expected the deciding person to sign, but it is somebody else", code="NOT_AUTHORISED")
        subject = Subject(
            decision.record_type, decision.record_id, decision.record_hash, principal=decision.role,
            on_behalf_of=decision.on_behalf_of_id, reason=decision.reason, decision_id=decision.id,
        )  # fmt: skip
        self.sign_subject(act, subject, request)

    def sign_record(
        self,
        act: Act,
        record: Record,
        request: SignatureRequest,
        *,
        content_hash: str,
        principal: str,
        reason: str = "",
    ) -> Signature:
        """Sign a document outside of a task (a supplier approval). principal: the role it is signed under."""
        subject = Subject(record.record_type, record.id, content_hash, principal=principal, reason=reason)
        return self.sign_subject(act, subject, request)

    def sign_subject(self, act: Act, subject: Subject, request: SignatureRequest) -> Signature:
        """Prove who signs and write the row. Raises as ``sign``."""
        about = (subject.record_type, subject.record_id)
        if act.user_id is None:
            raise Forbidden("Expected a person to sign, but the system acts", code="NOT_AUTHORISED", record=about)
        method = self._method(request)
        session, policy = _session(act, request), policy_in(act.session)
        needs_both = session is None or not is_continuous(session, act.now, policy)
        if needs_both and not (request.user_id or method.has_all_components):
            raise Forbidden(
                "Expected login name and password for the first signature of a session or after"
                f" {policy.idle_minutes} idle minutes, but found only a password",
                code="BOTH_COMPONENTS_NEEDED",
            )
        method.prove(act, act.user_id, request, record=about, content_hash=subject.content_hash)
        signer = _able(act, about)
        meaning = self._meaning(act, signer, subject, request)
        _certify(act, signer, accepts=request.accepts_responsibility)
        if session is not None:
            session.last_signed_at = act.now
        had_both = bool(request.user_id) or method.has_all_components
        return self._write(act, subject, signer, meaning, session=session, had_both=had_both, method=method.code)

    def end_voided(self, act: Act, decision: Decision) -> None:
        """Supersede the signature of a decision that was voided, if it was signed and still holds."""
        signature = signature_of(act.session, decision.id)
        if signature is not None and signature.status is SignatureStatus.VALID:
            signature.status, signature.superseded_at = SignatureStatus.SUPERSEDED, act.now
            act.note(
                signature.record_type, signature.record_id, "SIGNATURE_SUPERSEDED", field=signature.signer_id,
                old=signature.content_hash,
            )  # fmt: skip
            act.session.flush()

    def end_left_behind(self, act: Act, edits: Sequence[Edit]) -> bool:
        """Supersede what is signed on a content that a document leaves with these edits."""
        ended = False
        for edit in edits:
            column = SIGNED_HASHES.get(edit.record_type)
            change = edit.changes.get(column) if column and edit.operation is Operation.UPDATE else None
            if change is not None and change[0]:
                ended |= _end(act, edit.record_type, edit.record.id, left=str(change[0]))
        return ended

    def _method(self, request: SignatureRequest) -> SigningMethod:
        method = self.methods.get(request.method)
        if method is None:
            known = " or ".join(sorted(self.methods))
            raise Invalid(
                f"Expected to sign by {known}, but found {request.method!r:.40}", {"method": "is not known here"}
            )
        return method

    def _meaning(self, act: Act, signer: User, subject: Subject, request: SignatureRequest) -> Meaning:
        try:
            meaning = Meaning(request.meaning)
        except ValueError as error:
            raise Invalid(
                f"Expected a meaning such as {Meaning.APPROVED}, but found {request.meaning!r:.40}",
                {"meaning": "is unknown"},
            ) from error
        code = role_code(subject.principal or "")
        roles = [code] if code else [held.role for held in grants_of(act.session, signer.id, at=act.now)]
        if not any(meaning in meanings_of(act.session, role) for role in roles):
            raise Forbidden(
                f"Expected a meaning that {' or '.join(roles) or signer.id} may give, but found {meaning}",
                code="MEANING_NOT_YOURS", record=(subject.record_type, subject.record_id), keep=True,
            )  # fmt: skip
        return meaning

    def _write(
        self,
        act: Act,
        subject: Subject,
        signer: User,
        meaning: Meaning,
        *,
        session: SignInSession | None,
        had_both: bool,
        method: str,
    ) -> Signature:
        zone = site_called(act.session, self.site).zone
        offset = act.now.astimezone(zone).utcoffset() or dt.timedelta(0)
        signature = Signature(
            record_type=subject.record_type, record_id=subject.record_id, record_revision=subject.revision,
            content_hash=subject.content_hash, signer_id=signer.id, printed_name=signer.name, printed_title=signer.title,
            meaning=meaning, role=role_code(subject.principal or "") or None, reason=subject.reason, signed_at=act.now,
            local_offset=int(offset.total_seconds() // 60), method=method, had_both_components=had_both,
            session_id=session.id if session else None, on_behalf_of_id=subject.on_behalf_of,
            status=SignatureStatus.VALID, decision_id=subject.decision_id,
        )  # fmt: skip
        act.session.add(signature)
        act.session.flush()
        act.note(
            subject.record_type, subject.record_id, "SIGNED", field=meaning.value, new=subject.content_hash,
            reason=subject.reason or None,
        )  # fmt: skip
        return signature


def _session(act: Act, request: SignatureRequest) -> SignInSession | None:
    if not request.session_id:
        return None
    session = act.session.get(SignInSession, request.session_id)
    if session is None or session.user_id != act.user_id or not is_alive(session, act.now, policy_in(act.session)):
        raise Forbidden("Expected an open session of the signer, but this one is not", code="NOT_YOUR_SESSION")
    return session


def _able(act: Act, about: tuple[str, str]) -> User:
    """Return the signer. Raises: Forbidden for who left meanwhile, whatever the method says of them."""
    signer = user_called(act.session, act.user_id or "")
    if signer.status is not UserStatus.ACTIVE:
        raise Forbidden(
            f"Expected an active account, but {signer.id}'s is {signer.status.lower()}", code="NOT_AUTHORISED",
            record=about, keep=True,
        )  # fmt: skip
    return signer


def _certify(act: Act, signer: User, *, accepts: bool) -> None:
    if is_certified(act.session, signer.id):
        return
    if not accepts:
        raise Forbidden(
            f"Expected {signer.name} to certify once that an electronic signature binds like a handwritten one",
            code="CERTIFICATION_MISSING",
        )
    certify(act, signer)


def is_certified(session: Session, user_id: str) -> bool:
    """Whether a user has made the statement about electronic signatures."""
    return session.scalar(select(Certification.id).where(Certification.user_id == user_id)) is not None


def certify(act: Act, user: User) -> None:
    """Keep a user's statement, once."""
    if not is_certified(act.session, user.id):
        act.session.add(Certification(user_id=user.id, statement=STATEMENT, certified_at=act.now))
        act.note("user_account", user.id, "CERTIFIED", new=STATEMENT)


def signatures_on(session: Session, record_type: str, record_id: str) -> list[Signature]:
    """Return the signatures of a document, oldest first, superseded ones included."""
    wanted = select(Signature).where(Signature.record_type == record_type, Signature.record_id == record_id)
    return list(session.scalars(wanted.order_by(Signature.signed_at, Signature.id)))


def signature_of(session: Session, decision_id: str) -> Signature | None:
    """Return the signature of a decision, if it was signed."""
    return session.scalar(select(Signature).where(Signature.decision_id == decision_id))


def supersede(act: Act, record_type: str, record_id: str, *, but_hash: str | None = None) -> list[Signature]:
    """Supersede every valid signature of a document but those on one content, and return the superseded ones."""
    act.session.flush()
    stale = [
        signature
        for signature in signatures_on(act.session, record_type, record_id)
        if signature.status is SignatureStatus.VALID and signature.content_hash != but_hash
    ]
    for signature in stale:
        signature.status, signature.superseded_at = SignatureStatus.SUPERSEDED, act.now
        act.note(record_type, record_id, "SIGNATURE_SUPERSEDED", field=signature.signer_id, old=signature.content_hash)
    return stale


def _end(act: Act, record_type: str, record_id: str, *, left: str) -> bool:
    """Supersede the signatures on one content. Nothing is flushed: this runs while something is."""
    wanted = select(Signature).where(
        Signature.record_type == record_type, Signature.record_id == record_id, Signature.content_hash == left
    )
    with act.session.no_autoflush:
        found = [one for one in act.session.scalars(wanted) if one.status is SignatureStatus.VALID]
    for signature in found:
        signature.status, signature.superseded_at = SignatureStatus.SUPERSEDED, act.now
        act.note(record_type, record_id, "SIGNATURE_SUPERSEDED", field=signature.signer_id, old=left)
    return bool(found)


def printed(signature: Signature) -> str:
    """Return a signature as it is printed: name, title, meaning, local time with its offset, UTC and reason."""
    zone = dt.timezone(dt.timedelta(minutes=signature.local_offset))
    at = signature.signed_at.astimezone(zone)
    utc = f"{signature.signed_at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"
    times = f"{at:%Y-%m-%d %H:%M:%S %z} ({utc})"
    parts = [signature.printed_name, signature.printed_title, signature.meaning.value, times]
    return ", ".join(filter(None, [*parts, signature.reason]))


def signer_of(session: Session, signature: Signature) -> User:
    """Return who signed, as they are today; the printed name stays what it was."""
    return user_called(session, signature.signer_id)
