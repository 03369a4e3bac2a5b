"""The extract of a whole plant, as people left it; it lies beside the checkout and is optional."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import func, select

from benchmarks.agreement import answers, reported, score
from engine.act import Installation
from engine.definitions import deploy_all
from engine.stored.instance import Instance
from processes.bundle import bundle_files
from processes.importing import import_folder
from processes.requisition_to_po import start
from records.part import PartRevision, RevisionStatus
from records.purchase_order import PurchaseOrder
from tests.makers import make_cast

EXTRACT = Path(__file__).parents[4] / "shared" / "erp-extract"

pytestmark = pytest.mark.skipif(not EXTRACT.is_dir(), reason="the extract is not beside this checkout")


def test_the_whole_extract_comes_in_and_a_second_time_changes_nothing(installation: Installation) -> None:
    with installation.acting("user:adam") as act:
        make_cast(act)
        deploy_all(act, bundle_files())
    report = import_folder(installation, EXTRACT, start=start)
    assert report.errors == []
    assert {kind: tally.new for kind, tally in report.tallies.items()} == {
        "people": 12, "suppliers": 35, "processes": 5, "parts": 223, "revisions": 220, "prices": 499, "work centres": 6,
        "routings": 42, "machines": 10, "work orders": 120, "requisitions": 300, "orders": 304, "links": 28, "amendments": 80,
        "receipts": 77, "lots": 58, "genealogy": 68, "invoices": 162, "disagreements": 96,
    }  # fmt: skip
    found = score(reported(report.disagreements), answers())
    assert (found.missed, found.false) == (set(), set())
    assert report.started == 76
    assert report.codes["PRICE_CARRIED_OVER"] == 161
    with installation.reading() as session:
        assert session.scalar(select(func.count()).select_from(Instance)) >= 76
        numbers = session.scalars(select(PurchaseOrder.status)).all()
        assert {status: numbers.count(status) for status in set(numbers)} == {
            "DRAFT": 69, "TRANSMITTED": 21, "ACKNOWLEDGED": 159, "CLOSED": 50, "CANCELLED": 5,
        }  # fmt: skip
        released = select(func.count()).select_from(PartRevision).where(PartRevision.status == RevisionStatus.RELEASED)
        assert (session.scalar(released) or 0) > 150
    again = import_folder(installation, EXTRACT, start=start)
    assert all(tally.total == tally.unchanged for tally in again.tallies.values())
    assert again.started == 0
