"""The built front end: what a page needs first stays small, and nothing of it comes from elsewhere."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

DIST = Path(__file__).parent.parent / "webapp" / "static" / "dist"
FIRST_LOAD = 200_000
"""Bytes after compression that a first visit may cost: script, style, font."""


def built(name: str) -> Path:
    manifest = json.loads((DIST / "manifest.json").read_text("utf-8"))
    return DIST / manifest[name]


def compressed(path: Path) -> int:
    return path.stat().st_size if path.suffix == ".woff2" else len(gzip.compress(path.read_bytes(), 9))


def test_the_manifest_names_files_that_are_there() -> None:
    for name in ("app.js", "app.css", "diagram.js", "diagram.css"):
        assert built(name).is_file(), name


def test_a_first_visit_loads_little() -> None:
    fonts = sorted(DIST.glob("*.woff2"))
    total = sum(map(compressed, [built("app.js"), built("app.css"), *fonts]))
    assert 0 < total <= FIRST_LOAD


def test_every_text_file_lies_compressed_beside_itself() -> None:
    for path in [*DIST.glob("*.js"), *DIST.glob("*.css")]:
        assert gzip.decompress(Path(f"{path}.gz").read_bytes()) == path.read_bytes()


def test_styles_and_fonts_come_from_here() -> None:
    for name in ("app.css", "diagram.css"):
        text = built(name).read_text("utf-8")
        assert re.findall(r"url\(\s*[\"']?(https?:)?//", text) == []
        assert "@import" not in text
