"""The impact of a change: computed to rows, decided, approved, carried out (scenarios.md D15)."""

from __future__ import annotations

from decimal import Decimal

from engine.act import Installation
from processes import impact
from tests.impacts import dispose_d15, grid, plant_of_d15
from tests.people import ella


def test_d15_the_grid_has_exactly_seven_rows_of_269_pieces(house: Installation) -> None:
    with house.acting(ella.principal) as act:
        change = plant_of_d15(act).change
        impact.compute(act, change)
        rows = [(row.native_ref.partition("/")[0], row.state.value, row.quantity) for row in grid(act, change)]
        assert len(rows) == 7
        assert sum((quantity for *_, quantity in rows), Decimal(0)) == 269
        assert rows[:3] == [("LOT-35", "AVAILABLE", 35), ("PO-5010", "ON_ORDER", 60), ("PO-5011", "ON_ORDER", 50)]
        assert rows[3][1:] == ("AWAY", 24)
        assert rows[4:] == [("WO-7001", "NOT_STARTED", 28), ("WO-7002", "NOT_STARTED", 60), ("WO-7001", "STARTED", 12)]


def test_d15_its_dispositions_are_accepted_and_leave_nothing_open(house: Installation) -> None:
    with house.acting(ella.principal) as act:
        change = plant_of_d15(act).change
        dispose_d15(act, change)
        assert impact.problems_of(act.session, change, now=act.now) == []
