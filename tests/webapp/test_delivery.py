"""Built files travel compressed and stay in the browser."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.people import lena, rita
from tests.story import Story
from tests.test_front_end import DIST, FIRST_LOAD
from tests.webapp.conftest import People


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


def test_a_first_visit_to_the_inbox_or_a_review_weighs_little(story: Story, app: Flask, browse: People) -> None:
    """Everything a page links, as a browser without any of it gets it: the page, scripts, styles and their fonts."""
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)])
    browser = browse(lena)
    for path in ("/inbox?box=groups", f"/tasks/{story.task('approve_requisition').id}", "/requisitions/new"):
        with browser.client.get(path, headers={"Accept-Encoding": "gzip, br"}) as page:
            text, weight = gzip.decompress(page.data).decode(), {path: len(page.data)}
            assert (page.headers["Content-Encoding"], "Accept-Encoding" in page.headers["Vary"]) == ("gzip", True)
        linked = set(re.findall(r'<(?:script|link)[^>]*(?:src|href)="(/static/[^"]+)"', text))
        linked |= set(re.findall(r'href="(/static/icons[^"#]+)', text))
        for name in sorted(linked):
            weight |= weigh(browser.client, name)
        assert any(name.endswith(".woff2") for name in weight)
        assert sum(weight.values()) <= FIRST_LOAD, weight


def weigh(client: FlaskClient, path: str) -> dict[str, int]:
    """Return the bytes of a file as it is sent, and of the fonts that it asks for."""
    with client.get(path, headers={"Accept-Encoding": "gzip, br"}) as answer:
        assert answer.status_code == 200, path
        found = {path: len(answer.data)}
        text = gzip.decompress(answer.data).decode() if answer.headers.get("Content-Encoding") else ""
    for name in re.findall(r'url\("?\./([^")]+\.woff2)', text) if path.endswith(".css") else ():
        found |= weigh(client, f"/static/dist/{name}")
    return found


def test_the_length_of_a_page_tells_nothing_of_what_is_in_it(browse: People) -> None:
    browser = browse(lena)
    lengths = {len(browser.get("/profile/password", headers={"Accept-Encoding": "gzip"}).data) for _turn in range(8)}
    assert len(lengths) > 1
    assert "Content-Encoding" not in browser.get("/profile/password").headers
