"""Segregation of duties, evaluated on natural persons, those acted for included (domain.md 4b).

SOD-1 who asks does not approve; SOD-2 who buys does not approve; SOD-7 a buyer approves no supplier; SOD-12 who administers
holds no business signature; SOD-13 a deputy may not do what the person they stand in for was barred from; SOD-ONCE nobody
fills two seats of one large document.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from engine.answers import lasting, once
from engine.decisions import Decision
from engine.errors import Finding
from engine.record import Edit, Operation
from engine.stored.task import Task
from records.amendment import ApprovalPlan, PurchaseOrderAmendment
from records.approval import slots_of
from records.change_order import ChangeOrder, ChangeOrderAddendum
from records.change_request import OrderClass
from records.footing import ABOUT, grants_of_roles
from records.person import Role, RoleGrant, User
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.requisition import Requisition, RequisitionLine
from records.roles import role_code
from records.signature import Meaning, Signature, SignatureStatus
from records.standing import signatures_standing, standing_for
from records.supplier import SupplierApproval
from rules import board_seats
from rules.amounts import company_total
from rules.delegated import what_it_exceeds
from rules.law import block, law, session_of
from rules.policy import table_called

APPROVING = frozenset({"approve", "approve_with_condition"})
OWN_WORK = frozenset({Meaning.AUTHORED, Meaning.RELEASED, Meaning.RESPONSIBLE})
"""Meanings of signatures that are not an approval: a buyer releases the order that is theirs."""

BOUGHT: frozenset[type] = frozenset(
    {Requisition, RequisitionLine, PurchaseOrder, PurchaseOrderLine, PurchaseOrderAmendment}
)
"""What says who asked for a document, and who buys."""

ADMINISTRATION = frozenset({"ADMIN"})
"""Roles of administration that have no row in the list of roles."""


@dataclass(frozen=True, slots=True)
class Approval:
    """A person about to approve a document, alone or for somebody else."""

    record_type: str
    record_id: str
    record_hash: str | None
    user_id: str
    on_behalf_of: str | None
    at: dt.datetime
    decision_id: str | None = None
    role: str | None = None


def bars_on_task(
    session: Session, task: Task, user_id: str, *, on_behalf_of: str | None, now: dt.datetime
) -> list[Finding]:
    """Return what bars a person from a task that approves; nothing for any other task."""
    seated = list(board_seats.bars_on_vote(session, task, user_id, now=now))
    if seated:
        return seated
    if not APPROVING & set(task.outcomes) or task.signature in OWN_WORK:
        return []
    if task.record_type is None or task.record_id is None:
        return []
    approval = Approval(
        task.record_type, task.record_id, task.record_hash, user_id, on_behalf_of, now, role=_bare(task.role)
    )
    return list(bars(session, approval))


def bars(session: Session, approval: Approval) -> Iterator[Finding]:
    """Yield what bars a person from approving a document."""
    yield from _own_bars(session, approval, approval.user_id)
    if approval.on_behalf_of is not None and approval.on_behalf_of != approval.user_id:
        for finding in _own_bars(session, approval, approval.on_behalf_of):
            yield replace(
                finding,
                rule="SOD-13",
                sentence=(
                    f"Expected {_name(session, approval.user_id)} to approve only what {_name(session, approval.on_behalf_of)} may, "
                    f"but {_name(session, approval.on_behalf_of)} is barred ({finding.rule}): {finding.sentence}"
                ),
            )
        yield from _beyond_what_was_lent(session, approval, approval.on_behalf_of)
    yield from _once(session, approval)


def _beyond_what_was_lent(session: Session, approval: Approval, lender: str) -> Iterator[Finding]:
    about = (approval.record_type, approval.record_id)
    owners = requesters_of(session, *about) | buyers_of(session, *about, at=approval.at)
    why = what_it_exceeds(
        session, about, lender=lender, delegate=approval.user_id, role=approval.role, owners=owners, at=approval.at
    )
    if why is not None:
        yield block(
            "SOD-13",
            f"Expected {_name(session, approval.user_id)} to approve only what {_name(session, lender)} lent, but {why}.",
            about,
            way_out=f"{_name(session, lender)} decides, or another holder of the role.",
        )


def _own_bars(session: Session, approval: Approval, person: str) -> Iterator[Finding]:
    about = (approval.record_type, approval.record_id)
    if person in requesters_of(session, *about):
        yield block(
            "SOD-1", f"Expected somebody else to approve {_number(session, approval)}, but {_name(session, person)} requested it.", about,
            way_out="Another holder of the role decides.",
        )  # fmt: skip
    if person in buyers_of(session, *about, at=approval.at):
        yield block(
            "SOD-2", f"Expected somebody else to approve {_number(session, approval)}, but {_name(session, person)} is its buyer.", about,
            way_out="Another holder of the role decides.",
        )  # fmt: skip
    if approval.record_type == SupplierApproval.record_type and person in _holders(session, {"BUYER"}, at=approval.at):
        yield block(
            "SOD-7", f"Expected somebody who does not buy to approve {_number(session, approval)}, "
            f"but {_name(session, person)} is a buyer.",
            about, owner="role:SQ", way_out="Somebody else of quality approves the supplier.",
        )  # fmt: skip
    administration = administration_of(session, person, at=approval.at)
    if administration:
        yield block(
            "SOD-12",
            f"Expected no administrator to approve {_number(session, approval)}, "
            f"but {_name(session, person)} holds {', '.join(administration)}.",
            about,
            owner="role:ADMIN",
            way_out="Take one of the roles away.",
        )


def requesters_of(session: Session, record_type: str, record_id: str) -> set[str]:
    """Return who asked for what a document buys."""
    question = ("requesters", record_type, record_id)
    return lasting(session, question, lambda: _requesters(session, record_type, record_id), about=BOUGHT)


def _requesters(session: Session, record_type: str, record_id: str) -> set[str]:
    if record_type == Requisition.record_type:
        wanted = select(Requisition.requester_id).where(Requisition.id == record_id)
    elif record_type == PurchaseOrder.record_type:
        wanted = (
            select(Requisition.requester_id)
            .join(RequisitionLine, RequisitionLine.requisition_id == Requisition.id)
            .join(PurchaseOrderLine, PurchaseOrderLine.requisition_line_id == RequisitionLine.id)
            .where(PurchaseOrderLine.order_id == record_id)
        )
    elif record_type == PurchaseOrderAmendment.record_type:
        amendment = _weighty(session, record_id)
        return requesters_of(session, PurchaseOrder.record_type, amendment.order_id) if amendment is not None else set()
    else:
        return set()
    return set(session.scalars(wanted))


def _weighty(session: Session, amendment_id: str) -> PurchaseOrderAmendment | None:
    """Return an amendment that spends more; one that spends no more is released by its own buyer (domain.md 4a)."""
    found = session.get(PurchaseOrderAmendment, amendment_id)
    return found if found is not None and found.plan in (ApprovalPlan.FULL, ApprovalPlan.LEAD) else None


def buyers_of(session: Session, record_type: str, record_id: str, *, at: dt.datetime) -> set[str]:
    """Return who buys: the buyer of an order; for a requisition the buyers of its orders, or everybody who may become one."""
    question = ("buyers", record_type, record_id, at)
    return lasting(session, question, lambda: _buyers(session, record_type, record_id, at=at), about=BOUGHT | ABOUT)


def _buyers(session: Session, record_type: str, record_id: str, *, at: dt.datetime) -> set[str]:
    if record_type == PurchaseOrder.record_type:
        order = session.get(PurchaseOrder, record_id)
        return {order.buyer_id} if order is not None and order.buyer_id is not None else set()
    if record_type == PurchaseOrderAmendment.record_type:
        amendment = _weighty(session, record_id)
        if amendment is None:
            return set()
        return buyers_of(session, PurchaseOrder.record_type, amendment.order_id, at=at) | {amendment.opened_by}
    if record_type != Requisition.record_type:
        return set()
    orders = session.scalars(
        select(PurchaseOrder)
        .join(PurchaseOrderLine, PurchaseOrderLine.order_id == PurchaseOrder.id)
        .join(RequisitionLine, PurchaseOrderLine.requisition_line_id == RequisitionLine.id)
        .where(RequisitionLine.requisition_id == record_id)
    )
    named = {order.buyer_id for order in orders if order.buyer_id is not None}
    return named or _holders(session, {"BUYER"}, at=at)


def administration_of(session: Session, user_id: str, *, at: dt.datetime) -> list[str]:
    """Return the administrative roles that somebody holds at an instant."""
    granted = grants_of_roles(session, administrative(session))
    return sorted({role for holder, role, held in granted if holder == user_id and held.is_valid(at)})


def administrative(session: Session) -> set[str]:
    """Return the codes of the roles that give no business signature."""
    about: frozenset[type] = frozenset({Role})
    return lasting(session, "administrative", lambda: _codes_without_business(session) | ADMINISTRATION, about=about)


def _codes_without_business(session: Session) -> set[str]:
    return set(session.scalars(select(Role.code).where(Role.is_business.is_(False))))


@law("SOD", on=Decision)
def an_approval_is_somebody_elses(edit: Edit) -> Iterator[Finding]:
    """Who asked, who buys, who administers and whoever stands in for them do not approve (SOD-1, -2, -12, -13)."""
    decision = edit.record
    if edit.operation is not Operation.INSERT or decision.verdict not in APPROVING or decision.meaning in OWN_WORK:
        return
    if decision.kind != "DECISION" or decision.record_type is None or decision.record_id is None:
        return
    approval = Approval(
        decision.record_type, decision.record_id, decision.record_hash, decision.actor_id, decision.on_behalf_of_id,
        decision.decided_at, decision.id, _bare(decision.role),
    )  # fmt: skip
    yield from bars(session_of(edit), approval)


@law("SOD", on=Signature)
def a_signature_is_somebody_elses(edit: Edit) -> Iterator[Finding]:
    """The same for a signature, whichever way it came."""
    signature = edit.record
    if edit.operation is not Operation.INSERT or signature.meaning is not Meaning.APPROVED:
        return
    approval = Approval(
        signature.record_type, signature.record_id, signature.content_hash, signature.signer_id,
        signature.on_behalf_of_id, signature.signed_at, signature.decision_id, signature.role,
    )  # fmt: skip
    yield from bars(session_of(edit), approval)


@law("SOD-2", on=PurchaseOrder)
def a_signer_of_the_request_is_not_its_buyer(edit: Edit) -> Iterator[Finding]:
    """Whoever approved the requisition does not become the buyer of an order that its approval covers."""
    order = edit.record
    if order.buyer_id is None or not {"buyer_id", "status"} & edit.changes.keys() or order.status != "APPROVED":
        return
    session = session_of(edit)
    requisitions = session.scalars(
        select(RequisitionLine.requisition_id)
        .join(PurchaseOrderLine, PurchaseOrderLine.requisition_line_id == RequisitionLine.id)
        .where(PurchaseOrderLine.order_id == order.id)
    ).all()
    signed = [
        *session.scalars(
            select(Signature)
            .where(Signature.record_type == Requisition.record_type, Signature.status == SignatureStatus.VALID)
            .where(Signature.meaning == Meaning.APPROVED)
            .where(Signature.record_id.in_(requisitions))
        ),
        *_standing(session, requisitions),
    ]
    own = session.scalar(
        select(Signature.id)
        .where(Signature.record_type == PurchaseOrder.record_type, Signature.record_id == order.id)
        .limit(1)
    )
    if own is None and any(order.buyer_id in (signature.signer_id, signature.on_behalf_of_id) for signature in signed):
        yield block(
            "SOD-2",
            f"Expected another buyer of {order.number}, but {_name(session, order.buyer_id)} approved the request it rests on.",
            (order.record_type, order.id),
            owner="role:PUR_MGR",
            way_out="Another buyer takes the order, or it is approved on its own.",
        )


@law("SOD-12", on=RoleGrant)
def an_administrator_signs_no_business(edit: Edit) -> Iterator[Finding]:
    """Nobody holds an administrative role and a role that signs business at one time."""
    grant = edit.record
    if edit.operation is Operation.DELETE:
        return
    session = session_of(edit)
    closed = administrative(session)
    others = session.scalars(
        select(RoleGrant).where(RoleGrant.user_id == grant.user_id, RoleGrant.id != grant.id)
    ).all()
    fresh = [
        each
        for each in session.new
        if isinstance(each, RoleGrant) and each.user_id == grant.user_id and each is not grant
    ]
    clash = {
        other.role
        for other in (*others, *fresh)
        if (other.role in closed) != (grant.role in closed) and _overlap(grant, other)
    }
    if clash:
        yield block(
            "SOD-12",
            f"Expected an administrator to hold no role that signs business, but {grant.user_id} would hold {grant.role} "
            f"beside {', '.join(sorted(clash))}.",
            (grant.record_type, grant.id),
            owner="role:ADMIN",
            way_out="End the other grant first.",
        )


def _once(session: Session, approval: Approval) -> Iterator[Finding]:
    """Yield SOD-ONCE when the person signed this content already, or an earlier one for it, and the document is large."""
    if approval.record_hash is None:
        return
    signers = once(session, replace(approval, user_id="", on_behalf_of=None), lambda: _signers(session, approval))
    if approval.user_id not in signers:
        return
    if _is_open_emergency(session, approval):
        yield block(
            "SOD-8",
            f"Expected two different people to sign {_number(session, approval)}, but {_name(session, approval.user_id)} signed it "
            "already.",
            (approval.record_type, approval.record_id),
            way_out="Another holder of the role signs.",
        )
        return
    judgement = table_called("document_checks").judge(check="SAME_SIGNER")
    document = _found(session, approval)
    if document is None or company_total(session, document, on=approval.at) < judgement.row.outputs["amount_from"]:
        return
    yield block(
        "SOD-ONCE",
        f"Expected another person for the second signature on {_number(session, approval)}, "
        f"but {_name(session, approval.user_id)} signed it already.",
        (approval.record_type, approval.record_id),
        way_out="Another holder of the role decides.",
        judged_by=judgement.hash,
        row=judgement.row.number,
    )


def _signers(session: Session, approval: Approval) -> set[str]:
    """Return whoever signed this content, or an earlier one for it, those included for whom it was signed."""
    signed = select(Signature.signer_id, Signature.on_behalf_of_id).where(
        Signature.record_type == approval.record_type,
        Signature.record_id == approval.record_id,
        or_(
            and_(Signature.content_hash == approval.record_hash, Signature.status == SignatureStatus.VALID),
            standing_for(approval.record_type, approval.record_id, approval.record_hash or ""),
        ),
        Signature.meaning == Meaning.APPROVED,
    )
    if approval.decision_id is not None:
        signed = signed.where(or_(Signature.decision_id.is_(None), Signature.decision_id != approval.decision_id))
    return {one for row in session.execute(signed) for one in row if one is not None}


def _standing(session: Session, requisitions: Sequence[str]) -> Iterator[Signature]:
    """Yield the approvals of earlier contents that stand for requisitions as they were approved."""
    for requisition in session.scalars(select(Requisition).where(Requisition.id.in_(requisitions))):
        if requisition.approved_hash is not None:
            yield from signatures_standing(session, requisition.record_type, requisition.id, requisition.approved_hash)


def _is_open_emergency(session: Session, approval: Approval) -> bool:
    """Whether an approval fills a seat of an emergency, which two different people sign (SOD-8)."""
    if approval.record_type != ChangeOrder.record_type:
        return False
    change = session.get(ChangeOrder, approval.record_id)
    if change is None or change.change_class is not OrderClass.CE:
        return False
    seats = slots_of(session, approval.record_type, approval.record_id, approval.record_hash or "")
    return any(not seat.is_signed for seat in seats)


def _found(session: Session, approval: Approval) -> PurchaseOrder | Requisition | None:
    if approval.record_type == PurchaseOrder.record_type:
        return session.get(PurchaseOrder, approval.record_id)
    if approval.record_type == Requisition.record_type:
        return session.get(Requisition, approval.record_id)
    if approval.record_type == PurchaseOrderAmendment.record_type:
        amendment = session.get(PurchaseOrderAmendment, approval.record_id)
        return amendment.order if amendment is not None else None
    return None


def _number(session: Session, approval: Approval) -> str:
    if approval.record_type == PurchaseOrderAmendment.record_type:
        amendment = session.get(PurchaseOrderAmendment, approval.record_id)
        return amendment.number if amendment is not None else approval.record_id
    if approval.record_type in (ChangeOrder.record_type, ChangeOrderAddendum.record_type):
        is_order = approval.record_type == ChangeOrder.record_type
        change = (
            session.get(ChangeOrder, approval.record_id)
            if is_order
            else session.get(ChangeOrderAddendum, approval.record_id)
        )
        return change.number if change is not None else approval.record_id
    document = _found(session, approval)
    return document.number if document is not None else f"this {approval.record_type.replace('_', ' ')}"


def _bare(role: str | None) -> str | None:
    return role_code(role) if role else None


def _name(session: Session, user_id: str) -> str:
    user = session.get(User, user_id)
    return user.name if user is not None else user_id


def _holders(session: Session, roles: set[str], *, at: dt.datetime) -> set[str]:
    return {user_id for user_id, _, held in grants_of_roles(session, roles) if held.is_valid(at)}


def _overlap(one: RoleGrant, other: RoleGrant) -> bool:
    return (one.valid_to is None or other.valid_from < one.valid_to) and (
        other.valid_to is None or one.valid_from < other.valid_to
    )


LAWS = (
    an_approval_is_somebody_elses,
    a_signature_is_somebody_elses,
    a_signer_of_the_request_is_not_its_buyer,
    an_administrator_signs_no_business,
    board_seats.a_signature_says_what_its_vote_says,
)
