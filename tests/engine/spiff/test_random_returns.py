"""Random models with random returns: after each, exactly those tasks wait that would if what is void had never been done."""

from __future__ import annotations

import random

from engine.spiff import Bundle, read_bundle
from engine.spiff.returning import Lineage, earlier_steps, return_to
from tests.engine.spiff.diagrams import diagram, end, process, sequence, start
from tests.engine.spiff.story import House, Story
from tests.engine.spiff.test_random_models import Block, Maker, Place, places

MODELS, RETURNS = 60, 4


class Straight(Maker):
    """Without loops: they count in variables, which a return does not roll back."""

    def block(self, depth: int) -> Block:
        kinds = [self.task, self.chain, self.both, self.either, self.some, self.many, self.inside, self.chosen]
        return self.dice.choice(kinds if depth > 0 else kinds[:1])(depth - 1)


def drawn(maker: Maker) -> Bundle:
    whole = maker.block(4)
    flows = "\n".join([*whole.flows, f"s > {whole.first}", f"{whole.last} > e"])
    return read_bundle({"p.bpmn": diagram(process(start(), *whole.drawn, end(), sequence(flows)))})


def complete(story: Story, place: Place) -> int:
    token = places(story)[place]
    story.flow.complete(token, {"last": place[0]})
    story._acted()
    return token


def maybe_return(story: Story, dice: random.Random) -> set[int] | None:
    """Return from a random task to a random earlier step, when there is one; answer the void tokens."""
    lineage = Lineage.of(story.flow, story.history)
    found = [step for token in sorted(places(story).values()) for step in earlier_steps(story.flow, lineage, token)]
    if not found:
        return None
    void = return_to(story.flow, lineage, dice.choice(found).token_id)
    story._acted()
    return void


def test_what_waits_after_a_return_is_what_would_wait_had_the_void_never_been_done() -> None:
    returned = 0
    for seed in range(MODELS):
        maker = Straight(seed)
        bundle, dice = drawn(maker), random.Random(seed)
        story = Story(bundle, House(), forgets=seed % 2 == 0, v=maker.v)
        done: list[tuple[Place, int]] = []
        left = RETURNS
        while not story.flow.done:
            waiting = places(story)
            assert waiting, seed
            if done and left and dice.random() < 0.3:
                left -= 1
                void = maybe_return(story, dice)
                if void is None:
                    continue
                returned += 1
                done = [(place, token) for place, token in done if token not in void]
                again = Story(bundle, House(), forgets=False, v=maker.v)
                for place, _ in done:
                    complete(again, place)
                assert set(places(story)) == set(places(again)), seed
                continue
            place = dice.choice(sorted(waiting, key=str))
            done.append((place, complete(story, place)))
        assert story.ended_at("e"), seed
        assert set(story.flow.scopes.around) <= {0}, seed
    assert returned > MODELS / 2


def test_models_with_loops_always_come_to_their_end_after_returns() -> None:
    for seed in range(1000, 1000 + MODELS):
        maker = Maker(seed)
        bundle, dice = drawn(maker), random.Random(seed)
        story = Story(bundle, House(), forgets=seed % 2 == 0, v=maker.v)
        left = RETURNS
        while not story.flow.done:
            assert places(story), seed
            if left and dice.random() < 0.3:
                left -= 1
                maybe_return(story, dice)
            else:
                complete(story, dice.choice(sorted(places(story), key=str)))
        assert story.ended_at("e"), seed
