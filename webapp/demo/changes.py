"""Changes of the demo plant in every state: asked for, refused, with the board, being carried out, and an emergency that is over."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from engine.act import Installation
from engine.messages import Publication
from engine.worker import run_until_idle
from processes import change_control, change_orders
from processes.change_requests import open_request, submit
from records.change_order import ChangeType, FaiDecision, ItemAction
from records.change_request import OrderClass, RequestSource, Urgency
from records.impact import Disposition
from webapp.demo.change_plant import BRACKET, CAGE, RAIL, Thing, build_things, order_things, revision_of
from webapp.demo.change_way import Way

At = Callable[[dt.datetime], AbstractContextManager[None]]
DAY = dt.timedelta(days=1)
LOOKED_AT = "Looked at with the drawing; what we need is in the dispositions."


def change_things(installation: Installation, *, today: dt.datetime, at: At) -> None:
    """Write what changes are about, and let the cast take each change as far as it is today."""
    with at(today - 15 * DAY), installation.acting("system:demo") as act:
        build_things(act, today=today)
    with at(today - 14 * DAY), installation.acting("user:bea", reason="Frame contract FC-2026-11") as act:
        order_things(act, today=today)
    with at(today - 9 * DAY):
        _emergency(installation)
    with at(today - 7 * DAY):
        _refused(installation)
    with at(today - 5 * DAY):
        _carried_out(installation)
    with at(today - 2 * DAY):
        _with_the_board(installation, today=today)
    with at(today - DAY / 4):
        _asked(installation)


def _emergency(installation: Installation) -> None:
    """The robot breaks at night: two sign, the board approves afterwards, quality verifies, it is closed."""
    with installation.acting("user:ella") as act:
        order = change_control.declare_emergency(
            act, title="Deburr by hand while the robot is down", reason="The robot's gripper broke; lot 7521 ships on Friday.",
            bounds=[{"kind": "WORK_ORDER", "first": "WO-7521", "max_quantity": 10}], type=ChangeType.PROCESS,
            effectivity_kind="NEXT_BUILD", effectivity_value="", fai=FaiDecision.NONE,
        )  # fmt: skip
        change_orders.add_item(act, order, revision_of(act, CAGE), action=ItemAction.DOC_ONLY)
        began = change_control.take_up(act, order)
    way = _way(installation, began)
    way.do("decide_slot", "ella", "approve")
    way.do("decide_slot", "quinn", "approve")
    way.do("write_change", "pat")
    way.do_each("assess_area", "impact", assessment=LOOKED_AT)
    way.dispose({("WO-7521", state): Disposition.FINISH_AS_OLD for state in ("STARTED", "NOT_STARTED")})
    way.do_each("dispose_orders")
    way.vote("ella", "quinn")
    way.do("do_task", "pat", "done", evidence="Instruction WI-7521, sheet 2: deburr by hand, with a sample")
    way.do("verify_change", "mina", "verified", sample="Ten cages under the lens: no burr, edges 0.2 mm")
    way.do("close_change", "pat", "close", summary="A second gripper is in stock now.")


def _refused(installation: Installation) -> None:
    """A wish for a thinner rail that quality refuses; nobody writes it again."""
    way = _accepted(
        installation, "rita", title="Leave out the second inspection of slide rails",
        problem="Inspection takes as long as grinding.", proposal="Inspect one rail of five.", source=RequestSource.COST,
    )  # fmt: skip
    with installation.acting("user:pat") as act:
        order = way.order(act)
        content = {
            "type": ChangeType.DOCUMENT, "effectivity_kind": "NEXT_BUILD", "effectivity_value": "", "fai": FaiDecision.NONE,
        }  # fmt: skip
        change_orders.write(act, order, content)
        change_orders.add_item(act, order, revision_of(act, RAIL), action=ItemAction.DOC_ONLY)
    way.do("write_change", "pat")
    way.do_each("assess_area", "impact", assessment=LOOKED_AT)
    way.dispose(_whatever(RAIL))
    way.do_each("dispose_orders")
    way.vote("ella")
    way.vote("quinn", verdict="reject", reason="Two rails of the last lot failed at exactly this inspection.")
    way.do("answer_rejection", "pat", "end", "Quality is right")


def _carried_out(installation: Installation) -> None:
    """The rail's finish: approved, the revision is released, its supplier is still to be told and its people to be trained."""
    way = _accepted(
        installation, "otto", title="Finer finish of slide rail ways", problem="Rails squeal after 200 hours.",
        proposal="Grind the ways to Ra 0.2.", source=RequestSource.NCR,
    )  # fmt: skip
    with installation.acting("user:pat") as act:
        order = way.order(act)
        content = {
            "effectivity_kind": "NEXT_BUILD", "effectivity_value": "", "fai": FaiDecision.DELTA, "is_training_required": True,
        }  # fmt: skip
        change_orders.write(act, order, content)
        change_orders.add_item(act, order, revision_of(act, RAIL), revision_of(act, RAIL, RAIL.draft))
    way.do("write_change", "pat")
    way.do_each("assess_area", "impact", assessment=LOOKED_AT)
    way.dispose(_whatever(RAIL) | {("WO-7511", "NOT_STARTED"): Disposition.CONVERT})
    way.do_each("dispose_orders")
    way.vote("ella", "quinn")


