"""Lots that go to a supplier and come back: a number that nobody knows is refused, and so is one that never left."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.errors import Conflict, Invalid
from records.lot import Lot
from records.outside import MovementKind, OutsideLink


def refuse_unknown_lots(session: Session, link: OutsideLink, lots: tuple[str, ...]) -> None:
    """Refuse a shipment that names a lot we do not have of this part. Raises: Invalid.

    Pieces in work may leave without one: their lot is made when the work order completes.
    """
    revision = link.part_revision
    if revision is None or not lots:
        return
    wanted = select(Lot.number).where(Lot.part_revision_id == revision.id, Lot.number.in_(lots))
    unknown = sorted(set(lots) - set(session.scalars(wanted)))
    if unknown:
        raise Invalid(
            f"Expected lots of {revision.number} that we have, but {', '.join(unknown)} is none; read the box again, or leave the "
            "lot empty where the pieces have none yet",
            {"lots": f"{', '.join(unknown)} is unknown"},
        )


def lot_that_left(link: OutsideLink, label: str) -> str:
    """Return the lot under which pieces come back; the only one that left where the label names none.

    Raises: Conflict CON-13 for a lot that never left under the link, where lots left; nothing is moved.
    """
    left = lots_sent(link)
    if not left:
        return label
    if not label:
        return left[0] if len(left) == 1 else ""
    if label not in left:
        raise Conflict(
            f"Expected a lot that left under {link.number}, {' or '.join(left)}, but {label} did not. Keep the pieces apart: report "
            "them as a nonconformance of this link, and quality investigates.",
            code="CON-13", record=(link.record_type, link.id), keep=True,
        )  # fmt: skip
    return label


def lots_sent(link: OutsideLink) -> list[str]:
    """Return the lots that left under a link and were not undone, sorted."""
    undone = {movement.reverses_id for movement in link.movements}
    shipped = [one for one in link.movements if one.kind is MovementKind.SHIP_OUT and one.id not in undone]
    return sorted({lot for movement in shipped if movement.quantity > 0 for lot in movement.lots})
