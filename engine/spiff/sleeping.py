"""Inner instances of a multi-instance that nobody has looked at since they were stored.

A thousand people who are asked at once are a thousand tokens that differ by nothing but their index. Such a token sleeps: it is
a number among those of its body until somebody asks for it, and goes to sleep again when the instance is stored. Whoever walks
over all tokens wakes all; completing one wakes that one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.spiff.token import Token
from engine.spiff.waiting import wait_of

if TYPE_CHECKING:
    from _collections_abc import dict_items, dict_values

    from engine.spiff.host import Wait


@dataclass(eq=False, slots=True)
class Sleepers:
    """The sleeping inner instances of one body. spec: of each. places: the index of each by its token id."""

    body: Token
    spec: Any
    places: dict[int, int]

    def wake(self, token_id: int) -> Token:
        """Make a token of a number."""
        token = Token(self.body.workflow, self.spec, self.body, state=self.spec.rests, id=token_id)
        token.internal_data = {"from": [self.body.id], "index": self.places.pop(token_id), "in": 1}
        return token


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


class Tokens(dict[int, Token]):
    """The live tokens of an instance by id. One that sleeps wakes when it is asked for.

    asleep: those that sleep. before: what each token that is awake waited for when it was looked at first, once ``meet`` was called.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asleep: dict[int, Sleepers] = {}
        self.before: dict[tuple[int, str], Wait] | None = None

    def lay(self, sleepers: Sleepers) -> None:
        """Take over tokens that sleep."""
        body = sleepers.body
        body.workflow.asleep[body.id] = sleepers
        self.asleep.update(dict.fromkeys(sleepers.places, sleepers))
        body._children = sorted([*body._children, *sleepers.places])

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
        wait = wait_of(token)
        if self.before is not None and wait is not None:
            self.before[wait.token_id, wait.kind] = wait

    def _wake_all(self) -> None:
        if self.asleep:
            for token_id in list(self.asleep):
                self.get(token_id)
            tokens = sorted(super().items())
            self.clear()
            self.update(tokens)

    def __missing__(self, token_id: int) -> Token:
        # It is asleep until it is made: its body knows it already.
        token = self[token_id] = self.asleep[token_id].wake(token_id)
        del self.asleep[token_id]
        self._note(token)
        return token

    def get(self, token_id: int, default: Any = None) -> Any:
        """Return a token, or the default."""
        return self[token_id] if token_id in self.asleep else super().get(token_id, default)

    def __contains__(self, token_id: object) -> bool:
        return super().__contains__(token_id) or token_id in self.asleep

    def __len__(self) -> int:
        return super().__len__() + len(self.asleep)

    def __iter__(self) -> Iterator[int]:
        self._wake_all()
        return super().__iter__()

    def values(self) -> dict_values[int, Token]:
        """Return every token, oldest first."""
        self._wake_all()
        return super().values()

    def items(self) -> dict_items[int, Token]:
        """Return every token with its id, oldest first."""
        self._wake_all()
        return super().items()
