"""A part revision with what defines it, as a tree: attributes, specifications, documents, and a bill of materials where one is given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.redline import Field, Row, Shape
from records.document_tree import tree_of
from records.part import PartRevision, RevisionStatus


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
    return replace(tree, rows=(*tree.rows, *bill_rows(bill)))


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
