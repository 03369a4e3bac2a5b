"""The shipped bundle: the diagrams and forms of this package, and the tables they ask."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = (ROOT / "processes" / "bpmn", ROOT / "rules" / "tables")
KINDS = frozenset({".bpmn", ".form", ".dmn"})


def bundle_files() -> dict[str, bytes]:
    """Return the path, relative to the checkout, and the bytes of every file that can be deployed."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for folder in FOLDERS
        for path in sorted(folder.iterdir())
        if path.suffix in KINDS
    }
