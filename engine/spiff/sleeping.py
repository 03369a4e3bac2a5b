"""Inner instances of a multi-instance that nobody has looked at since they were stored.

A thousand people who are asked at once are a thousand tokens that differ by nothing but their index. Such a token sleeps: it is
a number among those of its body until somebody asks for it, and goes to sleep again when the instance is stored. A sub-process or
a call that is done for each of many sleeps with everything inside it, as the bytes that are stored of it. Whoever walks over all
tokens wakes all; completing one wakes that one, and what it is inside of.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.spiff.token import Token
from engine.spiff.waiting import kind_of, wait_of

if TYPE_CHECKING:
    from _collections_abc import dict_items, dict_values

    from engine.spiff.host import Wait


@dataclass(eq=False, slots=True)
class Sleepers:
    """The sleeping inner instances of one body. spec: of each. places: the index of each by its token id."""

    body: Token
    spec: Any
    places: dict[int, int]

    def wake(self, token_id: int) -> Sequence[int]:
        """Make a live token of a number, and return who woke."""
        token = Token(self.body.workflow, self.spec, self.body, state=self.spec.rests, number=token_id)
        token.internal_data = {"from": [self.body.id], "index": self.places.pop(token_id), "in": 1}
        token.flow.live[token_id] = token
        return (token_id,)


@dataclass(eq=False, slots=True)
class Apart:
    """One sleeping inner instance with everything inside it. ids: of its tokens, its own first. stored: as it is stored.

    body_id: of the multi-instance. due: of its earliest timer. place: puts all of it among the live tokens.
    """

    body_id: int
    ids: list[int]
    due: str | None
    stored: bytes
    place: Callable[[Apart], None]

    def wake(self, token_id: int) -> Sequence[int]:
        """Make live tokens of what is stored, and return who woke."""
        self.place(self)
        return self.ids


def may_sleep(token: Token) -> bool:
    """Say whether nothing but its index tells a token from the others of its body, and only somebody from outside moves it on."""
    data = token.internal_data
    return (
        len(data) == 3
        and "index" in data
        and "in" in data
        and token._state == token.task_spec.rests
        and data.get("from") == [token._parent]
        and not token._children
        and token.body is not None
    )


def inside_of(token: Token) -> list[Token] | None:
    """Return what is inside an inner instance with a sub-process that may sleep with it, else None.

    Whatever is in there must wait for what is brought to it by the id of its token, or for a time.
    """
    sub = token.flow.subprocesses.get(token.id)
    if sub is None or sub.key or not token.task_spec.carries or "is_shell" in token.internal_data:
        return None
    found: list[Token] = []
    for one in sub.tasks.values():
        if one is sub.task_tree:
            continue
        deeper = inside_of(one) if one.id in token.flow.subprocesses else _brought(one)
        if deeper is None:
            return None
        found += [one, *deeper]
    return found


def _brought(token: Token) -> list[Token] | None:
    is_brought = kind_of(token) in _BROUGHT and _KEPT_AWAKE.isdisjoint(token.internal_data)
    return [] if is_brought else None


_BROUGHT = frozenset({"task", "job", "message", "timer"})
_KEPT_AWAKE = frozenset({"undoes", "todo", "arrivals", "change"})


class Tokens(dict[int, Token]):
    """The live tokens of an instance by id. One that sleeps wakes when it is asked for.

    asleep: those that sleep. apart: those of them that sleep with what is inside, by the first of their ids. before: what each token
    that is awake waited for when it was looked at first, once ``meet`` was called.
    """

    __slots__ = ("apart", "asleep", "before")

    def __init__(self) -> None:
        super().__init__()
        self.asleep: dict[int, Sleepers | Apart] = {}
        self.apart: dict[int, Apart] = {}
        self.before: dict[tuple[int, str], Wait] | None = None

    def lay(self, sleepers: Sleepers) -> None:
        """Take over tokens that sleep."""
        body = sleepers.body
        body.workflow.asleep[body.id] = sleepers
        self.asleep.update(dict.fromkeys(sleepers.places, sleepers))
        body._children = sorted([*body._children, *sleepers.places])

    def lay_apart(self, sleeping: Sequence[Apart]) -> None:
        """Take over inner instances that sleep with what is inside them."""
        bodies = {one.body_id: self[one.body_id] for one in sleeping}
        for one in sleeping:
            self.apart[one.ids[0]] = one
            self.asleep.update(dict.fromkeys(one.ids, one))
            bodies[one.body_id]._children.append(one.ids[0])
        for body in bodies.values():
            body._children.sort()

    def dues(self) -> list[dt.datetime]:
        """Return when those that sleep want to be woken by a timer."""
        return [dt.datetime.fromisoformat(one.due) for one in self.apart.values() if one.due is not None]

    def wake_due(self, now: dt.datetime) -> None:
        """Wake those in which a timer is due."""
        for one in list(self.apart.values()):
            if one.due is not None and dt.datetime.fromisoformat(one.due) <= now:
                self.get(one.ids[0])

    def awake(self) -> dict_values[int, Token]:
        """Return the tokens that are awake."""
        return super().values()

    def meet(self) -> dict[tuple[int, str], Wait]:
        """Return what the tokens that are awake wait for; what the others waited for is added as they wake."""
        self.before = {}
        for token in self.awake():
            self._note(token)
        return self.before

    def _note(self, token: Token) -> None:
        kind = kind_of(token)
        if self.before is not None and kind is not None:
            self.before[token.id, kind] = wait_of(token, kind)

    def wake(self) -> None:
        """Wake all that sleep."""
        if self.asleep:
            while self.asleep:
                self.get(next(iter(self.asleep)))
            tokens = sorted(super().items())
            self.clear()
            self.update(tokens)

    def __missing__(self, token_id: int) -> Token:
        # They are asleep until they are made: their body knows them already.
        for woken in self.asleep[token_id].wake(token_id):
            del self.asleep[woken]
            self.apart.pop(woken, None)
            self._note(self[woken])
        return self[token_id]

    def get(self, token_id: int, default: Any = None) -> Any:
        """Return a token, or the default."""
        return self[token_id] if token_id in self.asleep else super().get(token_id, default)

    def __contains__(self, token_id: object) -> bool:
        return super().__contains__(token_id) or token_id in self.asleep

    def __len__(self) -> int:
        return super().__len__() + len(self.asleep)

    def __iter__(self) -> Iterator[int]:
        self.wake()
        return super().__iter__()

    def values(self) -> dict_values[int, Token]:
        """Return every token, oldest first."""
        self.wake()
        return super().values()

    def items(self) -> dict_items[int, Token]:
        """Return every token with its id, oldest first."""
        self.wake()
        return super().items()
