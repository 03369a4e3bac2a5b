"""requisition_to_po as it ships, with its approval rounds, forms and tables, and what its service tasks answer here.

One happy way: two stages of approval for the requisition (two seats and one), two awards; each award is chosen, completed,
approved by two seats, issued and acknowledged. 15 user tasks, eleven of them decided upon, nine of these signed. Steps answer
with constants on either side: what they would write into business documents is no work of an engine. Tables really decide in
Lockstep only.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from benchmarks.models import LINES, Model
from benchmarks.stock import translate
from engine.act import Act
from engine.registry import Registry, Work
from processes.bundle import bundle_files

PROCESS = "requisition_to_po"
MANAGERS = {
    "role": "PUR_MGR",
    "groups": ["PUR_MGR"],
    "users": [],
    "excludes": [],
    "why": "the amount",
    "rows": [1],
    "seat": None,
}
SEATS = [MANAGERS | {"position": number} for number in (1, 2)]
REQUISITION = {
    "id": "r-1", "number": "REQ-1", "hash": "a" * 64, "requester": "rita", "cost_centre": "4711", "total": 1250, "currency": "EUR",
    "total_company": 1250, "party": "NorthStar", "priority": "NORMAL", "lines": LINES,
}  # fmt: skip
AWARDS = [
    {
        "supplier_id": f"s-{number}",
        "supplier_name": "NorthStar",
        "currency": "EUR",
        "total": 600,
        "hash": "b" * 64,
        "line_ids": ["1"],
    }
    for number in (1, 2)
]
RECORD = {
    "type": "requisition", "id": "r-1", "number": "REQ-1", "hash": "a" * 64, "priority": 50, "requester": "rita", "title": "REQ-1",
    "amount": 1250, "party": "NorthStar",
}  # fmt: skip
ORDER = {
    "id": "o-1", "number": "PO-1", "hash": "c" * 64, "total": 600, "buyer": "bea", "supplier_name": "NorthStar",
    "valid_until": "2027-11-22T15:00:00Z", "clock_from": "2026-11-22T15:00:00Z",
}  # fmt: skip
FACTS = {
    "amount": 1250, "criticality": ["NORMAL"], "special_process": False, "new_supplier": False, "single_source": False,
    "capex": False, "project_line_amount": None, "export_controlled": False, "customer_directed": False, "calibration": False,
    "gxp_software": False, "advance_payment": 0, "foreign_exposure": 0,
}  # fmt: skip
ACKNOWLEDGED = {
    "result": "ACCEPT",
    "reference": "AB-1",
    "note": "",
    "lines": [],
    "channel": "EMAIL",
    "moves_dates": False,
}
VARIABLES: Mapping[str, Any] = {"requisition": REQUISITION, "approval_record": RECORD}

STEPS: Mapping[str, Mapping[str, Any]] = {
    "validate_requisition": {"problems": []},
    "find_suspicions": {"suspicions": []},
    "check_budget": {"budget": {"over_percent": 0}},
    "gather_facts": {"facts": FACTS},
    "build_plan": {"plan": {"stages": [
        {"number": 1, "name": "Purchasing", "quorum": "all", "slots": SEATS},
        {"number": 2, "name": "Management", "quorum": "all", "slots": SEATS[:1]},
    ]}},
    "commit_budget": {},
    "propose_awards": {"awards": AWARDS},
    "find_source": {"sourcing": {
        "total": 600, "has_supplier": False, "contract_remainder": 0, "customer_directed": False, "attempt": 1, "single_source": False,
        "route": "CHOOSE",
    }},
    "settle_source": {"choice": {"needs_justification": False, "buyer": "bea", "problem": None}},
    "check_supplier": {"gate": {"result": "ok"}},
    "draft_order": {"order": ORDER},
    "check_consistency": {"findings": []},
    "gather_order_facts": {"facts": FACTS},
    "build_order_plan": {"approval_record": RECORD, "plan": {"stages": [{"number": 1, "name": "Order", "quorum": "all", "slots": SEATS}]}},
    "mark_approved": {},
    "recheck_order": {"hold": None},
    "create_in_erp": {"erp": {"number": "45-1"}},
    "read_back": {"comparison": {"equal": True}},
    "transmit_order": {},
    "apply_acknowledgement": {"acknowledgement": ACKNOWLEDGED},
    "fill_slot": {},
    "close_requisition": {"ordered_count": 2},
}  # fmt: skip
"""What each service task on the way answers, by job type."""

TIMERS = {"approval_remind": 2, "approval_escalate": 4, "approval_expire": 10, "buyer_days": 2, "ack_remind": 2}
"""What the table of deadlines answers, for the engine that does not ask it."""

COMPLETIONS = 3 + len(AWARDS) * 6
SETTLED = {"verdict": "approve", "decision": {"verdict": "approve"}}


def registry() -> Registry:
    """Return steps that answer with constants, except for instants, which a variable holds as such."""
    made = Registry()
    for kind, answer in STEPS.items():
        made.step(kind)(_answering(answer))
    return made


def _answering(answer: Mapping[str, Any]) -> Any:
    ready = {name: _with_instants(value) for name, value in answer.items()}

    def step(_act: Act, _work: Work) -> Mapping[str, Any]:
        return ready

    return step


def _with_instants(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {
        name: dt.datetime.fromisoformat(item) if name in ("valid_until", "clock_from") else item
        for name, item in value.items()
    }


def shipped() -> Model:
    """Return the shipped flow in both dialects."""
    files = bundle_files()
    by_name = {path.rpartition("/")[2]: content for path, content in files.items()}
    answers = {
        kind: "\n".join(f"{name} = {value!r}" for name, value in answer.items()) or "pass"
        for kind, answer in STEPS.items()
    }
    scripts = answers | {
        "weigh_budget": "budget_route = {'outcome': 'WITHIN'}",
        "find_approvers": "approvals = []",
        "find_order_approvers": "approvals = []",
        "find_next_level": "next_level = {'next': 'OPS_DIR'}",
        "read_deadlines": f"timers = {TIMERS!r}",
        "build_plan": answers["build_plan"] + "\nstage_number = 0",
        "build_order_plan": answers["build_order_plan"] + "\nstage_number = 0",
        "open_next_stage": "stage_number = stage_number + 1\nstage = plan['stages'][stage_number - 1]\nverdict = None",
    }
    counts = {
        "make_order": str(len(AWARDS)),
        "sign_stage": "len(stage['slots'])",
        "decide_supplement": "2",
        "send_request": "3",
    }
    calls = {
        "approve_requisition": "approval_round", "approve_order": "approval_round", "approve_amendment": "approval_round",
        "amend_counter_offer": "amend_order", "ask_for_quotes": "request_for_quotation",
    }  # fmt: skip
    stock = tuple(
        translate(by_name[name], scripts=scripts, counts=counts, calls=calls)
        for name in ("requisition_to_po.bpmn", "approval_round.bpmn", "amend_order.bpmn", "request_for_quotation.bpmn")
    )
    return Model(PROCESS, COMPLETIONS, files, stock, process_id=PROCESS, variables=VARIABLES, data=SETTLED)
