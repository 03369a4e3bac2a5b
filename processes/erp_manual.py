"""An ERP without an interface: somebody keys the order from a sheet and says what the system shows (A24)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from processes.erp import Erp, ErpByHand, ErpOrder, OrderDocument


class ManualErp(Erp):
    """Every order is keyed by hand. Equality is proven by total, number of lines and the sheet's check code."""

    system = "ERP"

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> ManualErp:
        """Return the adapter; it needs no settings."""
        return cls()

    def create_order(self, order: OrderDocument) -> str:
        """Ask for a person."""
        raise ErpByHand(f"{order.proposal_no} has to be keyed by hand")

    def amend_order(self, order: OrderDocument, *, number: str) -> None:
        """Ask for a person."""
        raise ErpByHand(f"Revision {order.revision} of {number} has to be keyed by hand")

    def read_order(self, order: OrderDocument, *, number: str, keyed: Mapping[str, Any]) -> ErpOrder:
        """Compare what was keyed; what the person left open differs."""
        return ErpOrder(number, header=keyed_summary(keyed))

    def cancel_order(self, order: OrderDocument, *, number: str, reason: str) -> None:
        """Ask for a person."""
        raise ErpByHand(f"{number} has to be cancelled by hand: {reason}")


def keyed_summary(keyed: Mapping[str, Any]) -> dict[str, str]:
    """Return the three proofs as texts, to be compared with ``proofs_of``."""
    amount, lines = keyed.get("total"), keyed.get("line_count")
    return {
        "total": "" if amount is None else str(Decimal(str(amount)).quantize(Decimal("0.0001"), ROUND_HALF_UP)),
        "line_count": "" if lines is None else str(int(lines)),
        "check_code": str(keyed.get("check_code") or "").strip().lower(),
    }
