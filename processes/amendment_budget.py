"""The money behind an amendment: a rise is set aside on the cost centre, what is spent less is given back."""

from __future__ import annotations

from decimal import Decimal

from engine.act import Act
from records.amendment import PurchaseOrderAmendment
from records.cost_centre import committed_for, encumber, release
from records.money import convert
from records.purchase_order import PurchaseOrder
from records.sourcing import rate_on


def follow(act: Act, order: PurchaseOrder, amendment: PurchaseOrderAmendment) -> None:
    """Commit a rise under the amendment's own name; give back, at most what still stands, of the order's requisitions.

    Amounts are in the cost centre's currency at the day's rate. An order without a requisition commits nothing.
    """
    asked = [line.requisition_line for line in order.lines if line.requisition_line is not None]
    if not asked or not amendment.money_delta:
        return
    centre, day = asked[0].requisition.cost_centre, order.site.local_day(act.now)
    rate = rate_on(act.session, order.currency, company_currency=centre.currency, on=day)
    amount = convert(abs(amendment.money_delta), rate, currency=centre.currency)
    if amendment.money_delta > 0 and amount > 0:
        encumber(act, centre, amount, fiscal_year=day.year, document=(amendment.record_type, amendment.id))
        return
    left = amount
    earlier = [("purchase_order_amendment", amendment.reverts_id)] if amendment.reverts_id else []
    earlier.append((order.record_type, order.id))
    for document in [*earlier, *dict.fromkeys(("requisition", one.requisition_id) for one in asked)]:
        back = min(left, committed_for(act.session, document))
        if back > Decimal(0):
            release(act, document=document, amount=back)
            left -= back
