"""Inspections of received goods: the plan, the sample, what was found. Written once, signed by the inspector."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from engine.canonical import canonical, content_hash
from engine.database import Base, Id, Instant, Quantity
from engine.record import Record
from records.columns import Code, Hash, Login, Name, Text, word
from records.receipt import Receipt


class InspectionResult(StrEnum):
    """What an inspection says."""

    PASS = "PASS"  # noqa: S105  # a verdict, no password
    FAIL = "FAIL"


class Inspection(Record, Base):
    """One inspection of one receipt.

    plan_ref, plan_rev: of the inspection plan. lot_size: what was there to sample, in the receipt's unit. accept_number: the most
    rejects with which the sample passes. judged_by: the hash of the sampling table. signature_id: the inspector's.
    """

    __tablename__ = "inspection"
    __table_args__ = (
        UniqueConstraint("number"),
        CheckConstraint("sample_size > 0", name="sample_size_positive"),
        CheckConstraint("accept_number >= 0", name="accept_number_not_negative"),
        CheckConstraint("rejects BETWEEN 0 AND sample_size", name="rejects_within_the_sample"),
        CheckConstraint("(result = 'PASS') = (rejects <= accept_number)", name="result_follows_from_the_plan"),
        CheckConstraint("lot_size > 0", name="lot_size_positive"),
        Index("ix_inspection_receipt_id", "receipt_id"),
    )

    number: Mapped[Code]
    receipt_id: Mapped[Id] = mapped_column(ForeignKey("receipt.id"))
    plan_ref: Mapped[Name]
    plan_rev: Mapped[Code] = mapped_column(default="")
    lot_size: Mapped[Quantity]
    sample_size: Mapped[int]
    accept_number: Mapped[int]
    rejects: Mapped[int]
    result: Mapped[InspectionResult] = word(InspectionResult, "result")
    findings: Mapped[Text] = mapped_column(default="")
    inspector_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))
    inspected_at: Mapped[Instant]
    judged_by: Mapped[Hash | None]
    signature_id: Mapped[Id | None] = mapped_column(ForeignKey("signature.id"))

    receipt: Mapped[Receipt] = relationship()


def inspections_of(session: Session, receipt: Receipt) -> list[Inspection]:
    """Return the inspections of a receipt, oldest first."""
    wanted = select(Inspection).where(Inspection.receipt_id == receipt.id)
    return list(session.scalars(wanted.order_by(Inspection.inspected_at, Inspection.number)))


def inspection_content(inspection: Inspection) -> dict[str, Any]:
    """Return what the inspector signs, in canonical texts."""
    return {
        "receipt": inspection.receipt_id,
        "plan": f"{inspection.plan_ref} {inspection.plan_rev}".strip(),
        "lot_size": canonical(inspection.lot_size, scale=6),
        "sample_size": inspection.sample_size,
        "accept_number": inspection.accept_number,
        "rejects": inspection.rejects,
        "result": inspection.result.value,
        "findings": inspection.findings,
    }


def inspection_hash(inspection: Inspection) -> str:
    """Return the hash that the inspector's signature is bound to."""
    return content_hash(inspection_content(inspection))
