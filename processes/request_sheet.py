"""A request for quotation on paper, as one supplier gets it: what is asked for, until when, and nothing of the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typst

from processes.documents import plain
from processes.quoting import last_day
from records.quotation import Invitation, RequestLine

TEMPLATE = Path(__file__).with_name("request_sheet.typ")


def request_pdf(invitation: Invitation) -> bytes:
    """Return the PDF of a request for one of the suppliers who are asked."""
    content = typst.compile(TEMPLATE, sys_inputs={"data": json.dumps(_data(invitation), ensure_ascii=False)})
    assert isinstance(content, bytes)
    return content


def _data(invitation: Invitation) -> dict[str, Any]:
    request, supplier = invitation.request, invitation.supplier
    site, day = request.site, last_day(request)
    address = next((place.address for place in supplier.sites if place.is_default), "")
    return {
        "number": request.number,
        "plant": {"name": site.name, "address": site.address},
        "supplier": {"name": supplier.name, "address": address},
        "buyer": {"name": request.buyer.name, "email": request.buyer.email}
        if request.buyer
        else {"name": "", "email": ""},
        "date": site.local_day(request.sent_at).isoformat() if request.sent_at else "",
        "answer_by": day.isoformat() if day else "",
        "zone": site.time_zone,
        "ship_to": request.ship_to or site.address or site.name,
        "currency": request.currency,
        "message": request.message,
        "lines": [_line(line) for line in request.lines],
    }


def _line(line: RequestLine) -> dict[str, Any]:
    part = line.requisition_line.part_revision
    return {
        "no": line.line_no,
        "item": line.item,
        "name": part.part.name if part is not None else "",
        "description": line.description,
        "spec": line.spec,
        "quantity": plain(line.quantity),
        "uom": line.uom,
        "need_by": line.need_by.isoformat() if line.need_by else "",
    }
