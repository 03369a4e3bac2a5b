"""Random models that are moved to a version with other ids and back, at any moment: what waits is what would wait without a move."""

from __future__ import annotations

import random
import re

from engine.spiff import Bundle, read_bundle
from engine.spiff.migrating import judge, relocate
from tests.engine.spiff.diagrams import diagram, end, process, sequence, start
from tests.engine.spiff.story import House, Story
from tests.engine.spiff.test_random_models import Maker, places

MODELS = 80
_NAMED = re.compile(rb'\b(id|sourceRef|targetRef|attachedToRef|default|messageRef)="(?!p"|definitions")([^"]+)"')


def renamed(drawn: bytes) -> bytes:
    """Give everything another id."""
    return re.sub(rb"&quot;(\w+)&quot;", rb"&quot;\1_new&quot;", _NAMED.sub(rb'\1="\2_new"', drawn))


def versions_of(maker: Maker) -> tuple[Bundle, Bundle, dict[str, str]]:
    """Draw a model twice, the second time with another id for everything, and say which is which."""
    whole = maker.block(4)
    flows = "\n".join([*whole.flows, f"s > {whole.first}", f"{whole.last} > e"])
    drawn = diagram(process(start(), *whole.drawn, end(), sequence(flows)))
    first, second = read_bundle({"p.bpmn": drawn}), read_bundle({"p.bpmn": renamed(drawn)})
    return first, second, {one: f"{one}_new" for one in first.processes["p"].elements}


def move(story: Story, target: Bundle, mapping: dict[str, str]) -> None:
    found = judge(story.flow, target, mapping)
    assert (found.unplaced, found.blocked) == ([], [])
    story.flow = relocate(story.flow, target, found, story.house, mapping=mapping, stored=story.stored)
    story.bundle = target
    story._acted()


def test_what_waits_after_any_move_is_what_would_wait_without_it() -> None:
    moves = 0
    for seed in range(MODELS):
        maker = Maker(seed)
        maker.v = seed % 4
        old, new, mapping = versions_of(maker)
        back = {there: here for here, there in mapping.items()}
        moved, stays = Story(old, House(), forgets=True, v=maker.v), Story(old, House(), forgets=False, v=maker.v)
        dice = random.Random(seed)
        while not stays.flow.done:
            if dice.random() < 0.4:
                is_old = moved.bundle is old
                move(moved, new if is_old else old, mapping if is_old else back)
                moves += 1
            here = {(name.removesuffix("_new"), around): token for (name, around), token in places(moved).items()}
            there = places(stays)
            assert here == there, seed
            place = dice.choice(sorted(there, key=str))
            for story, token in ((moved, here[place]), (stays, there[place])):
                story.flow.complete(token, {"last": place[0]})
                story._acted()
        assert moved.flow.done, seed
        assert moved.variables == stays.variables, seed
        assert set(moved.flow.scopes.around) <= {0}, seed
    assert moves > MODELS
