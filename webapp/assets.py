"""Built files by their plain names: ``asset("app.js")`` is the hashed URL that the manifest of the build gives."""

from __future__ import annotations

import json
from pathlib import Path

from flask import current_app, url_for

STATIC = Path(__file__).parent / "static"
MANIFEST = STATIC / "dist" / "manifest.json"


def read_manifest() -> dict[str, str]:
    """Return plain name to file name under static/dist; empty when the front end was never built."""
    if not MANIFEST.is_file():
        return {}
    names: dict[str, str] = json.loads(MANIFEST.read_text("utf-8"))
    return names


def asset(name: str) -> str:
    """Return the URL of a built file. Without a build the page still reads and decides, only plainer."""
    manifest: dict[str, str] = current_app.extensions["assets"]
    if current_app.debug:
        manifest = read_manifest()
    return url_for("static", filename=f"dist/{manifest.get(name, name)}")
