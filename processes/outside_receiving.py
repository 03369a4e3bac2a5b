"""What receiving, inspection and certificates say about pieces that came back from outside."""

from __future__ import annotations

from collections.abc import Sequence

from engine.act import Act
from records.outside import OutsideLink, OutsideMovement


def receive_pieces(
    act: Act, link: OutsideLink, movements: Sequence[OutsideMovement], *, packing_slip: str, location: str, revision: str | None
) -> None:
    """Receive what came back good against the order line."""
