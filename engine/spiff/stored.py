"""The stored variables of an instance, scope by scope, as bytes that nobody has to open.

What was packed is one run of bytes for each scope, behind a table of contents: ``{"scopes": [0, 7], "lengths": [40, 25]}``, in
the order of their ids.
A scope's own bytes begin with a table of contents too: ``[name, length]`` of each value that follows, ``[name, size, digest]`` of
one that is kept elsewhere because it is large. Instances stored before scopes had bytes of their own have
``[[scope, name, length], ...]`` in front of all values.
"""

from __future__ import annotations

import hashlib
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate

import orjson

Key = tuple[int, str]
_BEHIND_ALL = sys.maxsize


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A value that is fetched when somebody looks at it. size: in bytes. digest: the SHA-256 of them."""

    size: int
    digest: str

    @classmethod
    def of(cls, data: bytes) -> Elsewhere:
        """Describe a value that is kept elsewhere."""
        return cls(len(data), hashlib.sha256(data).hexdigest())

    def is_of(self, data: bytes) -> bool:
        """Say whether these are the value's bytes."""
        return len(data) == self.size and hashlib.sha256(data).hexdigest() == self.digest


Held = bytes | Elsewhere
Fetch = Callable[[Key, Elsewhere], bytes]


class Stored(Mapping[Key, bytes]):
    """Every stored variable by scope and name, as bytes. A scope is opened when it is first asked for, a large value fetched then.

    fetch: brings a value that is kept elsewhere. is_older: it is not packed as it is now, so that whoever stores a change packs all.
    """

    __slots__ = ("_body", "_fetch", "_lengths", "_opened", "_packed", "_starts", "is_older")

    def __init__(self, packed: bytes = b"", fetch: Fetch | None = None) -> None:
        head, _, body = packed.partition(b"\n")
        self.is_older = head.startswith(b"[")
        self._opened: dict[int, dict[str, Held]] = _opened_of(head, body) if self.is_older else {}
        contents = orjson.loads(head) if head and not self.is_older else {"scopes": [], "lengths": []}
        self._packed: list[int] = contents["scopes"]
        self._lengths: list[int] = contents["lengths"]
        self._starts = list(accumulate(self._lengths, initial=0))
        self._body = body
        self._fetch = fetch

    @classmethod
    def of(cls, values: Mapping[Key, bytes]) -> Stored:
        """Return variables that are all at hand."""
        found = cls()
        found.is_older = True
        for (scope, name), data in values.items():
            found._opened.setdefault(scope, {})[name] = data
        return found

    @property
    def scopes(self) -> list[int]:
        """The scopes that hold anything."""
        return sorted({*self._packed, *self._opened})

    def of_scope(self, scope: int) -> Mapping[str, Held]:
        """Return what a scope holds, by name; nothing is fetched."""
        found = self._opened.get(scope)
        if found is None:
            place = bisect_left(self._packed, scope)
            if self._packed[place : place + 1] != [scope]:
                return {}
            found = self._opened[scope] = _values_of(self._body[self._starts[place] : self._starts[place + 1]])
        return found

    def holds(self, key: Key, data: bytes) -> bool:
        """Say whether a value's bytes are these; nothing is fetched."""
        held = self.of_scope(key[0]).get(key[1])
        return held.is_of(data) if isinstance(held, Elsewhere) else held == data

    def whole(self) -> bytes:
        """Return everything packed, what is kept elsewhere included."""
        return Stored().packed_with(
            {scope: pack_scope({name: self[scope, name] for name in self.of_scope(scope)}) for scope in self.scopes}
        )

    def packed_with(self, after: Mapping[int, bytes]) -> bytes:
        """Return everything packed, with other runs of bytes for some scopes: of ``pack_scope``, empty for a scope that holds nothing."""
        scopes: list[int] = []
        lengths: list[int] = []
        runs: list[bytes] = []
        done = 0
        for scope in [*sorted(after), _BEHIND_ALL]:
            place = bisect_left(self._packed, scope)
            scopes += self._packed[done:place]
            lengths += self._lengths[done:place]
            runs.append(self._body[self._starts[done] : self._starts[place]])
            if run := after.get(scope):
                scopes.append(scope)
                lengths.append(len(run))
                runs.append(run)
            done = place + (self._packed[place : place + 1] == [scope])
        contents = {"scopes": scopes, "lengths": lengths}
        return b"".join([orjson.dumps(contents), b"\n", *runs]) if scopes else b""

    def __getitem__(self, key: Key) -> bytes:
        held = self.of_scope(key[0])[key[1]]
        if isinstance(held, bytes):
            return held
        assert self._fetch is not None, f"Expected somebody to fetch {key}, but nobody can"
        return self._fetch(key, held)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, tuple) and key[1] in self.of_scope(key[0])

    def __iter__(self) -> Iterator[Key]:
        return ((scope, name) for scope in self.scopes for name in self.of_scope(scope))

    def __len__(self) -> int:
        return sum(len(self.of_scope(scope)) for scope in self.scopes)


def pack_scope(values: Mapping[str, Held]) -> bytes:
    """Put the values of one scope behind one another, with a table of contents in front; no values are no bytes."""
    if not values:
        return b""
    contents = [
        [name, held.size, held.digest] if isinstance(held, Elsewhere) else [name, len(held)]
        for name, held in values.items()
    ]
    return orjson.dumps(contents) + b"\n" + b"".join(held for held in values.values() if isinstance(held, bytes))


def _values_of(packed: bytes) -> dict[str, Held]:
    head, _, body = packed.partition(b"\n")
    values: dict[str, Held] = {}
    start = 0
    for name, length, *digest in orjson.loads(head):
        if digest:
            values[name] = Elsewhere(length, digest[0])
        else:
            values[name] = body[start : start + length]
            start += length
    return values


def _opened_of(head: bytes, body: bytes) -> dict[int, dict[str, Held]]:
    """Read the older form."""
    values: dict[int, dict[str, Held]] = {}
    start = 0
    for scope, name, length in orjson.loads(head):
        values.setdefault(scope, {})[name] = body[start : start + length]
        start += length
    return values