def _with_the_board(installation: Installation, *, today: dt.datetime) -> None:
    """The bracket's slot: seven rows decided, engineering and manufacturing agree, quality and purchasing are asked."""
    with installation.acting("user:pat") as act:
        order = change_orders.open_order(
            act, change_class=OrderClass.C4, title="Wider slot for the M8 bolt of wing brackets",
            reason="The slot binds at -40 °C: 8.0 mm leaves no play. Customer report 26-118.", fai=FaiDecision.DELTA,
            effectivity_kind="DATE", effectivity_value=str((today + 40 * DAY).date()),
        )  # fmt: skip
        change_orders.add_item(act, order, revision_of(act, BRACKET), revision_of(act, BRACKET, BRACKET.draft))
        began = change_control.take_up(act, order)
    way = _way(installation, began)
    way.do("write_change", "pat")
    way.do_each("assess_area", "impact", assessment=LOOKED_AT)
    way.dispose(
        {
            ("L-2200-35", "AVAILABLE"): Disposition.USE_UNTIL_EXHAUSTED,
            ("PO-5010/1", "ON_ORDER"): Disposition.AMEND,
            ("PO-5011/1", "ON_ORDER"): Disposition.CANCEL,
            ("PO-000007/1", "AWAY"): Disposition.FINISH_AS_OLD,
            ("WO-7501", "STARTED"): Disposition.FINISH_AS_OLD,
            ("WO-7501", "NOT_STARTED"): Disposition.CONVERT,
            ("WO-7502", "NOT_STARTED"): Disposition.CONVERT,
        },
    )
    way.do_each("dispose_orders")
    way.vote("ella", "olga")


def _asked(installation: Installation) -> None:
    """One request waits for triage."""
    with installation.acting("user:otto") as act:
        request = open_request(
            act, title="Chamfer on valve cage bores", problem="Seals are cut at the sharp edge when the cage is put together.",
            proposal="0.5 mm by 30 degrees on both bores.", source=RequestSource.NCR, source_ref="NCR-000001",
            urgency=Urgency.URGENT,
        )  # fmt: skip
        submit(act, request)
        change_control.begin(act, request)
    run_until_idle(installation)


def _accepted(installation: Installation, who: str, **asked: Any) -> Way:
    """Ask for a change, and accept it in triage as technically minor."""
    with installation.acting(f"user:{who}") as act:
        request = open_request(act, proposed_class=OrderClass.C3, **asked)
        submit(act, request)
        began = change_control.begin(act, request)
    way = _way(installation, began)
    way.do("triage_request", "pat", "accept")
    return way


def _way(installation: Installation, began: Publication) -> Way:
    run_until_idle(installation)
    assert began.instance_id is not None, "Expected a flow of the change, but the message started none"
    return Way(installation, began.instance_id)


def _whatever(thing: Thing) -> dict[tuple[str, str], Disposition]:
    """Return what becomes of a thing's pieces when nothing is done to those that there are."""
    return (
        {(number, "AVAILABLE"): Disposition.USE_UNTIL_EXHAUSTED for number, _ in thing.stock}
        | {(f"{number}/1", "ON_ORDER"): Disposition.FINISH_AS_OLD for number, _, _ in thing.orders}
        | {
            (number, state): Disposition.FINISH_AS_OLD
            for number, _, _ in thing.works
            for state in ("NOT_STARTED", "STARTED")
        }
    )
