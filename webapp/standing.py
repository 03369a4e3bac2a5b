"""Where a run stands, element by element: a thousand tokens at one step are one line, with the list of them behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.canonical import is_whole
from engine.errors import Invalid
from webapp.listing import LIMIT, Listing

FEW = 3
"""Tokens of one place that the page of a run names; the rest are counted, and listed on a page of their own."""


@dataclass(frozen=True, slots=True)
class Place:
    """One step with the tokens at it that say the same. tokens: as ``diagrams.tokens_of`` gives them, oldest first."""

    process: str
    element: str
    name: str
    words: str
    is_stuck: bool
    tokens: list[dict[str, Any]] = field(default_factory=list)

    @property
    def key(self) -> str:
        """How an address names its step."""
        return f"{self.process}/{self.element}"

    @property
    def first(self) -> list[str]:
        """What the first tokens are inside of, where they say it."""
        return [token["where"] for token in self.tokens[:FEW] if token["where"]]


def places_of(tokens: Sequence[dict[str, Any]]) -> list[Place]:
    """Return the steps at which tokens stand, those with incidents first, then in the order in which tokens came."""
    found: dict[tuple[str, str, bool, str], Place] = {}
    for token in tokens:
        said = "incident" if token["incident"] else token["words"]
        key = (token["process"], token["element"], token["incident"], said)
        place = found.setdefault(key, Place(token["process"], token["element"], token["name"], said, token["incident"]))
        place.tokens.append(token)
    return sorted(found.values(), key=lambda place: not place.is_stuck)


def steps_of(tokens: Sequence[dict[str, Any]]) -> list[tuple[str, str, int]]:
    """Return (key, name, tokens) of each step that tokens stand at, in the order in which they came."""
    counts = Counter(f"{token['process']}/{token['element']}" for token in tokens)
    names = {f"{token['process']}/{token['element']}": token["name"] for token in tokens}
    return [(key, names[key], count) for key, count in counts.items()]


def listed(tokens: Sequence[dict[str, Any]], *, query: str, at: str, after: str, limit: int = LIMIT) -> Listing:
    """Return a page of tokens, oldest first. at: ``process/element``, empty for everywhere; after: the last token's number.

    Raises: Invalid.
    """
    if after and not is_whole(after):
        raise Invalid(
            f"Expected the number of a token to go on from, but found “{after[:20]}”", {"after": "is no number"}
        )
    begins = int(after or -1)
    fitting = sorted(
        (token for token in tokens if token["token"] > begins and _fits(token, query.lower(), at)),
        key=lambda token: int(token["token"]),
    )
    goes_on = len(fitting) > limit
    return Listing(fitting[:limit], query, "", str(fitting[limit - 1]["token"]) if goes_on else "")


def _fits(token: dict[str, Any], query: str, at: str) -> bool:
    if at and f"{token['process']}/{token['element']}" != at:
        return False
    return not query or any(query in str(token[name]).lower() for name in ("name", "where", "title", "words", "token"))
