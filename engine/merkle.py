"""A Merkle tree over byte strings, as in RFC 6962: leaves and nodes hash under different prefixes, and no leaf is doubled."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

EMPTY = hashlib.sha256(b"").hexdigest()
"""The root over nothing."""


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def root(hashes: Sequence[bytes]) -> str:
    """Return the root (64 hex digits) over the hashes of leaves."""
    return _levels(hashes)[-1][0].hex() if hashes else EMPTY


def proofs(hashes: Sequence[bytes], positions: Sequence[int]) -> list[list[str]]:
    """Return for each position the way from its leaf to the root: sibling hashes in hex, each behind ``L`` or ``R``, its side."""
    levels = _levels(hashes)[:-1]
    return [_way(levels, position) for position in positions]


def climb(start: bytes, way: Sequence[str]) -> str:
    """Return the root to which a way leads from the hash of a leaf."""
    node = start
    for step in way:
        other = bytes.fromhex(step[1:])
        node = _node(other, node) if step[0] == "L" else _node(node, other)
    return node.hex()


def _way(levels: Sequence[Sequence[bytes]], position: int) -> list[str]:
    way = []
    for level in levels:
        sibling = position ^ 1
        if sibling < len(level):
            way.append(f"{'L' if sibling < position else 'R'}{level[sibling].hex()}")
        position //= 2
    return way


def _levels(hashes: Sequence[bytes]) -> list[list[bytes]]:
    """Return every level from the leaves to the root; the odd one out of a level rises as it is."""
    levels = [list(hashes)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        above = [_node(below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)]
        levels.append([*above, below[-1]] if len(below) % 2 else above)
    return levels


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
