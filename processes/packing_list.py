"""The packing list of a shipment to an outside supplier: no price, and nothing of the routing beyond the operation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typst
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.errors import NotFound
from processes.documents import plain
from processes.outside_documents import specification
from processes.signed_by import signed_order
from records.outside import OutsideMovement
from records.part import OutsideProcess

TEMPLATE = Path(__file__).with_name("packing_list.typ")
CERTIFICATES = {
    "COC": "Certificate of conformance (COC)",
    "MTR": "Material test report (MTR)",
    "HT": "Heat treatment certificate with furnace chart (HT)",
    "NDT": "Report of nondestructive testing with method (NDT)",
    "FAI": "First article inspection report (FAI)",
    "CAL": "Calibration certificate (CAL)",
}


def packing_list_pdf(session: Session, movement: OutsideMovement) -> bytes:
    """Return the list that goes with a shipment. Raises: NotFound for a movement that took no list along."""
    content = typst.compile(TEMPLATE, sys_inputs={"data": json.dumps(data_of(session, movement), ensure_ascii=False)})
    assert isinstance(content, bytes)
    return content


def data_of(session: Session, movement: OutsideMovement) -> dict[str, Any]:
    """Return what stands on the list. Raises: NotFound for a movement that took no list along."""
    if movement.packing_list_no is None:
        raise NotFound(f"Expected a shipment with a packing list, but {movement.number} has none")
    link = movement.link
    order, line, operation = link.order, link.order_line, link.operation
    site, part = link.site, link.part_revision
    process = session.scalar(select(OutsideProcess.name).where(OutsideProcess.code == operation.process_code))
    undone = select(OutsideMovement.id).where(OutsideMovement.reverses_id == movement.id)
    return {
        "number": movement.packing_list_no,
        "date": movement.moved_on.isoformat(),
        "undone": session.scalars(undone).first() is not None,
        "plant": {"name": site.name, "address": site.address},
        "supplier": {
            "name": order.supplier.name,
            "address": order.supplier_site.address if order.supplier_site is not None else "",
        },
        "order": {"number": order.number, "revision": movement.order_revision, "line": line.line_no},
        "work_order": operation.work_order.number,
        "operation": operation.op_no,
        "link": link.number,
        "carrier": movement.carrier,
        "return_by": link.return_by.isoformat() if link.return_by else "as ordered",
        "part": part.number if part is not None else operation.work_order.item,
        "part_name": part.part.name if part is not None else "",
        "process": process or operation.process_code or operation.description,
        "spec": specification(link.spec, link.spec_rev) if link.spec else "",
        "quantity": plain(abs(movement.quantity)),
        "uom": link.uom,
        "serials": [serial.serial for serial in movement.serials],
        "lots": list(movement.lots),
        "coupons": link.coupon_plan,
        "certificates": [CERTIFICATES.get(code, code) for code in line.certificates],
        "documents": list(movement.documents),
        "signatures": signed_order(session, order),
    }
