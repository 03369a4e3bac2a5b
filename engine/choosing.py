"""Choose what is done in an ad-hoc sub-process while it is open: who may choose sees what there is, and lets it begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from engine import motion, waiting
from engine.errors import Conflict, Invalid
from engine.spiff import NotWaiting
from engine.stored.instance import Instance, InstanceStatus
from engine.variables import accepted

if TYPE_CHECKING:
    from engine.act import Act

MOST = 100
"""Elements that one choice may let begin."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An element to begin. variables: of this time alone, plain Python values that FEEL knows."""

    element_id: str
    variables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OpenAdHoc:
    """An ad-hoc sub-process that is open. elements: (id, name) of what may be chosen. running: how many choices are at work."""

    token_id: int
    process_id: str
    element_id: str
    name: str
    elements: tuple[tuple[str, str], ...]
    running: int


def open_ad_hocs(session: Session, instance: Instance) -> list[OpenAdHoc]:
    """Return the ad-hoc sub-processes of an instance where something may be chosen now, oldest first.

    None once it has ended, or when nobody can read its state.
    """
    if instance.status != InstanceStatus.RUNNING:
        return []
    try:
        flow = waiting.look(session, instance)
    except Conflict:
        return []  # The watchdog's incident says so; a page that shows it must open.
    return [
        OpenAdHoc(
            token.id,
            token.element.process_id,
            token.element.id,
            token.element.name or token.element.id,
            tuple((one.id, one.name or one.id) for one in flow.choices(token.id)),
            len(flow.chosen(token.id)),
        )
        for token in flow.ad_hocs()
    ]


def choose(
    act: Act,
    instance_id: str,
    token_id: int,
    choices: Sequence[Choice],
    *,
    ends_others: bool = False,
    reason: str = "",
) -> Instance:
    """Let elements of an open ad-hoc sub-process begin, one as often as it is named.

    ends_others: what runs in it is cancelled first. Raises: NotFound; Invalid; Conflict NOT_OPEN when it is not open or has no
    such element, NOT_RUNNING, SUSPENDED.
    """
    if not 1 <= len(choices) <= MOST:
        raise Invalid(
            f"Expected 1 to {MOST} elements to begin, but there are {len(choices)}", {"elements": f"1 to {MOST}"}
        )
    taken = [(one.element_id, accepted(one.variables)) for one in choices]
    instance = motion.running(motion.lock(act, instance_id))
    with motion.moving(act, instance) as moved:
        moved.fired += moved.flow.tick(act.now)
        moved.why = "something else was chosen instead"
        try:
            moved.flow.activate(token_id, taken, ends_others=ends_others)
        except NotWaiting as refusal:
            raise Conflict(str(refusal), code="NOT_OPEN") from refusal
        for name, _ in taken:
            act.note("instance", instance.id, "CHOSEN", field=name, reason=reason.strip() or None)
    act.session.flush()
    return instance
