"""A HEAD request asks what a page would say; it never does what a form does."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import func, select

from engine.audit import AuditEvent
from tests.people import rita
from tests.webapp.conftest import People

FORMS = ("/sign-in", "/profile", "/requisitions/new")


def events(app: Flask) -> int:
    with app.extensions["lockstep"].reading() as session:
        return session.scalar(select(func.count()).select_from(AuditEvent)) or 0


@pytest.mark.parametrize("path", FORMS)
def test_a_head_request_of_a_form_writes_nothing(app: Flask, browse: People, path: str) -> None:
    browser = browse(rita)
    before = events(app)
    answer = browser.client.head(path)
    assert answer.status_code in (200, 302)
    assert events(app) == before


def test_somebody_outside_may_ask_for_the_head_of_the_sign_in(app: Flask) -> None:
    assert app.test_client().head("/sign-in").status_code == 200
