"""Random block-structured models: at every step exactly those tasks wait that a much simpler machine says.

The machine below knows no tokens, gateways or scopes; it walks the blocks that a model was made of.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterator
from itertools import count, pairwise

import pytest

from engine.spiff import read_bundle
from tests.engine.spiff.diagrams import (
    boundary,
    diagram,
    each,
    end,
    io,
    node,
    process,
    script,
    sequence,
    start,
    sub,
    timer,
    user,
)
from tests.engine.spiff.story import House, Story

MODELS = 400
Place = tuple[str, frozenset[tuple[str, int]]]
Machine = Iterator["set[Place]"]


class Block:
    """A piece of a process: what is drawn of it, and what it does."""

    def __init__(
        self,
        first: str,
        last: str,
        drawn: list[str],
        flows: list[str],
        run: Callable[[frozenset[tuple[str, int]]], Runner],
    ) -> None:
        self.first, self.last, self.drawn, self.flows, self.run = first, last, drawn, flows, run


class Runner:
    """What waits in a block, and what happens when one of it is done."""

    def waiting(self) -> set[Place]:
        raise AssertionError

    def do(self, place: Place) -> bool:
        """Do one waiting task; say whether it was mine."""
        raise AssertionError

    def dues(self) -> dict[Place, dt.datetime]:
        """When timers beside what waits go off; doing such a place is what the timer does."""
        return {}

    @property
    def done(self) -> bool:
        return not self.waiting()


class One(Runner):
    def __init__(self, place: Place) -> None:
        self.place: Place | None = place

    def waiting(self) -> set[Place]:
        return {self.place} if self.place else set()

    def do(self, place: Place) -> bool:
        mine = self.place == place
        self.place = None if mine else self.place
        return mine


class All(Runner):
    def __init__(self, parts: list[Runner]) -> None:
        self.parts = parts

    def waiting(self) -> set[Place]:
        return set().union(*(part.waiting() for part in self.parts))

    def do(self, place: Place) -> bool:
        return any(part.do(place) for part in self.parts)

    def dues(self) -> dict[Place, dt.datetime]:
        return {place: due for part in self.parts for place, due in part.dues().items()}


class Chain(Runner):
    def __init__(self, parts: list[Callable[[], Runner]]) -> None:
        self.rest = parts
        self.now: Runner = All([])
        self.skip()

    def skip(self) -> None:
        while self.now.done and self.rest:
            self.now = self.rest.pop(0)()

    def waiting(self) -> set[Place]:
        return self.now.waiting()

    def do(self, place: Place) -> bool:
        mine = self.now.do(place)
        self.skip()
        return mine

    def dues(self) -> dict[Place, dt.datetime]:
        return self.now.dues()


class Maker:
    """Draws random blocks. All choices depend on the variable ``v``, which is fixed for a run."""

    def __init__(self, seed: int | random.Random) -> None:
        self.dice = seed if isinstance(seed, random.Random) else random.Random(seed)
        self.numbers = count(1)
        self.v = self.dice.randrange(4)

    def id(self, kind: str) -> str:
        return f"{kind}{next(self.numbers)}"

    def block(self, depth: int) -> Block:
        kinds = [
            self.task,
            self.task,
            self.chain,
            self.both,
            self.either,
            self.some,
            self.again,
            self.many,
            self.inside,
            self.chosen,
        ]
        return self.dice.choice(kinds if depth > 0 else kinds[:1])(depth - 1)

    def task(self, depth: int) -> Block:
        name = self.id("task")
        drawn = [user(name)]
        flows = []
        if self.dice.random() < 0.3:
            late, out = self.id("late"), self.id("out")
            drawn += [boundary(late, name, timer("duration", "P9D"), interrupting=self.dice.random() < 0.5), end(out)]
            flows.append(f"{late} > {out}")
        return Block(name, name, drawn, flows, lambda at: One((name, at)))

    def person(self, name: str) -> str:
        """Draw a task of its own that follows a loop."""
        return user(name)

    def chain(self, depth: int) -> Block:
        parts = [self.block(depth) for _ in range(self.dice.randrange(2, 4))]
        links = [f"{one.last} > {two.first}" for one, two in pairwise(parts)]
        drawn, flows = self.together(parts)
        return Block(
            parts[0].first,
            parts[-1].last,
            drawn,
            flows + links,
            lambda at: Chain([(lambda part=part: part.run(at)) for part in parts]),
        )

    def together(self, parts: list[Block]) -> tuple[list[str], list[str]]:
        return [text for part in parts for text in part.drawn], [flow for part in parts for flow in part.flows]

    def branches(self, depth: int, kind: str, conditions: list[str | None]) -> Block:
        fork, join = self.id("fork"), self.id("join")
        parts = [self.block(depth) for _ in conditions]
        drawn, flows = self.together(parts)
        default = {"default": f"{fork}_{parts[-1].first}"} if None in conditions and kind != "parallelGateway" else {}
        drawn += [node(kind, fork, **default), node(kind, join)]
        for part, condition in zip(parts, conditions, strict=True):
            flows += [
                f"{fork} -[{condition}]-> {part.first}" if condition else f"{fork} > {part.first}",
                f"{part.last} > {join}",
            ]
        taken = self.taken(kind, parts, conditions)
        return Block(fork, join, drawn, flows, lambda at: All([part.run(at) for part in taken]))

    def taken(self, kind: str, parts: list[Block], conditions: list[str | None]) -> list[Block]:
        if kind == "parallelGateway":
            return parts
        fitting = [
            part for part, text in zip(parts, conditions, strict=True) if text and self.v < int(text.split("<")[1])
        ]
        return (fitting[:1] if kind == "exclusiveGateway" else fitting) or parts[-1:]

    def both(self, depth: int) -> Block:
        return self.branches(depth, "parallelGateway", [None] * self.dice.randrange(2, 4))

    def some_conditions(self) -> list[str | None]:
        return [f"=v < {self.dice.randrange(5)}" for _ in range(self.dice.randrange(1, 4))] + [None]

    def either(self, depth: int) -> Block:
        return self.branches(depth, "exclusiveGateway", self.some_conditions())

    def some(self, depth: int) -> Block:
        return self.branches(depth, "inclusiveGateway", self.some_conditions())

    def again(self, depth: int) -> Block:
        part, times = self.block(depth), self.dice.randrange(1, 4)
        n, zero, merge, plus, more = (self.id(kind) for kind in ("n", "zero", "merge", "plus", "more"))
        out = self.id("task")
        drawn = [
            *part.drawn,
            script(zero, "=0", n),
            node("exclusiveGateway", merge),
            script(plus, f"={n} + 1", n),
            self.person(out),
        ]
        drawn.append(node("exclusiveGateway", more, default=f"{more}_{out}"))
        flows = [
            *part.flows,
            f"{zero} > {merge} > {part.first}",
            f"{part.last} > {plus} > {more} > {out}",
            f"{more} -[={n} < {times}]-> {merge}",
        ]
        return Block(
            zero, out, drawn, flows, lambda at: Chain([(lambda: part.run(at))] * times + [lambda: One((out, at))])
        )

    def many(self, depth: int) -> Block:
        part, times, one_by_one = self.block(depth), self.dice.randrange(4), self.dice.random() < 0.5
        name, item, first, last = self.id("many"), self.id("item"), self.id("s"), self.id("e")
        # Counters of loops inside must belong to each instance, else parallel instances would count for each other.
        counters = {
            text.split('resultVariable="')[1].split('"')[0]: "=0" for text in part.drawn if 'resultVariable="' in text
        }
        loop = each(f"=[{', '.join(map(str, range(times)))}]", sequential=one_by_one, element=item)
        flows = "\n".join([*part.flows, f"{first} > {part.first}", f"{part.last} > {last}"])
        drawn = sub(
            name,
            loop,
            start(first),
            *part.drawn,
            end(last),
            flows=flows,
            extensions=io(inputs=counters) if counters else "",
        )

        def run(at: frozenset[tuple[str, int]]) -> Runner:
            makers = [(lambda index=index: part.run(at | {(item, index)})) for index in range(times)]
            return Chain(makers) if one_by_one else All([make() for make in makers])

        return Block(name, name, [drawn], [], run)

    def inside(self, depth: int) -> Block:
        part, name, first, last = self.block(depth), self.id("sub"), self.id("s"), self.id("e")
        flows = "\n".join([*part.flows, f"{first} > {part.first}", f"{part.last} > {last}"])
        return Block(name, name, [sub(name, start(first), *part.drawn, end(last), flows=flows)], [], part.run)

    def chosen(self, depth: int) -> Block:
        """Some parts side by side in an ad-hoc sub-process, of which some are chosen."""
        parts = [self.block(depth) for _ in range(self.dice.randrange(1, 4))]
        taken = [part for part in parts if self.dice.random() < 0.6] or parts[:1]
        drawn, flows = self.together(parts)
        # No end event may stand in it: what leads to one just stops.
        drawn = [
            text.replace("bpmn:endEvent", "bpmn:task") if text.startswith("<bpmn:endEvent") else text for text in drawn
        ]
        names = ", ".join(f"&quot;{part.first}&quot;" for part in taken)
        active = f'<zeebe:adHoc activeElementsCollection="=[{names}]" />'
        name = self.id("chosen")
        box = sub(name, *drawn, flows="\n".join(flows), kind="adHocSubProcess", extensions=active)
        return Block(name, name, [box], [], lambda at: All([part.run(at) for part in taken]))


def places(story: Story) -> dict[Place, int]:
    """Where tasks wait: element and the items of the multi-instances around it, with the token."""
    found = {}
    for wait in story.flow.waits():
        if wait.kind != "task":
            assert wait.kind == "timer", wait
            continue
        view = story.flow.variables_view(wait.token_id)
        around = frozenset((name, int(view[name])) for name in view if name.startswith("item"))
        found[wait.element_id, around] = wait.token_id
    return found


@pytest.mark.parametrize("first", range(0, MODELS, 100))
def test_exactly_the_predicted_tasks_wait_and_storing_changes_nothing(first: int) -> None:
    for seed in range(first, first + 100):
        maker = Maker(seed)
        whole = maker.block(4)
        flows = "\n".join([*whole.flows, f"s > {whole.first}", f"{whole.last} > e"])
        bundle = read_bundle({"p.bpmn": diagram(process(start(), *whole.drawn, end(), sequence(flows)))})
        stories = [Story(bundle, House(), forgets=forgets, v=maker.v) for forgets in (False, True)]
        oracle = whole.run(frozenset())
        dice = random.Random(seed)
        while not oracle.done:
            found = [places(story) for story in stories]
            assert set(found[0]) == set(found[1]) == oracle.waiting(), seed
            place = dice.choice(sorted(oracle.waiting(), key=str))
            for story, tokens in zip(stories, found, strict=True):
                story._acted()  # Whoever looked at the places woke every token.
                story.flow.complete(tokens[place], {"last": place[0]})
                story._acted()
            assert oracle.do(place)
        for story in stories:
            assert story.ended_at("e"), seed
        assert stories[0].variables == stories[1].variables
        assert stories[0].history == stories[1].history
