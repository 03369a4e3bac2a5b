"""Variables in scopes that belong to the instance. Knows neither BPMN nor the workflow library.

A scope has an id and at most one scope around it; the root of the instance is 0, and the root of a called process has no
scope around it. Each variable is kept as its own bytes and decoded when somebody first looks at it; what was never looked
at is never decoded, or even fetched when it is large, and what was never written is never encoded again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dmn import FeelValues, Value, to_feel
from engine.spiff.codec import NotStorable, decode, encode
from engine.spiff.stored import Elsewhere, Key, Stored

ROOT = 0
Change = tuple[int, str, str]
"""A variable that changed: its scope, its name, and ``create`` or ``update``."""
_UNREAD = frozenset({bytes, Elsewhere})
_NOTHING = Stored()
MOST_COLLECTED = 50_000_000
"""Bytes of a list that is collected element by element."""


class Scopes:
    """Every scope of one instance, with its variables and what changed since they were loaded.

    A stored value that nobody has looked at yet stands among the values as it is stored: no FEEL value is bytes. A stored scope
    that nobody has looked at is not among the values at all.
    """

    def __init__(self) -> None:
        self.around: dict[int, int | None] = {}
        self.version = 0
        self._values: dict[int, dict[str, Any]] = {}
        self._closed: list[int] = []
        self._stored = _NOTHING
        self._written: dict[Key, bytes | None] = {}
        """What was written since, as it is stored; None for a list that is encoded when somebody wants its bytes."""
        self._collected: dict[Key, int] = {}
        self.heard: list[Change] | None = None
        """What changed since every condition was asked; kept only while one wants to know."""

    def load(self, around: Mapping[int, int | None], variables: Mapping[Key, bytes]) -> None:
        """Take over stored scopes and stored variables as they are."""
        self.around.update(around)
        self._stored = variables if isinstance(variables, Stored) else Stored.of(variables)

    def __contains__(self, scope: int) -> bool:
        return scope in self.around

    def open(self, scope: int, around: int | None) -> None:
        """Open a scope; opening it again changes nothing."""
        if scope not in self.around:
            self.around[scope] = around
            self._values[scope] = {}

    def close(self, scope: int) -> None:
        """Forget a scope and all its variables."""
        if self.around.pop(scope, self) is not self:
            self._closed.append(scope)
            for name in self._values.pop(scope, ()):
                self._written.pop((scope, name), None)

    def chain(self, scope: int) -> tuple[int, ...]:
        """Return the scope and those around it, innermost first."""
        scopes: list[int] = []
        current: int | None = scope
        while current is not None:
            scopes.append(current)
            current = self.around[current]
        return tuple(scopes)

    def get(self, scope: int, name: str) -> Any:
        """Return a variable of exactly this scope, as a FEEL value that nobody changes in place. Raises: KeyError."""
        values = self._of(scope)
        value = values[name]
        if type(value) in _UNREAD:
            value = values[name] = decode(self._bytes(scope, name))
        return value

    def look_up(self, scope: int, name: str) -> Value:
        """Return a variable of the nearest scope outwards that has the name. Raises: KeyError."""
        current: int | None = scope
        while current is not None:
            values = self._values.get(current)
            if values is None:
                values = self._of(current)
            if name in values:
                value: Value = values[name]
                return value if type(value) not in _UNREAD else self.get(current, name)
            current = self.around[current]
        raise KeyError(name)

    def names(self, scope: int) -> list[str]:
        """List the variables of exactly this scope."""
        return list(self._of(scope))

    def has(self, scope: int, name: str) -> bool:
        """Say whether exactly this scope holds the name."""
        return name in self._of(scope)

    def assign(self, scope: int, name: str, value: Any) -> None:
        """Write a FEEL value into exactly this scope. Raises: NotStorable, and then nothing has changed."""
        data = encode(value)
        if self.heard is not None:
            self._hear(scope, name, data)
        self._of(scope)[name] = value
        self.version += 1
        if self._stored.holds((scope, name), data):
            self._written.pop((scope, name), None)
        else:
            self._written[scope, name] = data

    def assign_item(self, scope: int, name: str, place: int, value: Value) -> None:
        """Write one element of a list that exactly this scope holds. The rest of it is not looked at, however long it is.

        value: a FEEL value. Raises: NotStorable, also when the list becomes too long; then nothing has changed.
        """
        data = encode(value)
        size = self._collected.get((scope, name)) or len(self._bytes(scope, name))
        if size + len(data) > MOST_COLLECTED:
            raise NotStorable(f"Expected at most {MOST_COLLECTED:,} bytes of {name}, but there are more to collect")
        self._collected[scope, name] = size + len(data)
        items = list(self.get(scope, name))
        if self.heard is not None and encode(items[place]) != data:
            self.heard.append((scope, name, "update"))
        items[place] = value
        self._of(scope)[name] = items
        self._written[scope, name] = None
        self.version += 1

    def _hear(self, scope: int, name: str, data: bytes) -> None:
        assert self.heard is not None
        if not self.has(scope, name):
            self.heard.append((scope, name, "create"))
        elif (
            self._bytes(scope, name) != data
            if (scope, name) in self._written
            else not self._stored.holds((scope, name), data)
        ):
            self.heard.append((scope, name, "update"))

    def propagate(self, scope: int, name: str, value: Any) -> None:
        """Write to the nearest scope outwards that already has the name, else to the outermost one (Camunda 8)."""
        self.assign(self.holder(scope, name), name, value)

    def holder(self, scope: int, name: str) -> int:
        """Return the scope that ``propagate`` would write the name to."""
        current = scope
        while not self.has(current, name):
            outer = self.around[current]
            if outer is None:
                return current
            current = outer
        return current

    def copy(self, source: int, target: int) -> None:
        """Copy the variables of one scope into another without decoding what nobody has looked at."""
        for name, value in self._of(source).items():
            data = self._bytes(source, name)
            self._of(target)[name] = data if type(value) in _UNREAD else value
            self._written[target, name] = data
        self.version += 1

    def texts(self, scope: int) -> dict[str, str]:
        """Return the variables of one scope as stored text."""
        return {name: self._bytes(scope, name).decode() for name in self._of(scope)}

    def put_texts(self, scope: int, texts: Mapping[str, str]) -> None:
        """Write variables that ``texts`` returned."""
        for name, text in texts.items():
            self.assign(scope, name, decode(text.encode()))

    def changes(self) -> tuple[dict[Key, bytes], set[Key]]:
        """Return what was written since loading, and the keys of stored variables that are gone."""
        gone: set[Key] = set()
        for scope in {*self._closed, *self._values}:
            if stored := self._stored.of_scope(scope):
                gone.update((scope, name) for name in stored.keys() - self._values.get(scope, {}).keys())
        written: dict[Key, bytes] = {}
        for key, known in self._written.items():
            data = self._bytes(*key) if known is None else known
            if known is not None or not self._stored.holds(key, data):
                written[key] = data
        return written, gone

    def _of(self, scope: int) -> dict[str, Any]:
        values = self._values.get(scope)
        if values is None:
            if scope not in self.around:
                raise KeyError(scope)
            values = self._values[scope] = dict(self._stored.of_scope(scope))
        return values

    def _bytes(self, scope: int, name: str) -> bytes:
        key = (scope, name)
        if key not in self._written:
            return self._stored[key]
        data = self._written[key]
        if data is None:
            data = self._written[key] = encode(self._values[scope][name])
        return data


class View(FeelValues):
    """The variables that one place in an instance can see, looked up on demand, innermost scope first, as FEEL values.

    extra: names on top that belong to no scope.
    """

    __slots__ = ("_extra", "_scope", "_scopes")

    def __init__(self, scopes: Scopes, scope: int, extra: Mapping[str, Any] | None = None) -> None:
        self._scopes = scopes
        self._scope = scope
        self._extra = extra or {}

    def __getitem__(self, name: str) -> Any:
        if name in self._extra:
            return to_feel(self._extra[name])
        return self._scopes.look_up(self._scope, name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (
            name in self._extra or any(self._scopes.has(scope, name) for scope in self._scopes.chain(self._scope))
        )

    def __iter__(self) -> Iterator[str]:
        seen = dict.fromkeys(self._extra)
        for scope in self._scopes.chain(self._scope):
            seen.update(dict.fromkeys(name for name in self._scopes.names(scope) if not name.startswith("=")))
        return iter(seen)

    def __len__(self) -> int:
        return sum(1 for _ in self)
