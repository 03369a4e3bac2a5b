"""Many people move pieces of one link at one instant: the balance holds, and whoever comes too late is told why."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from engine.act import Act, Installation
from engine.errors import Refused
from processes.outside_losses import declare_lost
from processes.outside_moving import Return, Shipment, recall, ship, take_back
from records.outside import COUNTERS, MovementKind, OutsideLink
from tests.clock import SettableClock
from tests.makers import D
from tests.outside import OutsideStory, ready_link

Verb = Callable[[Act, OutsideLink], object]


def ships(count: int) -> tuple[str, MovementKind, int, Verb]:
    event = f"ship-{count}"
    given = Shipment(quantity=D(count), uom="EA", event_id=event, is_partial=True)
    return "sam", MovementKind.SHIP_OUT, count, lambda act, link: ship(act, link, given)


def returns(count: int, *, is_scrap: bool = False) -> tuple[str, MovementKind, int, Verb]:
    good, scrap = (0, count) if is_scrap else (count, 0)
    given = Return(good=D(good), scrap=D(scrap), uom="EA", event_id=f"back-{count}-{is_scrap}")
    kind = MovementKind.RETURN_SCRAP if is_scrap else MovementKind.RETURN_GOOD
    return "sam", kind, count, lambda act, link: take_back(act, link, given)


def recalls(count: int) -> tuple[str, MovementKind, int, Verb]:
    return (
        "rita", MovementKind.RECALL, count,
        lambda act, link: recall(act, link, D(count), reason="Wrong drawing", event_id=f"recall-{count}"),
    )  # fmt: skip


def loses(count: int) -> tuple[str, MovementKind, int, Verb]:
    return (
        "rita", MovementKind.DECLARED_LOST, count,
        lambda act, link: declare_lost(
            act, link, D(count), statement="Letter of 2026-11-22", follow_up="REPLENISH", event_id=f"lost-{count}"
        ),
    )  # fmt: skip


@ready_link
def test_shipping_returning_recalling_and_losing_at_once_keeps_the_balance_and_tells_the_losers_why(
    plant: Installation, clock: SettableClock
) -> None:
    """24 are allocated and 10 are away: whatever comes first, 26 more do not leave and 26 do not come home."""
    story = OutsideStory(plant, clock).ready(24).ship(10, is_partial=True)
    link_id = story.link.id
    wishes = [
        ships(5),
        ships(12),
        ships(9),
        returns(6),
        returns(4),
        returns(5, is_scrap=True),
        recalls(6),
        loses(5),
    ]
    outcomes: dict[int, str] = {}
    gate = threading.Barrier(len(wishes))

    def wish(turn: int) -> None:
        who, _, _, verb = wishes[turn]
        gate.wait()
        try:
            with plant.acting(f"user:{who}") as act:
                verb(act, act.session.get_one(OutsideLink, link_id))
            outcomes[turn] = "moved"
        except Refused as refusal:
            outcomes[turn] = refusal.message

    threads = [threading.Thread(target=wish, args=(turn,)) for turn in range(len(wishes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(outcomes) == len(wishes), "somebody got no answer"
    moved = [wishes[turn] for turn, answer in outcomes.items() if answer == "moved"]
    late = [answer for answer in outcomes.values() if answer != "moved"]
    assert moved
    assert late
    assert [answer for answer in late if not answer.startswith("Expected ")] == []
    totals = dict.fromkeys(MovementKind, 0) | {MovementKind.SHIP_OUT: 10}
    for _, kind, count, _ in moved:
        totals[kind] += count
    kept = story.link
    assert {kind: getattr(kept, name) for kind, name in COUNTERS.items()} == totals
    assert kept.at_supplier == kept.shipped - kept.good - kept.scrap - kept.lost - kept.recalled >= 0
    assert kept.shipped - kept.recalled <= kept.allocated_quantity
    assert story.settle().incidents == []


@pytest.mark.parametrize("count", [6])
@ready_link
def test_one_event_told_by_many_at_once_moves_once(plant: Installation, clock: SettableClock, count: int) -> None:
    story = OutsideStory(plant, clock).ready(24).ship(24)
    link_id = story.link.id
    gate, answers = threading.Barrier(count), []

    def tell() -> None:
        gate.wait()
        try:
            with plant.acting("adapter:edi") as act:
                back = Return(good=D(4), scrap=D(0), uom="EA", event_id="asn-1")
                take_back(act, act.session.get_one(OutsideLink, link_id), back)
            answers.append("moved")
        except Refused as refusal:
            answers.append(refusal.message)

    threads = [threading.Thread(target=tell) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == count
    assert all(answer == "moved" or answer.startswith("Expected ") for answer in answers), answers
    assert story.balance() == (24, 4, 0, 0, 0, 20)
