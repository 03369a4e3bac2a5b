"""A flow whose tokens sleep until somebody looks does exactly what one does where every token is awake."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from typing import Any

import orjson

from engine.spiff import Bundle, Flow, NotStorable, NotWaiting, state
from engine.spiff.host import BpmnError, Incident, Wait
from engine.spiff.modifying import EditKind, NotLegal, TokenEdit, modify, movable, places
from engine.spiff.returning import Lineage, earlier_steps, return_to
from tests.engine.spiff.diagrams import (
    association,
    boundary,
    call,
    each,
    end,
    event_sub,
    io,
    message,
    node,
    on,
    process,
    service,
    start,
    sub,
    timer,
    user,
    when,
)
from tests.engine.spiff.story import House, bundle_of

ROUNDS = 60
STEPS = 14


def model() -> Bundle:
    """Votes, work, sub-processes and calls that are done for each of many, with everything that may reach into them."""
    votes = user("vote", each("=items", output="votes", collect="=answer"))
    works = service("each_work", each("=items"), type="outside")
    late = boundary("late", "a", timer("duration", '="PT" + string(item) + "H"'), interrupting=False)
    told = boundary("told", "b", on("message", "m"))
    seen = boundary("seen_there", "b", when("=x > 5"), interrupting=False)
    heard_there = boundary("heard_there", "l", on("signal", "g"), interrupting=False)
    inside = (
        start("is"), user("a"), late, user("l"), heard_there, seen, node("receiveTask", "wait", messageRef="m"), user("b"), told,
        service("undo", type="undo", isForCompensation="true"), service("done", type="now"),
        boundary("un", "done", on("compensate")), association("as", "un", "undo"),
        node("exclusiveGateway", "x"), end("failed", on("error", "err")), end("ie"), end("le"), end("te"), end("se"),
    )  # fmt: skip
    each_sub = sub(
        "each", *inside, each("=items", output="results", collect="=answer"),
        flows="is > a > done > x\nx -[=answer = 3]-> failed\nx -[=answer != 3]-> wait\nwait > b > ie\nlate > l > le\n"
        "told > te\nseen_there > se\nheard_there > se",
    )  # fmt: skip
    error = boundary("error", "each", on("error", "err"))
    heard = boundary("heard", "each", on("signal", "g"), interrupting=False)
    undone = node("intermediateThrowEvent", "undo_all", on("compensate"))
    called = process(
        start("qs"), user("q1"), sub("qsub", start("qss"), user("q2"), end("qse"), flows="qss > q2 > qse"),
        event_sub(
            "qe_sub", start("qes", timer("duration", "PT9H"), isInterrupting="false"), user("q3"), end("qee"),
            flows="qes > q3 > qee",
        ),
        end("qe"), id="q", flows="qs > q1 > qsub > qe",
    )  # fmt: skip
    calls = call("calls", "q", each("=items"), extensions=io(inputs={"mine": "=item"}))
    wide = event_sub(
        "seen", start("ses", when("=x > 7"), isInterrupting="false"), user("looked"), end("see"), flows="ses > looked > see"
    )  # fmt: skip
    return bundle_of(
        start(), node("parallelGateway", "fork"), node("inclusiveGateway", "join"), votes, works, each_sub, error, heard,
        user("h"), user("after"), calls, undone, wide, end(), end("er"), end("he"),
        flows="s > fork\nfork > vote > join\nfork > each_work > join\nfork > each > join\nfork > calls > join\n"
        "join > after > undo_all > e\nerror > er\nheard > h > he",
        definitions=message("m", "go", "=item") + node("error", "err", errorCode="E") + node("signal", "g", name="sig"),
        others={"q": called},
    )  # fmt: skip


def whole(flow: Flow) -> Any:
    """Return all that is stored of a flow, whatever the order in which its tokens are stored."""
    *head, tokens, subs, log = orjson.loads(state.dump(flow, is_awake=True))
    return [*head, sorted(tokens, key=str), sorted([*sub[:4], sorted(sub[4], key=str)] for sub in subs), log]


class Twins:
    """One instance, taken up twice before each command: once with tokens that sleep, once with all awake."""

    def __init__(self, bundle: Bundle, seed: int) -> None:
        self.random = random.Random(seed)
        self.bundle, self.house = bundle, House(now={}, undo={})
        items = [self.random.randint(1, 6) for _ in range(self.random.randint(1, 4))]
        flow = Flow.start(bundle, "p", {"items": items, "answer": 0, "x": 0}, self.house)
        self.history, self.stored, self.state = list(flow.history), dict(flow.changed_variables()[0]), flow.state()

    def taken_up(self, *, is_awake: bool) -> Flow:
        return Flow.load(self.bundle, self.state, self.stored, self.house, is_awake=is_awake)

    def step(self, command: Callable[[Flow], Any]) -> None:
        seen = []
        for is_awake in (True, False):
            flow = self.taken_up(is_awake=is_awake)
            before = flow.meet()
            try:
                answer: Any = repr(command(flow))
            except (NotWaiting, NotLegal, NotStorable, Incident, KeyError) as refusal:
                answer = repr(refusal)
                flow = self.taken_up(is_awake=is_awake)
                before = flow.meet()
            waits = {(wait.token_id, wait.kind): wait for wait in flow.waits_awake()}
            opened = sorted(key for key in waits if key not in before)
            gone = sorted(key for key in before if key not in waits and not flow.sleeps(key[0]))
            dues = [*flow.dues_asleep(), *(wait.due for wait in waits.values() if wait.due is not None)]
            written, lost = flow.changed_variables()
            stored, kept, history = flow.state(), dict(self.stored) | written, list(flow.history)
            for key in lost:
                del kept[key]
            seen.append((answer, opened, gone, min(dues, default=None), kept, history, list(flow.thrown)))
            again = [whole(Flow.load(self.bundle, stored, kept, self.house)), whole(flow)]
            assert again[0] == again[1]
            seen[-1] += (again[0],)
            self.next = stored
        for name, awake, asleep in zip(
            ("answer", "opened", "gone", "due", "kept", "history", "thrown", "whole"), *seen, strict=True
        ):
            assert awake == asleep, name
        self.stored, self.state = seen[1][4], self.next
        self.history += seen[1][5]

    def waits(self) -> list[Wait]:
        return self.taken_up(is_awake=True).waits()

    def anything(self) -> Callable[[Flow], Any]:
        chance, waits = self.random, self.waits()
        by = {
            kind: [one.token_id for one in waits if one.kind == kind] for kind in ("task", "job", "message", "incident")
        }
        value = chance.randint(0, 9)
        acts: list[Callable[[Flow], Any]] = [
            lambda flow: flow.signal("sig", {"answer": value}),
            lambda flow: flow.set_variable(0, "x", value),
            lambda flow: flow.tick(self.house.now),
        ]
        for kind in ("task", "task", "job"):
            if by[kind]:
                one = chance.choice(by[kind])
                acts += [lambda flow, one=one: flow.complete(one, {"answer": value})] * 3
                acts.append(lambda flow, one=one: flow.fail(one, BpmnError("E" if value < 2 else "other")))
                acts.append(lambda flow, one=one: flow.hold(one, "gave up"))
                acts.append(lambda flow, one=one: flow.set_variable(flow.scope_of(one), "note", value))
        if by["message"]:
            one = chance.choice(by["message"])
            acts += [lambda flow: flow.deliver(one, {"answer": value})] * 3
        if by["incident"]:
            stuck = chance.choice(by["incident"])
            acts += [lambda flow: flow.retry(stuck)] * 3
        flow = self.taken_up(is_awake=True)
        bodies = [token.id for token in flow.live.values() if hasattr(token.task_spec, "collect")]
        if bodies:
            body = chance.choice(bodies)
            acts.append(lambda flow: flow.add_instance(body, value))
            acts.append(lambda flow: (flow.instances(body), flow.instance_tokens(body)))
        token = chance.choice(movable(flow)).id if movable(flow) else None
        place = chance.choice([*places(flow), None])
        if token is not None and place is not None:
            kind = chance.choice(list(EditKind))
            acts.append(lambda flow: modify(flow, [TokenEdit(kind, token, place.id)]))
        if by["task"]:
            task = chance.choice(by["task"])
            past = list(self.history)
            steps = [one.token_id for one in earlier_steps(flow, Lineage.of(flow, past), task)]
            if steps:
                step = chance.choice(steps)
                acts.append(lambda flow: return_to(flow, Lineage.of(self.taken_up(is_awake=True), past), step))
        if chance.random() < 0.02:
            acts.append(lambda flow: flow.cancel())
        return chance.choice(acts)


def test_what_sleeps_is_woken_by_whatever_reaches_it() -> None:
    bundle = model()
    for seed in range(ROUNDS):
        twins = Twins(bundle, seed)
        for _ in range(STEPS):
            if twins.random.random() < 0.3:
                twins.house.now += dt.timedelta(hours=twins.random.randint(1, 4))
            twins.step(twins.anything())
