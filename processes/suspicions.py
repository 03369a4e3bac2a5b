"""What looks wrong about a requisition before it is approved (A04): split below a limit, roles blurred."""

from __future__ import annotations

from engine.act import Act
from records.requisition import Requisition


def suspicions_of(act: Act, requisition: Requisition) -> tuple[list[str], list[str]]:
    """Return a sentence for each suspicion, and the groups that may clear them."""
    return [], ["PUR_LEAD"]
