"""Cost centres, their yearly budgets, and what is committed or spent against them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from engine.act import Act
from engine.database import Base, Id, Money, Scaled
from engine.errors import Invalid, NotFound
from engine.record import Record
from records.columns import Code, Currency, Login, Name, word


class CostCentre(Record, Base):
    """Who pays. Its owners hold ``CC_OWNER@<code>``."""

    __tablename__ = "cost_centre"
    __table_args__ = (UniqueConstraint("code"),)

    code: Mapped[Code]
    name: Mapped[Name]
    currency: Mapped[Currency]
    is_active: Mapped[bool] = mapped_column(default=True)

    budgets: Mapped[list[Budget]] = relationship(back_populates="cost_centre", order_by="Budget.fiscal_year")

    @property
    def number(self) -> str:
        """The code."""
        return self.code


class Budget(Record, Base):
    """What a cost centre may spend in a fiscal year, in its currency."""

    __tablename__ = "budget"
    __table_args__ = (
        UniqueConstraint("cost_centre_id", "fiscal_year"),
        CheckConstraint("amount >= 0", name="amount_not_negative"),
    )

    cost_centre_id: Mapped[Id] = mapped_column(ForeignKey("cost_centre.id"))
    fiscal_year: Mapped[int]
    amount: Mapped[Money]

    cost_centre: Mapped[CostCentre] = relationship(back_populates="budgets")

    @property
    def number(self) -> str:
        """Cost centre and year."""
        return f"{self.cost_centre.code}/{self.fiscal_year}"


class PostingKind(StrEnum):
    """COMMITTED: encumbered by a requisition or an order. ACTUAL: spent."""

    COMMITTED = "COMMITTED"
    ACTUAL = "ACTUAL"


class BudgetPosting(Record, Base):
    """One movement on a budget; never edited, undone by a posting of the opposite sign.

    posting_key: what it is posted for, such as ``encumber:requisition:<id>:1``; unique, so that a repeat posts nothing.
    """

    __tablename__ = "budget_posting"
    __table_args__ = (
        UniqueConstraint("posting_key"),
        Index("ix_budget_posting_budget", "cost_centre_id", "fiscal_year", "kind"),
        Index("ix_budget_posting_record", "document_type", "document_id"),
    )

    cost_centre_id: Mapped[Id] = mapped_column(ForeignKey("cost_centre.id"))
    fiscal_year: Mapped[int]
    kind: Mapped[PostingKind] = word(PostingKind, "kind")
    amount: Mapped[Money]
    document_type: Mapped[Code]
    document_id: Mapped[Login]
    posting_key: Mapped[Name]

    cost_centre: Mapped[CostCentre] = relationship()

    @property
    def number(self) -> str:
        """The key it is posted under."""
        return self.posting_key


@dataclass(frozen=True, slots=True)
class Availability:
    """What is left of a budget: available = budget - committed - actual."""

    budget: Decimal
    committed: Decimal
    actual: Decimal

    @property
    def available(self) -> Decimal:
        """The amount that may still be requested; negative when the budget is overspent."""
        return self.budget - self.committed - self.actual

    def excess(self, amount: Decimal) -> Decimal:
        """Return by how much an amount is over what is available, at least 0."""
        return max(amount - self.available, Decimal(0))

    def exact_percent(self, amount: Decimal) -> Decimal:
        """Return the excess in percent of the budget, not rounded: a limit is judged by it. 100 without any budget."""
        excess = self.excess(amount)
        if not excess:
            return Decimal(0)
        return excess * 100 / self.budget if self.budget else Decimal(100)

    def excess_percent(self, amount: Decimal) -> Decimal:
        """Return the excess in percent of the budget as it is shown, to two decimals."""
        return self.exact_percent(amount).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def cost_centre_called(session: Session, code: str) -> CostCentre:
    """Return the cost centre with a code. Raises NotFound."""
    found = session.scalar(select(CostCentre).where(CostCentre.code == code))
    if found is None:
        raise NotFound(f"Expected a cost centre called {code}, but there is none")
    return found


def availability(session: Session, cost_centre: CostCentre, *, fiscal_year: int) -> Availability:
    """Return what is left of a cost centre's budget in a year; a year without a budget has a budget of 0."""
    budget = session.scalar(
        select(Budget.amount).where(Budget.cost_centre_id == cost_centre.id, Budget.fiscal_year == fiscal_year)
    )
    sums: dict[PostingKind, Decimal] = {}
    posted = select(BudgetPosting.kind, func.sum(BudgetPosting.amount, type_=Scaled(4))).where(
        BudgetPosting.cost_centre_id == cost_centre.id, BudgetPosting.fiscal_year == fiscal_year
    )
    sums.update((kind, amount) for kind, amount in session.execute(posted.group_by(BudgetPosting.kind)))
    zero = Decimal(0)
    return Availability(budget or zero, sums.get(PostingKind.COMMITTED, zero), sums.get(PostingKind.ACTUAL, zero))


