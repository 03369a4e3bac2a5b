"""Every list can be taken along: as a CSV file, as a workbook and on paper, filtered as on the page."""

from __future__ import annotations

import io
import zipfile

from flask import Flask
from lxml import etree

from engine.act import Act
from tests.makers import make_part
from tests.people import ivan, lena
from tests.story import Story
from tests.webapp.conftest import People
from webapp.sheet import KINDS, OFFERED

NO_LISTS = {
    "/": "leads to the inbox", "/sign-in": "a form", "/sign-in/company": "a way out", "/sign-in/company/again": "a way out",
    "/sign-in/company/is-back": "a way back", "/sign-in/company/return": "a way back", "/sign-out/company": "a way out",
    "/profile": "one person", "/profile/password": "a form", "/profile/lent": "short, of one person, with its buttons",
    "/inbox/news": "a figure", "/inbox/views": "names of lists", "/inbox/sign": "a form",
    "/inbox/bulk": "a form", "/work-orders/events": "a form", "/people/names": "suggestions",
    "/suggest/parts": "suggestions", "/suggest/revisions": "suggestions", "/suggest/suppliers": "suggestions",
    "/healthz": "for machines", "/readyz": "for machines", "/metrics": "for machines",
}  # fmt: skip
"""Pages without a part in their address that show no list, and what they are."""
FORMULA = '=HYPERLINK("http://evil","pay")'
CELL = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def lists(app: Flask) -> set[str]:
    """Return the addresses of pages that anybody may open without knowing an id, without forms of something new."""
    found = {
        rule.rule
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and not rule.arguments and not rule.rule.startswith(("/api/", "/static"))
    }
    return {path for path in found if not path.endswith("/new")} - NO_LISTS.keys()


def cells(content: bytes, sheet: int = 1) -> list[list[tuple[str, str]]]:
    """Return the rows of a workbook as (type, text) of each cell, as a spreadsheet reads them."""
    book = zipfile.ZipFile(io.BytesIO(content))
    page = etree.fromstring(book.read(f"xl/worksheets/sheet{sheet}.xml"))
    return [
        [(cell.get("t", "n"), "".join(cell.itertext())) for cell in row.iter(f"{CELL}c")]
        for row in page.iter(f"{CELL}row")
    ]


def test_every_list_is_offered_as_a_file_as_a_workbook_and_on_paper(app: Flask, browse: People) -> None:
    browser = browse(lena)
    wanted = lists(app)
    assert wanted >= {"/orders", "/inbox", "/people", "/desk", "/dashboards", "/dashboards/tasks"}
    assert wanted - OFFERED == set(), "Expected these lists to be offered, or to be named as none"
    keeper = browse(ivan)
    for path in sorted(wanted):
        reader = keeper if path == "/webhooks" else browser
        page = reader.get(path)
        assert page.status_code == 200, path
        for kind in KINDS:
            assert f'href="{path}.{kind}"' in page.text, (path, kind)
        taken = reader.get(f"{path}.xlsx")
        assert (path, taken.status_code, taken.data[:2]) == (path, 200, b"PK")
    assert browser.get("/orders.print").content_type.startswith("text/html")


def test_a_workbook_holds_numbers_days_and_text_that_is_no_formula(browse: People, story: Story) -> None:
    def arrange(act: Act) -> None:
        make_part(act, "P-EVIL", name=FORMULA)

    story.given(arrange)
    browser = browse(lena)
    head, row = cells(browser.get("/parts.xlsx?q=p-evil").data)
    assert [text for _, text in head][:2] == ["Number", "Name"]
    assert ("inlineStr", FORMULA) in row
    assert not any(kind == "str" for kind, _ in row)
    assert "\"'=HYPERLINK" in browser.get("/parts.csv?q=p-evil").text.replace('""', '"')
    browser.get("/parts.print?q=p-evil")
    assert FORMULA in browser.text
    assert "1 row," in browser.text
    assert "search “p-evil”" in browser.text
