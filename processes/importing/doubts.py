"""What an extract says that its own house would not: taken as it is, and shown, because somebody should look.

Self-approvals (SOD-1, SOD-2), prices carried from one currency into another as they stood, amounts that are not quantity
times price rounded half up, open lines on revisions that are not released, and texts that name another revision.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from processes.importing.reading import Reading
from records.money import MINOR_UNITS, line_amount
from records.part import RevisionStatus

if TYPE_CHECKING:
    from processes.importing.bringing import Import

NAMED_REVISION = re.compile(r"\brev\.? ?([A-Z0-9]{1,4})\b", re.IGNORECASE)


def named_revision(text: str) -> str | None:
    """Return the revision that a text names, ``rev B per DWG``; None for none, and for words such as ``rev per traveler``."""
    named = NAMED_REVISION.search(text)
    return named[1] if named and (named[1].isupper() or named[1].isdecimal()) else None


def doubt_approver(cells: Reading, approver: str, other: str) -> None:
    """Warn where one person stands on both sides of an approval."""
    name = cells.text(approver)
    if name and name == cells.text(other):
        cells.warn(approver, "SELF_APPROVED", f"{name} approved in the ERP what was their own")


def doubt_amount(cells: Reading, quantity: Decimal | None, price: Decimal | None, *, currency: str) -> None:
    """Warn where the ERP's amount is not quantity × price rounded half up."""
    stated = cells.decimal("amount", scale=4)
    if quantity is None or price is None or stated is None or currency not in MINOR_UNITS:
        return
    ours = line_amount(quantity, price, currency=currency)
    if stated != ours:
        cells.warn("amount", "AMOUNT_DIFFERS", f"Quantity times price, rounded half up, is {ours}")


def doubt_revision(run: Import, cells: Reading, *, is_open: bool) -> None:
    """Warn where the text of a line names another revision than its product is, or an open line one that is not released."""
    code = run.codes.get(cells.text("product"), "")
    matches = [match for rule in run.mapping.choices["revisions"] if (match := rule.pattern.fullmatch(code))]
    if not matches:
        return
    named = named_revision(cells.text("description"))
    if named and named != matches[0]["rev"]:
        cells.warn("description", "OTHER_REVISION", f"The text names revision {named}, but the product is {code}")
    status = run.revision_statuses.get(cells.text("product"))
    if is_open and status not in (None, RevisionStatus.RELEASED):
        cells.warn("product", "NOT_RELEASED", f"An open document is for {code}, which is {status} (CON-07)")


def doubt_currency(run: Import, cells: Reading, price: Decimal | None, *, currency: str) -> None:
    """Warn where a price stands on an order in one currency just as it stood on the requisition in another."""
    asked = run.asked_prices.get(cells.text("id"))
    if asked is not None and price == asked[0] and currency != asked[1]:
        cells.warn(
            "unit_price", "PRICE_CARRIED_OVER", f"The price stood in {asked[1]} on the requisition, now in {currency}"
        )
