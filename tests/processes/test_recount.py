"""Quantities of order lines are counted again from their rows; what somebody wrote past the guard is named."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from engine.act import Installation
from processes import receiving
from processes.recount import recount
from records.receipt import Receipt
from rules.triggers import remove_guard
from tests.goods import Dock
from tests.makers import D
from tests.people import sam
from webapp.cli import main


@pytest.fixture
def dock(plant: Installation) -> Dock:
    """A line with a partial receipt, one taken back in part, a sorted one, and an invoice that is paid in part."""
    dock = Dock(plant, is_inspection_required=True, match_level=4)
    first = dock.book(40).receipts[0]
    dock.inspect(first)
    dock.act_as(
        sam,
        lambda act, _: receiving.reverse(
            act, act.session.get_one(Receipt, first.id), D(5), reason="Recount", event_id="back-1"
        ),
    )
    dock.sort(dock.book(20).receipts[0], 4)
    dock.bill(30)
    assert dock.figures == (D(55), D(51), D(30))
    return dock


def tamper(plant: Installation, *statements: str) -> None:
    """Do what the owner of the database can: take the triggers away and write."""
    with plant.database.execution_options(writes=True).begin() as connection:
        remove_guard(connection)
        for statement in statements:
            assert connection.exec_driver_sql(statement).rowcount >= 1


def found(plant: Installation) -> list[tuple[str, str]]:
    with plant.reading() as session:
        return [(one.record_type, one.sentence) for one in recount(session)]


def test_an_honest_line_adds_up(plant: Installation, dock: Dock) -> None:
    assert found(plant) == []


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("quantity_received", "quantity_received of {} to be 55 EA, the sum of its receipts, but it is 54"),
        ("quantity_accepted", "quantity_accepted of {} to be 51 EA, the sum of its accepted receipts, but it is 50"),
        (
            "quantity_invoiced",
            "quantity_invoiced of {} to be 30 EA, the sum of the payable parts of its invoices, but it is 29",
        ),
    ],
)
def test_a_quantity_that_was_written_by_hand_is_named_with_both_values(
    plant: Installation, dock: Dock, column: str, said: str
) -> None:
    one = "1" if plant.database.dialect.name == "postgresql" else "1000000"
    tamper(plant, f"UPDATE purchase_order_line SET {column} = {column} - {one} WHERE id = '{dock.line_id}'")
    ((record_type, sentence),) = found(plant)
    assert record_type == "purchase_order_line"
    assert said.format(dock.line_number) in sentence
    url = plant.database.url.render_as_string(hide_password=False)
    result = CliRunner().invoke(main, ["--database", url, "verify", "--json"])
    assert result.exit_code == 1
    assert sentence in [one["sentence"] for one in json.loads(result.stdout)["breaks"]]


def test_rows_that_were_taken_away_are_missed_on_their_line(plant: Installation, dock: Dock) -> None:
    tamper(plant, f"DELETE FROM payable WHERE order_line_id = '{dock.line_id}'")
    assert ["to be 0 EA" in sentence for _, sentence in found(plant)] == [True]


def test_goods_without_their_inspection_and_bills_paid_twice_are_named(plant: Installation, dock: Dock) -> None:
    double = "quantity + quantity"
    tamper(
        plant,
        "DELETE FROM inspection WHERE sample_size = 8",
        f"UPDATE payable SET quantity = {double}",
        f"UPDATE purchase_order_line SET quantity_invoiced = quantity_invoiced * 2 WHERE id = '{dock.line_id}'",
    )
    kinds = [record_type for record_type, _ in found(plant)]
    assert kinds == ["receipt", "invoice_line"]


def test_more_taken_back_than_came_is_named(plant: Installation, dock: Dock) -> None:
    forty = "40" if plant.database.dialect.name == "postgresql" else "40000000"
    tamper(
        plant,
        "UPDATE receipt SET quantity = quantity * 9 WHERE status = 'REVERSAL' AND reason = 'Recount'",
        f"UPDATE purchase_order_line SET quantity_received = quantity_received - {forty}, "
        f"quantity_accepted = quantity_accepted - {forty} WHERE id = '{dock.line_id}'",
    )
    ((record_type, sentence),) = found(plant)
    assert (record_type, "at most 40 EA of" in sentence, "45 are" in sentence) == ("receipt", True, True)
