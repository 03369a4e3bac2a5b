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


def test_templates_write_no_markup_of_theirs_and_every_icon_they_name_is_drawn() -> None:
    """What people typed is escaped everywhere: nothing is called safe, no attribute goes without quotes, no script stands in a page."""
    folder = DIST.parent.parent
    texts = {
        path: path.read_text("utf-8")
        for path in [*folder.glob("templates/**/*.html"), *folder.glob("api/templates/**/*.html")]
    }
    forbidden = re.compile(r"\|\s*safe\b|autoescape|<script(?![^>]*\bsrc=)|\s(?!url|content)[a-z-]+=\{\{|\bon[a-z]+=\"")
    found = [f"{path.name}: {one[0]}" for path, text in texts.items() for one in forbidden.finditer(text)]
    assert found == []
    called = re.compile(r"""(?<!import )Markup\((?!\)|""|['"][^'"]*['"]\))""")
    made = [path.stem for path in folder.rglob("*.py") if called.search(path.read_text("utf-8"))]
    assert sorted(made) == ["change_links", "form_texts", "formats", "mentions"], (
        "look how each of them escapes before adding one"
    )
    drawn = set(re.findall(r'id="([a-z]+)"', (folder / "static" / "icons.svg").read_text("utf-8")))
    named = {name for text in texts.values() for name in re.findall(r'icon\("([a-z]+)"', text)}
    assert named <= drawn
