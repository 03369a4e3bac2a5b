"""What a role that was lent may be used for: up to an amount, never for the lender's own documents nor twice on one (domain.md 2.29).

Who stands in for somebody who is absent, or was appointed as deputy with a place on a board, has no limit of this kind.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from decimal import Decimal

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from records.amendment import PurchaseOrderAmendment
from records.change_order import ChangeOrder, ChangeOrderAddendum
from records.impact import AffectedOrder, RowDisposition, newest_snapshot
from records.person import Absence, Delegation
from records.purchase_order import PurchaseOrder
from records.requisition import Requisition
from records.signature import Signature, SignatureStatus
from rules.amounts import company_total, in_company_currency


def what_it_exceeds(
    session: Session, about: tuple[str, str], *, lender: str, delegate: str, role: str | None, owners: set[str], at: dt.datetime
) -> str | None:  # fmt: skip
    """Return why what a lender lent does not cover one document, as it follows "but"; None where it does, or nothing was lent.

    role: under which it would be signed, if that is known. owners: whose own document it is.
    """
    lent = _in_force(session, lender=lender, delegate=delegate, at=at)
    lent = [one for one in lent if one.role == role] or lent
    if not lent or _is_deputy(session, lender=lender, delegate=delegate, at=at):
        return None
    why = [_exceeded(session, about, one, owners=owners, at=at) for one in lent]
    return None if None in why else why[0]


def _exceeded(
    session: Session, about: tuple[str, str], lent: Delegation, *, owners: set[str], at: dt.datetime
) -> str | None:
    if lent.excludes_own_documents and lent.from_user_id in owners | _openers(session, about):
        return "it is the lender's own document"
    if lent.excludes_signed_documents and _signed(session, about, lent.from_user_id):
        return "the lender signed it already"
    if lent.max_amount is None:
        return None
    amount = amount_of(session, about, at=at)
    if amount <= lent.max_amount:
        return None
    return f"what was lent ends at {lent.max_amount:,.2f} and this is {amount:,.2f}"


def amount_of(session: Session, about: tuple[str, str], *, at: dt.datetime) -> Decimal:
    """Return what is decided about, in its site's currency: a document's total, or what the dispositions of a change cost."""
    record_type, record_id = about
    if record_type in (Requisition.record_type, PurchaseOrder.record_type):
        document = (
            session.get(Requisition, record_id)
            if record_type == Requisition.record_type
            else session.get(PurchaseOrder, record_id)
        )
        return company_total(session, document, on=at) if document is not None else Decimal(0)
    if record_type == PurchaseOrderAmendment.record_type:
        amendment = session.get(PurchaseOrderAmendment, record_id)
        if amendment is None:
            return Decimal(0)
        return in_company_currency(session, amendment.order, amendment.total_after, on=at)
    change = _change(session, about)
    snapshot = newest_snapshot(session, change) if change is not None else None
    if snapshot is None:
        return Decimal(0)
    spent = func.sum(RowDisposition.cost, type_=RowDisposition.cost.type)
    stands = exists().where(
        AffectedOrder.snapshot_id == snapshot.id, AffectedOrder.target == RowDisposition.target,
        AffectedOrder.target_id == RowDisposition.target_id, AffectedOrder.state == RowDisposition.state,
    )  # fmt: skip
    wanted = select(spent).where(RowDisposition.change_order_id == snapshot.change_order_id, stands)
    return session.scalar(wanted) or Decimal(0)


def _in_force(session: Session, *, lender: str, delegate: str, at: dt.datetime) -> Sequence[Delegation]:
    wanted = select(Delegation).where(Delegation.from_user_id == lender, Delegation.to_user_id == delegate)
    return session.scalars(wanted.where(Delegation.valid_from <= at, Delegation.valid_to > at)).all()


def _is_deputy(session: Session, *, lender: str, delegate: str, at: dt.datetime) -> bool:
    wanted = select(Absence).where(Absence.user_id == lender, Absence.deputy_id == delegate)
    return any(absence.covers(at, "") for absence in session.scalars(wanted))


def _openers(session: Session, about: tuple[str, str]) -> set[str]:
    return set(_opened(session, about))


def _opened(session: Session, about: tuple[str, str]) -> Iterator[str]:
    change = _change(session, about)
    if change is not None:
        yield from (change.opened_by, *(link.change_request.originator for link in change.requests))
    if about[0] == ChangeOrderAddendum.record_type:
        addendum = session.get(ChangeOrderAddendum, about[1])
        if addendum is not None:
            yield addendum.proposed_by


def _change(session: Session, about: tuple[str, str]) -> ChangeOrder | None:
    if about[0] == ChangeOrder.record_type:
        return session.get(ChangeOrder, about[1])
    addendum = session.get(ChangeOrderAddendum, about[1]) if about[0] == ChangeOrderAddendum.record_type else None
    return addendum.change_order if addendum is not None else None


def _signed(session: Session, about: tuple[str, str], user_id: str) -> bool:
    wanted = select(Signature.id).where(
        Signature.record_type == about[0], Signature.record_id == about[1], Signature.signer_id == user_id,
        Signature.status == SignatureStatus.VALID,
    )  # fmt: skip
    return session.scalar(wanted.limit(1)) is not None
