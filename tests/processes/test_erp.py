"""The port to the ERP: keyed by hand, by files, and what happens when it shows something else than was approved."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from email import message_from_bytes
from pathlib import Path

import pytest

from engine.act import Installation
from records.calendar import MAIN, site_called
from records.external import Discrepancy, DiscrepancyStatus
from records.purchase_order import OrderStatus
from tests.clock import SettableClock
from tests.people import bea, ivan, rita
from tests.story import Story

D = Decimal


@pytest.fixture
def story(plant: Installation, clock: SettableClock) -> Story:
    with plant.acting("system:arrange") as act:
        site_called(act.session, MAIN).has_erp = True
    return Story(plant, clock)


def issued(story: Story) -> Story:
    """Issue a small order, which needs no approval: 10 × 42.50."""
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 10, "42.50")])
    return story.as_(bea).decide("complete_order", "submit").decide("issue_order", "issue")


def key(story: Story, **fields: object) -> Story:
    right = {
        "erp_number": "450012",
        "total": D("425.00"),
        "line_count": D(1),
        "check_code": (story.order.approved_hash or "")[:12],
    }
    return story.as_(ivan).decide("key_order", "keyed", **right | fields)


def mails(story: Story) -> list[tuple[str, str]]:
    folder = Path(story.installation.settings["mail_folder"])
    found = [message_from_bytes(path.read_bytes()) for path in sorted(folder.glob("*.eml"))]
    return [(str(mail["To"]), str(mail["Subject"])) for mail in found]


def test_an_order_keyed_as_approved_goes_out_under_the_erps_number(story: Story) -> None:
    issued(story)
    assert (story.order.status, story.steps) == (OrderStatus.APPROVED_NOT_TRANSMITTED, ["key_order"])
    assert ("ivan@plant.example", "Key PF-000001 in the ERP") in mails(story)
    assert story.order.po_no is None
    key(story)
    assert (story.order.status, story.order.po_no) == (OrderStatus.TRANSMITTED, "450012")
    assert ("orders@midland.example", "Purchase order 450012") in mails(story)
    assert story.incidents == []


def test_an_order_keyed_otherwise_is_held_and_not_sent(story: Story) -> None:
    issued(story)
    key(story, total=D("452.00"))
    assert (story.order.status, story.steps) == (OrderStatus.ON_HOLD, ["resolve_discrepancy"])
    (found,) = story.read(lambda session: session.query(Discrepancy).all())
    assert (found.field, found.ours, found.theirs, found.kind, found.severity) == (
        "total", "425.0000", "452.0000", "PRICE", "CRITICAL",
    )  # fmt: skip
    assert not [subject for _, subject in mails(story) if subject.startswith("Purchase order")]
    code = (story.order.approved_hash or "")[:12]
    story.as_(ivan).complete(
        "resolve_discrepancy", note="corrected", total=D("425.00"), line_count=D(1), check_code=code
    )
    assert (story.order.status, story.incidents) == (OrderStatus.TRANSMITTED, [])
    (found,) = story.read(lambda session: session.query(Discrepancy).all())
    assert found.status is DiscrepancyStatus.RESOLVED


def test_files_are_written_once_and_the_confirmation_is_read_back(story: Story, tmp_path: Path) -> None:
    use_files(story)
    issued(story)
    (written,) = Path(story.installation.settings["erp_outbox"]).iterdir()
    command = json.loads(written.read_text())
    assert (command["proposal_no"], command["approved_hash"]) == ("PF-000001", story.order.approved_hash)
    assert command["order"]["lines"][0]["quantity"] == "10.000000"
    confirm(story, "PF-000001,PO-9,ACCEPTED,,1,P-100/B,10,42.5")
    story.after(hours=1 / 60)
    assert (story.order.status, story.order.po_no) == (OrderStatus.TRANSMITTED, "PO-9")
    assert story.incidents == []


def test_a_confirmation_that_differs_opens_a_discrepancy_for_each_field(story: Story) -> None:
    use_files(story)
    confirm(story, "PF-000001,PO-9,ACCEPTED,,1,P-100/C,11,42.5")
    issued(story)
    assert story.order.status is OrderStatus.ON_HOLD
    found = story.read(
        lambda session: {row.field: (row.ours, row.theirs, row.kind) for row in session.query(Discrepancy)}
    )
    assert found == {
        "lines.1.part_revision": ("P-100/B", "P-100/C", "REV"),
        "lines.1.quantity": ("10.000000", "11.000000", "QTY"),
    }


def test_a_silent_erp_is_asked_again_after_1_5_15_and_60_minutes_and_then_a_person(story: Story) -> None:
    use_files(story)
    start = story.clock()
    issued(story)
    tries = []
    for minutes in (1, 5, 15, 60):
        (job,) = story.jobs("create_in_erp")
        tries.append((job.due_at - story.clock()).total_seconds() / 60)
        story.at(job.due_at)
        assert job.attempts == len(tries)
        assert minutes == tries[-1]
    assert story.clock() - start == dt.timedelta(minutes=81)
    assert (story.steps, story.incidents) == (["key_order"], [])
    key(story)
    assert story.order.status is OrderStatus.TRANSMITTED


def test_a_confirmation_that_shows_nothing_to_compare_goes_to_a_person(story: Story) -> None:
    use_files(story)
    confirm(story, "PF-000001,PO-9,ACCEPTED,,,,,")
    issued(story)
    for _ in range(4):
        (job,) = story.jobs("read_back")
        story.at(job.due_at)
    assert (story.steps, story.incidents) == (["key_order"], [])
    assert story.order.status is OrderStatus.APPROVED_NOT_TRANSMITTED
    assert ("ivan@plant.example", "Key PF-000001 in the ERP") in mails(story)
    key(story, erp_number="PO-9")
    assert (story.order.status, story.order.po_no, story.incidents) == (OrderStatus.TRANSMITTED, "PO-9", [])


def test_an_order_that_the_erp_refuses_goes_back_to_its_buyer(story: Story) -> None:
    use_files(story)
    confirm(story, "PF-000001,,REFUSED,Vendor is blocked,,,,")
    issued(story)
    assert (story.order.status, story.steps) == (OrderStatus.DRAFT, ["complete_order"])
    assert story.incidents == []


def test_an_order_that_its_supplier_rejects_is_cancelled_in_the_erp_by_hand(story: Story) -> None:
    issued(story)
    key(story)
    story.as_(bea).complete("record_acknowledgement", result="REJECT", note="no capacity")
    assert (story.order.status, story.steps, story.incidents) == (OrderStatus.CANCELLED, ["choose_supplier"], [])
    assert ("ivan@plant.example", "Cancel 450012 in the ERP") in mails(story)


def test_an_order_without_a_number_is_asked_for_again(story: Story) -> None:
    issued(story)
    story.as_(ivan).decide("key_order", "retry", erp_number=None, total=None, line_count=None, check_code=None)
    assert (story.steps, story.incidents) == (["key_order"], [])


def test_a_number_that_is_missing_or_another_orders_holds_the_order(story: Story) -> None:
    issued(story)
    key(story)
    first = story.instance_id
    issued(story)
    assert story.instance_id != first
    key(story)
    assert story.order.status is OrderStatus.ON_HOLD
    (found,) = story.variables_of_task()["comparison"]["differences"]
    assert found == {"field": "number", "ours": "a number of its own", "theirs": "450012, which is PF-000001"}
    right = {"total": D("425.00"), "line_count": D(1), "check_code": (story.order.approved_hash or "")[:12]}
    story.as_(ivan).complete("resolve_discrepancy", note="typed the wrong one", erp_number="450013", **right)
    assert (story.order.status, story.order.po_no, story.incidents) == (OrderStatus.TRANSMITTED, "450013", [])


def use_files(story: Story) -> None:
    story.installation.settings = dict(story.installation.settings) | {"erp_adapter": "files"}


def confirm(story: Story, *rows: str) -> None:
    inbox = Path(story.installation.settings["erp_inbox"])
    inbox.mkdir(parents=True, exist_ok=True)
    header = "proposal_no,po_no,result,message,line_no,part_revision,quantity,unit_price"
    (inbox / "confirmations.csv").write_text("\n".join([header, *rows]) + "\n")
