"""A site without an ERP: Lockstep mints the order numbers and is the system of record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from engine.act import Act, Installation
from processes.erp import Erp, ErpOrder, OrderDocument
from records.calendar import site_called
from records.external import ExternalRef
from records.numbering import next_number


class OwnNumbers(Erp):
    """Numbers from our own sequence, one for each proposal however often it is asked for."""

    system = "LOCKSTEP"

    def __init__(self, installation: Installation) -> None:
        self.installation = installation

    def create_order(self, order: OrderDocument) -> str:
        """Mint the number in an act of its own and remember for which proposal."""
        with self.installation.acting("system:numbering") as act:
            known = self._known(act, order)
            return known.native_number if known is not None else self._mint(act, order)

    def amend_order(self, order: OrderDocument, *, number: str) -> None:
        """Do nothing: the order here is the only one there is."""

    def read_order(self, order: OrderDocument, *, number: str, keyed: Mapping[str, Any]) -> ErpOrder:
        """Return the number alone: there is no second copy that could differ."""
        return ErpOrder(number)

    def cancel_order(self, order: OrderDocument, *, number: str, reason: str) -> None:
        """Do nothing: the order's own status says it."""

    def _known(self, act: Act, order: OrderDocument) -> ExternalRef | None:
        return act.session.scalar(
            select(ExternalRef).where(
                ExternalRef.system == self.system,
                ExternalRef.native_type == "purchase_order",
                ExternalRef.native_id == order.proposal_no,
            )
        )

    def _mint(self, act: Act, order: OrderDocument) -> str:
        number = next_number(act, "PO", site=site_called(act.session, order.site))
        act.session.add(
            ExternalRef(
                record_type="purchase_order", record_id=order.proposal_no, system=self.system, native_type="purchase_order",
                native_id=order.proposal_no, native_number=number, last_seen_at=act.now, last_hash=order.hash,
            )
        )  # fmt: skip
        return number
