"""Who may do what with goods and bills, and their signatures outside of a task."""

from __future__ import annotations

from collections.abc import Sequence

from engine.act import Act
from engine.errors import Forbidden, Invalid
from engine.ports import SignatureRequest
from engine.record import Record
from records.roles import grants_of, role_name
from records.signature import Signature
from records.signing import PasswordSigner

RECEIVERS = ("RECEIVING",)
INSPECTORS = ("QA_ENG", "QA_SP", "METROLOGY")
VERIFIERS = ("SQ", "QA_ENG", "QA_SP")
REVIEWERS = ("ENG_AUTH",)
"""Material review: engineering decides that nonconforming goods are used as they are."""

DISPOSERS = ("QA_ENG", "QA_SP", "SQ")
CLERKS = ("AP",)
BUYERS = ("BUYER", "PUR_LEAD", "PUR_MGR")
PLANNERS = ("PLANNER",)


def role_for(act: Act, roles: Sequence[str], *, to: str) -> str:
    """Return the first of these roles that the acting person holds; empty for the system and adapters.

    to: what the role is needed for, as it reads after "to". Raises: Forbidden.
    """
    if act.user_id is None:
        return ""
    held = {grant.role for grant in grants_of(act.session, act.user_id, at=act.now)}
    found = next((role for role in roles if role in held), None)
    if found is None:
        raise Forbidden(
            f"Expected somebody with the role {' or '.join(role_name(act.session, role) for role in roles)} to {to}, but you have none of "
            "them",
            code="NOT_AUTHORISED",
        )
    return found


def sign(
    act: Act, record: Record, request: SignatureRequest, *, content_hash: str, role: str, meanings: Sequence[str],
    reason: str = "",
) -> Signature:  # fmt: skip
    """Sign a document outside of a task.

    meanings: of which the request must name one. Raises: Invalid for another meaning; Forbidden as the signer does.
    """
    if request.meaning not in meanings:
        raise Invalid(
            f"Expected the meaning {' or '.join(meanings)}, but it is {request.meaning or 'missing'}",
            {"meaning": "does not fit"},
        )
    signer = act.installation.signer
    if not isinstance(signer, PasswordSigner):
        raise TypeError("Expected a signer with passwords to be wired before anybody signs, but there is another")
    return signer.sign_record(act, record, request, content_hash=content_hash, principal=role, reason=reason)
