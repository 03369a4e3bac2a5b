"""An ERP that reads and writes files: orders as JSON into an outbox, confirmations as CSV from an inbox."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from engine.canonical import is_whole
from processes.erp import Erp, ErpOrder, ErpRefused, ErpUnavailable, OrderDocument

COLUMNS = ("proposal_no", "po_no", "result", "message", "revision")
"""Every confirmation row has these, revision may be empty (0). Beside them it may have header fields, or line_no and line fields."""

QUANTITIES, PRICES = frozenset({"quantity"}), frozenset({"unit_price"})


class FilesErp(Erp):
    """Orders go out once under their proposal number; the newest confirmation of a proposal counts.

    A confirmation row: proposal_no, po_no, result (ACCEPTED, REFUSED, CANCELLED), message, revision, then any of supplier, currency,
    payment_term, incoterm, ship_to, line_no, part_revision, quantity, uom, unit_price, need_by.
    """

    system = "ERP"

    def __init__(self, outbox: Path, inbox: Path) -> None:
        self.outbox, self.inbox = outbox, inbox

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> FilesErp:
        """Return the adapter on the folders ``erp_outbox`` and ``erp_inbox``."""
        return cls(
            Path(settings.get("erp_outbox") or "var/erp/outbox"), Path(settings.get("erp_inbox") or "var/erp/inbox")
        )

    def create_order(self, order: OrderDocument) -> str:
        """Write the order, unless it lies there already, and look for its confirmation."""
        self._write(f"{order.proposal_no}.order.json", _command("create", order))
        number = self._confirmed(order)
        if number is None:
            raise ErpUnavailable(f"No confirmation of {order.proposal_no} in {self.inbox} yet")
        return number

    def amend_order(self, order: OrderDocument, *, number: str) -> None:
        """Write the revision, once, and wait until the system confirms it."""
        self._write(f"{order.proposal_no}.r{order.revision}.json", _command("amend", order) | {"po_no": number})
        if self._confirmed(order) is None:
            raise ErpUnavailable(f"No confirmation of revision {order.revision} of {number} in {self.inbox} yet")

    def read_order(self, order: OrderDocument, *, number: str, keyed: Mapping[str, Any]) -> ErpOrder:
        """Return what the confirmation says, line by line when it has lines."""
        header: dict[str, Any] = {}
        lines: dict[int, dict[str, Any]] = {}
        for row in self._rows(order):
            fields = {name: _canonical(name, value) for name, value in row.items() if name not in COLUMNS}
            line_no = fields.pop("line_no", "")
            (lines.setdefault(int(line_no), {}) if is_whole(line_no) else header).update(
                {name: value for name, value in fields.items() if value}
            )
        if not header and not lines:
            raise ErpUnavailable(f"The confirmation of {order.proposal_no} shows nothing that could be compared yet")
        return ErpOrder(number, header, lines or None)

    def cancel_order(self, order: OrderDocument, *, number: str, reason: str) -> None:
        """Write the cancellation, once, and wait until the system confirms it."""
        command = _command("cancel", order) | {"po_no": number, "reason": reason}
        self._write(f"{order.proposal_no}.cancel.json", command)
        if not any(row["result"].upper() == "CANCELLED" for row in self._all(order)):
            raise ErpUnavailable(f"No confirmation of the cancellation of {number} in {self.inbox} yet")

    def _write(self, name: str, command: Mapping[str, Any]) -> None:
        """Put a file into the outbox whole or not at all; one that lies there already with this content stays."""
        self.outbox.mkdir(parents=True, exist_ok=True)
        target, text = self.outbox / name, json.dumps(command, ensure_ascii=False, indent=2, sort_keys=True)
        if target.exists() and target.read_text(encoding="utf-8") == text:
            return
        partial = target.with_suffix(".part")
        partial.write_text(text, encoding="utf-8")
        partial.replace(target)

    def _confirmed(self, order: OrderDocument) -> str | None:
        for row in self._rows(order):
            if row["result"].upper() == "REFUSED":
                raise ErpRefused(row["message"] or f"The ERP refuses {order.proposal_no}")
            if row["po_no"]:
                return row["po_no"]
        return None

    def _rows(self, order: OrderDocument) -> list[dict[str, str]]:
        """Return the rows of the newest file that confirms this revision of the order."""
        by_file: dict[Path, list[dict[str, str]]] = {}
        for path, row in self._found(order):
            if row["result"].upper() != "CANCELLED" and (row["revision"] or "0") == str(order.revision):
                by_file.setdefault(path, []).append(row)
        return by_file[max(by_file)] if by_file else []

    def _all(self, order: OrderDocument) -> list[dict[str, str]]:
        return [row for _, row in self._found(order)]

    def _found(self, order: OrderDocument) -> Iterator[tuple[Path, dict[str, str]]]:
        if not self.inbox.is_dir():
            return
        for path in sorted(self.inbox.glob("*.csv")):
            with path.open(encoding="utf-8-sig", newline="") as stream:
                for row in csv.DictReader(stream):
                    clean = {
                        str(name): (value or "").strip() for name, value in row.items() if isinstance(value, str | None)
                    }
                    if clean.get("proposal_no") == order.proposal_no:
                        yield path, dict.fromkeys(COLUMNS, "") | clean


def _command(verb: str, order: OrderDocument) -> dict[str, Any]:
    return {
        "verb": verb,
        "idempotency_key": f"{order.proposal_no}/{order.revision}/{verb}",
        "proposal_no": order.proposal_no,
        "site": order.site,
        "revision": order.revision,
        "approved_hash": order.hash,
        "order": dict(order.content),
    }


def _canonical(name: str, value: str) -> str:
    """Return a number of a confirmation in the form that approved content has."""
    scale = 6 if name in QUANTITIES else 4 if name in PRICES else None
    if scale is None or not value:
        return value
    try:
        return str(Decimal(value).quantize(Decimal(1).scaleb(-scale)))
    except InvalidOperation:
        return value
