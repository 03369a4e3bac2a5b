"""A part revision with what defines it, as a tree: attributes, specifications, documents, routing, and a bill of materials if given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.redline import Field, Row, Shape
from records.document_tree import tree_of
from records.part import PartRevision, RevisionStatus, process_words
from records.routing import routing_of


@dataclass(frozen=True, slots=True)
class Component:
    """One row of a bill of materials, as the system that holds it gives it. find_no: its place there, or empty."""

    part_no: str
    rev: str
    quantity: Decimal
    uom: str = "EA"
    find_no: str = ""
    reference: str = ""


def revision_tree(session: Session, revision: PartRevision, bill: Iterable[Component] = ()) -> Row:
    """Return a revision. bill: its components; Lockstep holds their document's hash, another system the rows."""
    tree = tree_of(session, revision)
    return replace(tree, rows=(*tree.rows, *routing_rows(session, revision), *bill_rows(bill)))


def routing_rows(session: Session, revision: PartRevision) -> tuple[Row, ...]:
    """Return the steps of how a revision is made as rows, told apart by their number."""
    return tuple(
        Row(
            str(step.op_no), "Operation",
            {
                "description": Field("description", step.description, Shape.TEXT),
                "work_centre_id": Field("work centre", step.work_centre.code if step.work_centre else None),
                "process_code": Field("process outside", process_words(step.process_code) or None),
                "spec": Field("specification", " rev ".join(filter(None, (step.spec, step.spec_rev))) or None),
                "instruction": Field("instruction", step.instruction),
                "setup_minutes": _minutes("set-up", step.setup_minutes),
                "run_minutes": _minutes("run", step.run_minutes),
                "is_certificate_required": Field("certificate required", _truth(step.is_certificate_required), Shape.TRUTH),
                "is_inspected_after": Field("inspected after it", _truth(step.is_inspected_after), Shape.TRUTH),
            },
            identity=f"operation {step.op_no}",
        )
        for step in routing_of(session, revision)
    )  # fmt: skip


def _minutes(label: str, minutes: Decimal) -> Field:
    """Return a time as a field; none where nobody said how long it takes."""
    return Field(label, f"{minutes:.6f}" if minutes else None, Shape.NUMBER, "min")


def _truth(is_so: bool) -> str | None:
    return "true" if is_so else None


def bill_rows(bill: Iterable[Component]) -> tuple[Row, ...]:
    """Return components as rows: told apart by find number where they have one, else by part number."""
    return tuple(
        Row(
            one.find_no or one.part_no, "Item",
            {
                "part_no": Field("part", one.part_no), "rev": Field("revision", one.rev),
                "quantity": Field("quantity", f"{one.quantity:.6f}", Shape.NUMBER, one.uom),
                "reference": Field("reference", one.reference),
            },
            identity=f"item {one.find_no or one.part_no}",
        )
        for one in bill
    )  # fmt: skip


def predecessor_of(session: Session, revision: PartRevision) -> PartRevision | None:
    """Return the revision that was released last before this one, or None."""
    wanted = select(PartRevision).where(
        PartRevision.part_id == revision.part_id, PartRevision.id != revision.id,
        PartRevision.status.in_((RevisionStatus.RELEASED, RevisionStatus.SUPERSEDED)), PartRevision.rev < revision.rev,
    )  # fmt: skip
    return session.scalars(wanted.order_by(PartRevision.rev.desc()).limit(1)).first()
