"""Goods that come too early or too late are said so with both days, and kept apart where the table says so."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import select

from engine.act import Act, Installation
from engine.errors import Conflict, Forbidden
from processes import inspecting
from records.receipt import Quarantine, Receipt, ReceiptStatus
from rules.finding import KeptFinding
from tests.goods import Dock
from tests.makers import D
from tests.people import ana, bea, sam

DUE = dt.date(2026, 12, 18)


def came(plant: Installation, profile: str, on: dt.date, **line: Any) -> tuple[Dock, Receipt, list[KeptFinding]]:
    dock = Dock(plant, tolerance_profile=profile, **{"need_by": DUE} | line)
    receipt = dock.book(40, received_on=on).receipts[0]
    with plant.reading() as session:
        wanted = select(KeptFinding).where(KeptFinding.record_id == receipt.id)
        return dock, dock.fresh(receipt), list(session.scalars(wanted))


@pytest.mark.parametrize(
    ("profile", "days", "said"),
    [
        ("STANDARD", -5, None), ("STANDARD", -6, "RCV-EARLY"), ("STANDARD", 0, None), ("STANDARD", 1, "RCV-LATE"),
        ("BULK", -10, None), ("BULK", -11, "RCV-EARLY"), ("BULK", 5, None), ("BULK", 6, "RCV-LATE"),
        ("EXACT", 1, "RCV-LATE"), ("EXACT", 0, None),
    ],
)  # fmt: skip
def test_a_delivery_off_its_date_is_a_finding_with_both_days(
    plant: Installation, profile: str, days: int, said: str | None
) -> None:
    on = DUE + dt.timedelta(days=days)
    _, receipt, found = came(plant, profile, on)
    assert [(one.rule, one.effect) for one in found] == ([] if said is None else [(said, "WARN")])
    assert receipt.status is ReceiptStatus.ACCEPTED
    for one in found:
        assert (one.old_text, one.new_text, one.owner) == (DUE.isoformat(), on.isoformat(), "role:BUYER")
        assert (DUE.isoformat() in one.sentence, on.isoformat() in one.sentence, bool(one.way_out)) == (True,) * 3


def test_the_promised_day_counts_before_the_needed_one(plant: Installation) -> None:
    _, _, found = came(plant, "STANDARD", DUE, promised_on=dt.date(2026, 12, 10))
    assert [one.rule for one in found] == ["RCV-LATE"]
    assert "8 days late" in found[0].sentence


def test_what_may_not_come_early_is_kept_apart_until_its_buyer_lets_it_in(plant: Installation) -> None:
    dock, receipt, (finding,) = came(plant, "EXACT", DUE - dt.timedelta(days=1))
    assert (finding.rule, finding.effect) == ("RCV-EARLY", "HOLD")
    assert (receipt.status, receipt.quarantine) == (ReceiptStatus.QUARANTINE, Quarantine.DATE)
    assert DUE.isoformat() in receipt.quarantine_reason
    assert dock.figures == (D(40), D(0), D(0))

    def clear(act: Act, _: Any) -> Receipt:
        return inspecting.clear(act, act.session.get_one(Receipt, receipt.id), reason="There is room")

    for stranger in (ana, sam):
        with pytest.raises(Forbidden):
            dock.act_as(stranger, clear)
    dock.act_as(bea, clear)
    assert dock.figures == (D(40), D(40), D(0))


def test_a_buyer_lets_nothing_else_out_of_quarantine(plant: Installation) -> None:
    dock = Dock(plant, need_by=DUE)
    receipt = dock.book(40, revision_on_label="C").receipts[0]
    with pytest.raises((Forbidden, Conflict)):
        dock.act_as(bea, lambda act, _: inspecting.clear(act, act.session.get_one(Receipt, receipt.id), reason="x"))
    assert dock.fresh(receipt).quarantine is Quarantine.IDENTITY
