"""The supplier gate as a flow sees it (A16): open or not, why, and who else could deliver."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from engine.act import Act
from processes.documents import sentences, spoken
from records.requisition import RequisitionLine
from records.supplier import Supplier
from rules.supplier_gate import Point, judge, suppliers_for

SHOWN = 10
"""Other suppliers that are named at most."""


def gate_of(act: Act, supplier: Supplier, lines: Sequence[RequisitionLine], *, today: dt.date) -> dict[str, Any]:
    """Return the variable ``gate``: result ok, conditional or blocked, findings in sentences, limits and alternatives.

    today: the site-local day. Limits of a one-time approval that are kept do not stop the award; they bind its order.
    """
    site = next((place for place in supplier.sites if place.is_default), None)
    judgement = judge(act.session, supplier, lines, point=Point.GATE, on=today, site=site)
    shown = judgement.stops or judgement.findings
    return {
        "result": "blocked" if judgement.stops else "ok",
        "findings": sentences(spoken(finding) for finding in shown),
        "limits": [
            {
                "approval_id": row.id,
                "max_quantity": row.max_quantity,
                "max_value": row.max_value,
                "ends_on": row.valid_to,
                "conditions": row.conditions,
            }
            for row in judgement.limits
        ],
        "alternatives": _alternatives(act, supplier, lines, today) if judgement.stops else [],
    }


def _alternatives(
    act: Act, supplier: Supplier, lines: Sequence[RequisitionLine], today: dt.date
) -> list[dict[str, str]]:
    """Return who else is approved for every line."""
    able = [set(suppliers_for(act.session, line, on=today)) for line in lines]
    everywhere = set.intersection(*able) - {supplier} if able else set()
    named = sorted(everywhere, key=lambda other: (other.name, other.supplier_no))
    return [{"supplier_no": other.supplier_no, "name": other.name} for other in named[:SHOWN]]
