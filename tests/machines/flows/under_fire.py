"""What the steps of the flow ``under_fire`` do: each leaves exactly one event in its run's chain, and one mail is promised."""

from __future__ import annotations

from engine.act import Act
from engine.jobs import defer
from engine.registry import Registry, Work

registry = Registry()


@registry.step("under_fire_take")
def take(act: Act, work: Work) -> None:
    """Note, in the act of whoever moved the run here, that it was taken up."""
    act.note("under_fire", work.instance.id, "TAKEN")


@registry.job("under_fire_count")
def count(act: Act, work: Work) -> dict[str, int]:
    """Note, in an act of the worker's own, that it was counted, and promise a mail."""
    act.note("under_fire", work.instance.id, "COUNTED")
    key = work.instance.business_key
    defer(act, "mail", {"to": ["floor@example.com"], "subject": f"Counted {key}", "text": key})
    return {"counted": 1}
