"""The way of an amendment through the ERP (A40.7): made there, read back, compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.act import Installation
from engine.bpmn import BpmnError
from engine.registry import Registry, Work
from processes.documents import existing
from processes.erp import ErpByHand, ErpRefused, ErpUnavailable, document_of
from processes.erp_adapters import erp_of
from processes.transmission import UNAVAILABLE, read_back, send_sheet
from records.purchase_order import (
    PurchaseOrder,
)

registry = Registry()


@registry.errand("amend_in_erp")
def amend_in_erp(installation: Installation, work: Work) -> Mapping[str, Any]:
    """A40.7: make the ERP's order this revision; what it refuses is a difference like any other.

    Raises: BpmnError ERP_UNAVAILABLE after the last try or when it has to be keyed; ErpUnavailable before.
    """
    with installation.reading() as session:
        order = existing(session, PurchaseOrder, work["order"]["id"])
        erp, document, number = erp_of(installation, order.site), document_of(order), order.number
    try:
        erp.amend_order(document, number=number)
    except ErpRefused as refusal:
        return {"erp": {"number": number, "refusal": str(refusal)}}
    except ErpByHand as by_hand:
        send_sheet(installation, work)
        raise BpmnError(UNAVAILABLE, str(by_hand)) from by_hand
    except ErpUnavailable as silence:
        if work.retries > 0:
            raise
        send_sheet(installation, work)
        raise BpmnError(UNAVAILABLE, str(silence)) from silence
    return {"erp": {"number": number, "refusal": None}}


@registry.errand("read_amendment_back")
def read_amendment_back(installation: Installation, work: Work) -> Mapping[str, Any]:
    """A40.7: read the revision back and compare it with what was approved. Raises: as ``read_back`` of a new order."""
    refusal = work["erp"].get("refusal")
    if refusal:
        difference = {"field": "revision", "ours": "accepted", "theirs": f"refused: {refusal}"}
        number = work["erp"]["number"]
        return {"comparison": {"equal": False, "number": number, "system": "ERP", "differences": [difference]}}
    return read_back(installation, work) or {}
