"""Built files travel compressed and stay in the browser."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from flask import Flask

from tests.test_front_end import DIST


@pytest.mark.parametrize(("entry", "kind"), [("app.js", "text/javascript"), ("app.css", "text/css")])
def test_a_built_file_goes_out_compressed_and_is_kept_for_good(app: Flask, entry: str, kind: str) -> None:
    name = json.loads((DIST / "manifest.json").read_text("utf-8"))[entry]
    with app.test_client().get(f"/static/dist/{name}", headers={"Accept-Encoding": "gzip, br"}) as answer:
        assert (answer.status_code, answer.headers["Content-Encoding"], answer.mimetype) == (200, "gzip", kind)
        assert gzip.decompress(answer.data) == Path(DIST / name).read_bytes()
        assert "immutable" in answer.headers["Cache-Control"]
        assert "Accept-Encoding" in answer.headers["Vary"]


def test_a_browser_that_takes_no_gzip_gets_the_file_itself(app: Flask) -> None:
    name = json.loads((DIST / "manifest.json").read_text("utf-8"))["app.css"]
    with app.test_client().get(f"/static/dist/{name}") as answer:
        assert "Content-Encoding" not in answer.headers
        assert answer.data == Path(DIST / name).read_bytes()


@pytest.mark.parametrize("path", ["dist/../../app.py", "dist/nothing.js", "../app.py"])
def test_nothing_outside_the_folder_is_served(app: Flask, path: str) -> None:
    assert app.test_client().get(f"/static/{path}", headers={"Accept-Encoding": "gzip"}).status_code == 404
