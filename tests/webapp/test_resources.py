"""Pages and interface of resources: kept by their roles, with what was typed when it does not fit."""

from __future__ import annotations

from tests.makers import make_person, make_process, make_work_centre
from tests.people import fred, max_, otto, quinn, rita
from tests.story import Story
from tests.webapp.conftest import People


def test_a_gauge_is_made_and_kept_on_its_page(browse: People) -> None:
    browser = browse(quinn)
    refused = browser.post(
        "/resources/new", {"kind": "GAUGE", "code": "G-77", "name": "Bore gauge", "is_active": "true"}
    )
    assert refused.status_code == 422
    assert 'value="Bore gauge"' in refused.text
    sent = {
        "kind": "GAUGE",
        "code": "G-77",
        "name": "Bore gauge",
        "is_active": "true",
        "calibration_interval_days": "180",
    }
    page = browser.post("/resources/new", sent).headers["Location"]
    assert browser.post("/resources/new", sent).status_code == 409
    assert browser.post(page, sent | {"calibration_due": "2026-13-01"}).status_code == 422
    assert browser.post(page, sent | {"calibration_due": "2027-01-05"}).status_code == 303
    assert "G-77" in browser.get("/resources.csv").text
    assert browse(max_).post(page, sent).status_code == 403
    assert browse(otto).get("/resources/new?kind=GAUGE").status_code == 403


def test_a_person_is_qualified_on_their_page(browse: People, story: Story) -> None:
    person = story.given(lambda act: (make_process(act), make_person(act, user_id="otto"))[1].id)
    browser, path = browse(quinn), f"/resources/{person}/qualifications"
    assert browser.post(path, {"process_code": "HEAT_TREAT", "qualified_on": ""}).status_code == 422
    assert browser.post(path, {"process_code": "HEAT_TREAT", "qualified_on": "2026-11-22"}).status_code == 303
    assert "Heat treat" in browser.get(f"/resources/{person}").text
    assert browse(otto).get(f"/resources/{person}").status_code == 200


def test_finance_sets_a_rate_on_the_page_of_a_centre(browse: People, story: Story) -> None:
    path = f"/work-centres/{story.given(lambda act: make_work_centre(act).id)}"
    browser = browse(fred)
    sent = {"valid_from": "2027-01-01", "labour_rate": "91.50", "machine_rate": "12"}
    assert browser.post(path, sent | {"labour_rate": "x"}).status_code == 422
    assert browser.post(path, sent | {"valid_from": "2020-01-01"}).status_code == 422
    assert browser.post(path, sent).status_code == 303
    assert "91.50" in browser.get(path).text
    assert browse(rita).post(path, sent).status_code == 403
