"""Signals: something that everybody who waits for it hears, each in an act of its own.

Sending writes the signal and one job for each hearer in the transaction of whoever sends it: all of them hear it, or nobody.
Each hears it in the act of its own job, so one whose flow fails or is busy holds up neither the sender nor the others, no act
locks more than one instance, and what a crash leaves undone the next worker does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from engine import definitions, jobs, motion, starts, suspending
from engine.database import new_id
from engine.errors import Invalid
from engine.registry import Work, own_job
from engine.spiff.codec import decode, encode
from engine.stored.definition import Definition
from engine.stored.instance import InstanceStatus
from engine.stored.wait import Signal, SignalSubscription
from engine.variables import accepted

if TYPE_CHECKING:
    from engine.act import Act

HEAR, BEGIN = "lockstep.hear_signal", "lockstep.begin_by_signal"


def broadcast(act: Act, name: str, variables: Mapping[str, Any] | None = None, *, besides: str | None = None) -> Signal:
    """Send a signal to every instance that waits for it now, and start those that begin with it.

    Each hears it in an act of its own after the commit. besides: an instance that has heard it already. Raises: Invalid.
    """
    if not name.strip() or len(name) > 200:
        raise Invalid("Expected the name of a signal, of 1 to 200 characters", {"name": "1 to 200 characters"})
    taken = accepted(variables)
    act.session.flush()
    subscribed = list(act.session.scalars(select(SignalSubscription).where(SignalSubscription.name == name)))
    hearing = sorted({one.instance_id for one in subscribed if one.instance_id and one.instance_id != besides})
    starting = [one for one in subscribed if one.definition_id is not None]
    signal = Signal(
        id=new_id(),
        name=name,
        variables=encode(dict(taken)),
        sent_at=act.now,
        sent_by=act.actor,
        hearers=len(hearing) + len(starting),
    )
    act.session.add(signal)
    act.note("signal", signal.id, "SIGNAL", field=name, new=str(signal.hearers))
    jobs.defer_for_each(act, HEAR, {"signal": signal.id}, hearing)
    for one in starting:
        jobs.defer(act, BEGIN, {"signal": signal.id, "definition": one.definition_id, "element": one.element_id})
    return signal


@own_job(HEAR)
def hear(act: Act, work: Work) -> None:
    """Let one instance hear a signal, one that is suspended when it goes on; one that has ended is left alone."""
    signal = act.session.get_one(Signal, work["signal"])
    assert work.instance is not None
    instance = motion.lock(act, work.instance.id)
    if instance.status != InstanceStatus.RUNNING:
        return
    if instance.suspended_at is not None:
        suspending.keep_signal(act, instance, signal.name, decode(signal.variables), sent_at=signal.sent_at)
        return
    with motion.moving(act, instance) as moved:
        moved.fired += moved.flow.tick(act.now)
        moved.why = f"the signal {signal.name} came"
        if moved.flow.signal(signal.name, decode(signal.variables)):
            act.note("instance", instance.id, "SIGNAL", field=signal.name)


@own_job(BEGIN)
def begin(act: Act, work: Work) -> None:
    """Start the process that begins with a signal, by its version that is released now."""
    signal = act.session.get_one(Signal, work["signal"])
    definition = act.session.get_one(Definition, work["definition"])
    definition = definitions.released(act.session, definition.process_id)
    query = select(SignalSubscription).where(
        SignalSubscription.definition_id == definition.id, SignalSubscription.name == signal.name
    )
    found = list(act.session.scalars(query.order_by(SignalSubscription.id)))
    same = next((one for one in found if one.element_id == work["element"]), found[0] if found else None)
    if same is not None:
        starts.start(act, definition.id, same.element_id, decode(signal.variables), key="")