def post(
    act: Act,
    cost_centre: CostCentre,
    amount: Decimal,
    *,
    kind: PostingKind,
    fiscal_year: int,
    document: tuple[str, str],
    key: str,
) -> BudgetPosting:
    """Book an amount, in the cost centre's currency, once under a key; a repeat returns what was booked before.

    document: (record type, id) it is booked for. Raises: Invalid when a repeat asks for another amount.
    """
    act.session.flush()
    before = act.session.scalar(select(BudgetPosting).where(BudgetPosting.posting_key == key))
    if before is not None:
        if before.amount != amount:
            raise Invalid(f"Expected {before.amount} again under {key}, but found {amount}")
        return before
    document_type, document_id = document
    posting = BudgetPosting(
        cost_centre=cost_centre, cost_centre_id=cost_centre.id, fiscal_year=fiscal_year, kind=kind, amount=amount,
        document_type=document_type, document_id=document_id, posting_key=key,
    )  # fmt: skip
    act.session.add(posting)
    return posting


def encumber(
    act: Act, cost_centre: CostCentre, amount: Decimal, *, fiscal_year: int, document: tuple[str, str]
) -> BudgetPosting:
    """Make a document commit exactly this amount of budget; what it committed before is given back first.

    amount: in the cost centre's currency, above 0. A repeat posts nothing and returns the standing commitment.
    """
    if amount <= 0:
        raise Invalid(f"Expected an amount above 0 to commit, but found {amount}")
    postings = commitments(act.session, document)
    if _open(postings) == amount:
        return next(posting for posting in reversed(postings) if posting.amount > 0)
    release(act, document=document)
    turn = sum(posting.amount > 0 for posting in postings) + 1
    return post(
        act, cost_centre, amount, kind=PostingKind.COMMITTED, fiscal_year=fiscal_year, document=document,
        key=f"encumber:{document[0]}:{document[1]}:{turn}",
    )  # fmt: skip


def release(act: Act, *, document: tuple[str, str], amount: Decimal | None = None) -> BudgetPosting | None:
    """Give back what a document still commits, or a part of it; with nothing committed, nothing happens.

    amount: at most what is still committed; None gives back all.
    """
    postings = commitments(act.session, document)
    standing = _open(postings)
    if not standing:
        return None
    back = standing if amount is None else amount
    if not 0 < back <= standing:
        raise Invalid(f"Expected to release at most {standing}, but found {back}")
    last = postings[-1]
    turn = sum(posting.amount < 0 for posting in postings) + 1
    return post(
        act, last.cost_centre, -back, kind=PostingKind.COMMITTED, fiscal_year=last.fiscal_year, document=document,
        key=f"release:{document[0]}:{document[1]}:{turn}",
    )  # fmt: skip


def commitments(session: Session, document: tuple[str, str]) -> list[BudgetPosting]:
    """Return what a document committed and released, oldest first."""
    wanted = select(BudgetPosting).where(
        BudgetPosting.document_type == document[0],
        BudgetPosting.document_id == document[1],
        BudgetPosting.kind == PostingKind.COMMITTED,
    )
    session.flush()
    return list(session.scalars(wanted.order_by(BudgetPosting.id)))


def committed_for(session: Session, document: tuple[str, str]) -> Decimal:
    """Return what a document still commits, in its cost centre's currency."""
    return _open(commitments(session, document))


def _open(postings: list[BudgetPosting]) -> Decimal:
    return sum((posting.amount for posting in postings), Decimal(0))
