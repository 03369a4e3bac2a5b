"""The guard at the doors of the house: no server starts without it, and what a trigger says reaches the person."""

from __future__ import annotations

from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import insert, update

from engine.act import Installation
from records.person import User
from records.purchase_order import OrderStatus, PurchaseOrder, PurchaseOrderLine
from rules.triggers import GuardMissing, remove_guard
from tests.people import bea, lena, rita
from tests.story import Story
from tests.webapp.browser import Browser
from webapp import visit
from webapp.app import create_app


def approved(story: Story) -> PurchaseOrder:
    """Have an order that its requisition's approval covers."""
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 100)])
    story.as_(lena).decide("approve_requisition", "approve")
    story.as_(bea).decide("complete_order", "submit")
    assert story.order.status is OrderStatus.APPROVED
    return story.order


def test_no_server_is_built_on_a_database_whose_guard_was_removed(house: Installation) -> None:
    with house.database.execution_options(writes=True).begin() as connection:
        remove_guard(connection)
    with pytest.raises(GuardMissing, match="is missing"):
        create_app(house, secret_key="only for tests")


def application(house: Installation) -> Flask:
    """Build an application of the test's own, to which it adds a page with a mistake."""
    app = create_app(house, secret_key="only for tests")
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app


def test_what_a_trigger_refuses_is_answered_in_words(house: Installation, story: Story) -> None:
    app, order = application(house), approved(story)

    def change_behind_the_flush() -> str:
        with visit.acting() as act:
            act.session.connection().execute(
                update(PurchaseOrderLine.__table__)
                .where(PurchaseOrderLine.order_id == order.id)
                .values(unit_price=Decimal(1))
            )
        return "changed"

    app.add_url_rule("/a-bug-of-ours", view_func=change_behind_the_flush, methods=["POST"])
    browser = Browser(app).sign_in(bea)
    answer = browser.post("/a-bug-of-ours")
    assert answer.status_code == 409
    assert "Expected purchase_order_line.unit_price to stay as it was approved" in browser.text
    assert story.order.lines[0].unit_price == Decimal("42.5")


def test_another_broken_constraint_is_a_mistake_of_ours(house: Installation) -> None:
    app = application(house)

    def add_nameless() -> str:
        with visit.acting() as act:
            act.session.connection().execute(insert(User.__table__).values(id="nobody"))
        return "added"

    app.add_url_rule("/another-bug-of-ours", view_func=add_nameless, methods=["POST"])
    browser = Browser(app).sign_in(bea)
    assert browser.post("/another-bug-of-ours").status_code == 500
    assert "INSERT" not in browser.text
