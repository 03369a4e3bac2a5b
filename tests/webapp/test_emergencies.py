"""The page of emergencies: who signed what reaches how far, and what it waits for, until it is closed (W35)."""

from __future__ import annotations

import datetime as dt

from tests.change_story import FRIDAY_NIGHT, active, declared, the_change
from tests.people import otto
from tests.story import Story
from tests.webapp.conftest import People


@declared
def test_one_signature_shows_no_emergency_since_it_allows_nothing(browse: People, story: Story) -> None:
    the_change(story).sign("ella")
    assert "No emergency stands" in browse(otto).get("/emergencies").text


@active
def test_everybody_sees_an_emergency_with_its_deviation_until_it_is_closed(browse: People, story: Story) -> None:
    change = the_change(story)
    page = browse(otto)
    shown = page.get("/emergencies").text
    for said in (
        change.number,
        "WO-7003",
        "Serial 0005 to 0009",
        "Ella Novak",
        "Quinn Harper",
        "DEV-000001",
        "open, 5",
    ):
        assert said in shown, said
    assert "its emergency" in page.get("/deviations").text
    story.at(FRIDAY_NIGHT + dt.timedelta(hours=73))
    assert f"{change.number} is beyond the hours that were signed" in browse(otto).get("/emergencies").text
    story.as_("olga").decide("resume_emergency", "contain", reason="It does not hold")
    story.as_("quinn").decide("assess_recall", "no_recall", conclusion="Nothing left the house")
    assert "No emergency stands" in browse(otto).get("/emergencies").text
    assert "is withdrawn" in browse(otto).get("/deviations").text
