"""Finding a source (A13 to A17): quotes that are asked for and compared, justifications, contracts that are drawn from."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from engine.act import Act, Installation
from engine.bpmn import BpmnError
from engine.errors import Conflict, Forbidden, Invalid, Refused, RuleViolation
from engine.registry import PlainVariables, Work
from engine.returning import targets
from processes import quoting
from processes.quote_comparison import compare
from processes.quote_links import link_to, opens
from processes.quoting import Offer
from processes.sending_back import send_back
from processes.sourcing import UNCHOSEN, announce_approval, settle_source
from processes.withdrawal import withdraw_order
from records.notice import Notice
from records.purchase_order import OrderStatus, PurchaseOrder
from records.quotation import Invitation, QuoteChannel, RequestForQuotation, RequestStatus
from records.requisition import PurchaseType
from records.sole_source import JustificationStatus, SoleSourceJustification
from records.sourcing import SourcingRef, SourcingRelease
from records.supplier import Supplier
from tests.amendments import amend, go_to, more, sent
from tests.clock import SettableClock
from tests.makers import make_approval, make_rate, make_sourcing_ref, make_supplier
from tests.people import bea, lena, max_, rita
from tests.quotes import HOLDS, asked, quote_of, quotes, request_in, rivals
from tests.story import Story, _default_supplier, plant_with

D = Decimal
UTC = dt.UTC


def approved(story: Story, quantity: int = 150, price: str = "42.50", **line_fields: Any) -> Story:
    """Have a requisition of 6,375.00 approved: too much for one quote, too little for the manager."""
    story.as_(rita).start("requisition_to_po", lines=[("P-100", quantity, price)], line_fields=line_fields)
    return story.as_(lena).decide("approve_requisition", "approve")


def waiting(story: Story) -> Story:
    """Have Midland and two others asked until Friday the 27th, the day after Thanksgiving."""
    approved(story)
    midland = story.given(lambda act: _default_supplier(act).id)
    return asked(story, midland, *story.given(rivals))


waits_for_quotes = pytest.mark.begins_with(plant_with("waits_for_quotes", waiting))


def ids(story: Story) -> list[str]:
    """Return who is asked: Midland and the two others."""
    story.goes_on()
    return [story.given(lambda act: _default_supplier(act).id), *story.given(rivals)]


def invited(act: Act, supplier_id: str) -> Invitation:
    return act.session.scalars(select(Invitation).where(Invitation.supplier_id == supplier_id)).one()


def mails(story: Story) -> list[Any]:
    folder = Path(str(story.installation.settings["mail_folder"]))
    return [
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        for path in sorted(folder.glob("*.eml"))
    ]


def answers(story: Story) -> list[tuple[str, str]]:
    """Return who was told how the request ended, and in which words."""
    story.settle()
    told = [
        (one["To"], one["Subject"])
        for one in mails(story)
        if not one["Subject"].startswith("Request for quotation RFQ")
    ]
    closed = [(one["To"], one["Subject"]) for one in mails(story) if one["Subject"].endswith("is closed")]
    return sorted(one for one in [*told, *closed] if one[0].rpartition("@")[2] != "plant.example")


def goes_back(story: Story, step: str, to: str) -> None:
    """Let the buyer return a task to an earlier step."""
    task = story.task(step)
    with story.as_(bea).acting() as act:
        (place,) = [one for one in targets(act.session, act.session.merge(task)) if one.element_id == to]
        send_back(act, task.id, place.token_id, seen_version=task.version, reason="The freight is missing")
    story.settle()


def test_each_supplier_gets_the_request_with_a_link_of_its_own_that_no_row_holds(story: Story) -> None:
    waiting(story)
    assert (story.steps, story.incidents) == ([], [])
    sent = [one for one in mails(story) if one["Subject"] == "Request for quotation RFQ-000001"]
    assert sorted(one["To"] for one in sent) == [
        "orders@midland.example", "sales@kansas.example", "sales@prairie.example",
    ]  # fmt: skip
    (pdf,) = [part.get_content() for part in sent[0].iter_attachments()]
    assert pdf.startswith(b"%PDF-")
    texts = {one["To"]: one.get_body().get_content() for one in sent}
    for invitation in request_in(story).invitations:
        link = link_to(story.installation, invitation)
        assert link in texts[invitation.email]
        assert sum(link in text for text in texts.values()) == 1
        assert link not in "".join(str(job.args) for job in story.jobs("mail"))
        assert opens(story.installation, invitation, link.rpartition("/")[2])
        assert not opens(story.installation, invitation, "A" * 32)


@waits_for_quotes
def test_the_last_answer_ends_the_waiting_and_the_chosen_quote_becomes_the_order(story: Story) -> None:
    """One quotes in euro at 1.08: its landed price with freight is 5,994.00 and wins; the order is in euro at the quoted price."""
    midland, prairie, kansas = ids(story)
    story.given(lambda act: make_rate(act, rate=D("1.08")))
    quotes(story, {midland: "42.50"})
    quotes(story, {prairie: "36.00"}, currency="EUR", charges=D("150"), lead_time_days=10, reference="Q-77")
    assert story.steps == []
    quotes(story, {kansas: "41.00"}, lead_time_days=60)
    assert (story.steps, story.incidents) == (["compare_quotes"], [])
    request = request_in(story)
    compared = story.read(
        lambda session: _told(compare(session, session.merge(request, load=False), on=dt.date(2026, 11, 22)))
    )
    assert compared == [
        ("Prairie Parts", D("5994.00"), D("0.0"), True, False), ("Kansas Kilns", D("6150.00"), D("2.6"), False, True),
        ("Midland Machining", D("6375.00"), D("6.4"), False, False),
    ]  # fmt: skip
    story.as_(bea).decide("compare_quotes", "award", supplier_id=midland, note="we know them for years")
    assert story.steps == ["sign_sole_source"]
    assert answers(story) == []  # a choice that may be taken back is told to nobody
    story.as_(max_).decide("sign_sole_source", "reject", reason="take a quote")
    story.as_(bea).decide("compare_quotes", "award", quotation_id=quote_of(story, prairie), note="lowest landed")
    assert (story.steps, story.incidents) == (["complete_order"], [])
    order = story.order
    assert (order.currency, order.lines[0].unit_price, order.fx_rate) == ("EUR", D("36.0000"), D("1.08"))
    assert "Freight, packing and duty: 150.00 EUR" in order.comment
    assert request_in(story).status is RequestStatus.AWARDED
    assert answers(story) == [
        ("orders@midland.example", "Your quote for RFQ-000001"), ("sales@kansas.example", "Your quote for RFQ-000001"),
    ]  # fmt: skip
    said = " ".join(one.get_content() for one in mails(story) if "another offer" in one.as_string())
    assert not any(secret in said for secret in ("36", "5994", "5,994", "Prairie", "EUR"))
    goes_back(story, "complete_order", "compare_quotes")
    assert (story.steps, story.incidents, request_in(story).status) == (["compare_quotes"], [], RequestStatus.COMPARING)
    dropped = story.read(lambda session: session.get_one(PurchaseOrder, order.id).status)
    assert dropped is OrderStatus.CANCELLED
    story.as_(bea).decide("compare_quotes", "award", quotation_id=quote_of(story, prairie), note="lowest landed")
    assert (story.steps, story.incidents, len(answers(story))) == (["complete_order"], [], 2)
    story.as_(bea).decide("complete_order", "submit")
    assert (story.steps, story.incidents) == (["decide_slot"], []), story.variables_of_task()


def _told(comparison: Any) -> list[Any]:
    return [
        (one.invitation.supplier.name, one.landed, one.over, one.is_lowest, one.is_late) for one in comparison.columns
    ]


@waits_for_quotes
def test_the_due_date_ends_the_waiting_and_too_few_quotes_are_justified_and_signed(story: Story) -> None:
    midland, *_ = ids(story)
    quotes(story, {midland: "42.50"})
    quotes(story, {midland: "42.00"})
    assert story.timers["due_date_over"] == dt.datetime(2026, 11, 28, 6, 0, tzinfo=UTC)
    story.at(dt.datetime(2026, 11, 28, 6, 0, tzinfo=UTC))
    assert story.steps == ["compare_quotes"]
    assert [to for to, subject in answers(story) if subject.endswith("is closed")] == [
        "sales@kansas.example", "sales@prairie.example",
    ]  # fmt: skip
    (own,) = [one for one in request_in(story).invitations if one.quotations]
    assert [quotation.revision for quotation in own.quotations] == [1, 2]
    with pytest.raises(Conflict, match="it is comparing") as refused:
        quotes(story, {midland: "41.00"})
    assert refused.value.code == "QUOTES_CLOSED"
    story.as_(bea).decide("compare_quotes", "award", quotation_id=quote_of(story, midland), note="short")
    assert story.steps == ["compare_quotes"]
    assert "Expected a reason of 10" in story.read(lambda session: session.scalars(
        select(Notice.body).where(Notice.user_id == "bea", Notice.subject.contains("was not taken"))).one())  # fmt: skip
    story.decide("compare_quotes", "award", quotation_id=quote_of(story, midland), note="The others have not answered")
    assert story.steps == ["sign_sole_source"]
    story.as_(max_).decide("sign_sole_source", "approve")
    written = story.read(lambda session: session.scalars(select(SoleSourceJustification)).one())
    assert (written.status, written.quotes_valid, written.quotes_needed) == (JustificationStatus.SIGNED, 1, 3)
    assert [one.id for one in story.signatures if one.record_id == written.id] == [written.signature_id]
    assert (story.steps, story.order.lines[0].unit_price, story.incidents) == (["complete_order"], D("42.0000"), [])


@waits_for_quotes
def test_a_due_date_that_moves_is_waited_for_and_a_buyer_may_stop_waiting(story: Story) -> None:
    ids(story)
    request = request_in(story)

    def open_one(act: Act) -> RequestForQuotation:
        return act.session.get_one(RequestForQuotation, request.id)

    with story.as_(bea).acting() as act:
        quoting.extend(act, open_one(act), answer_by=dt.date(2026, 12, 4))
    story.settle()
    assert story.timers["due_date_over"] == dt.datetime(2026, 12, 5, 6, 0, tzinfo=UTC)
    with pytest.raises(Invalid), story.acting() as act:
        quoting.extend(act, open_one(act), answer_by=dt.date(2026, 11, 20))
    with pytest.raises(Forbidden), story.as_(rita).acting() as act:
        quoting.stop_waiting(act, open_one(act), reason="I am in a hurry")
    with story.as_(bea).acting() as act:
        quoting.decline(act, act.session.get_one(Invitation, request.invitations[0].id), reason="No capacity")
        quoting.stop_waiting(act, open_one(act), reason="The line is down")
    story.settle()
    assert (story.steps, story.incidents) == (["compare_quotes"], [])
    assert request_in(story).closed_reason == "The line is down"


UNFIT: tuple[tuple[dict[str, Any], str], ...] = (
    ({"currency": "CHF"}, "currency"),
    ({"currency": "XXX"}, "currency"),
    ({"prices": {}}, "prices.1"),
    ({"prices": {1: D(-1)}}, "prices.1"),
    ({"prices": {1: D(1), 2: D(1)}}, "prices.2"),
    ({"valid_to": dt.date(2026, 11, 21)}, "valid_to"),
    ({"lead_time_days": -1}, "lead_time_days"),
    ({"charges": D(-1)}, "charges"),
    ({"files": [("quote.pdf", b"MZ")]}, "file"),
)


@waits_for_quotes
def test_a_quote_that_cannot_be_compared_is_refused_by_its_field_and_a_missing_rate_is_never_one(story: Story) -> None:
    midland, *_ = ids(story)
    story.as_(bea)
    for given, field in UNFIT:
        offer = {"prices": {1: D(40)}, "currency": "USD", "lead_time_days": 10, "valid_to": HOLDS} | given
        with pytest.raises(Invalid) as refused, story.acting() as act:
            quoting.take_quote(act, invited(act, midland), Offer(**offer), channel=QuoteChannel.BUYER)
        assert field in refused.value.fields, given
    assert all(not one.quotations for one in request_in(story).invitations)


def test_a_single_source_is_justified_by_the_buyer_and_signed_by_the_manager(story: Story) -> None:
    approved(story, is_single_source=True)
    assert story.steps == ["justify_sole_source"]
    midland = story.given(lambda act: _default_supplier(act).id)
    story.as_(bea).complete(
        "justify_sole_source", supplier_id=midland, cause="PROPRIETARY", note="Their own drawing, nobody else has it"
    )
    assert [(task.element_id, task.candidates, task.record_type) for task in story.tasks()] == [
        ("sign_sole_source", ["role:PUR_MGR"], "sole_source_justification")
    ]
    story.as_(max_).decide("sign_sole_source", "approve")
    assert (story.steps, story.incidents) == (["complete_order"], [])


def test_an_award_that_is_given_up_while_quotes_are_there_withdraws_the_request(story: Story) -> None:
    approved(story)
    midland = story.given(lambda act: _default_supplier(act).id)
    asked(story)
    assert story.steps == ["request_quotes"]
    asked(story, midland, answer_by="2026-11-20")
    assert story.steps == ["request_quotes"]
    asked(story, midland)
    quotes(story, {midland: "40"})
    story.as_(bea).decide("compare_quotes", "ask_again").decide("request_quotes", "give_up")
    assert (story.ended_at, story.incidents) == ("nothing_ordered", [])
    assert request_in(story).status is RequestStatus.CANCELLED
    assert [one["To"] for one in mails(story) if "is withdrawn" in one["Subject"]] == ["orders@midland.example"]


def test_a_run_that_began_before_requests_for_quotation_goes_on_as_it_was_drawn(story: Story) -> None:
    approved(story)
    midland = story.given(lambda act: _default_supplier(act).id)
    names = dict(story.variables_of_task("request_quotes"))
    award = {name: value for name, value in names["award"].items() if name not in UNCHOSEN} | {"sourcing_ref_id": None}

    def settle(act: Act, **choice: Any) -> Any:
        known = {"requisition": names["requisition"], "sourcing": names["sourcing"], "award": award, "choice": choice}
        return settle_source(act, Work(None, "settle_source", "", PlainVariables(known)))

    kept = story.given(lambda act: settle(act, supplier_id=midland, quotes=D(3), reference="Q-1", note="cheapest"))
    assert (kept["choice"]["needs_justification"], kept["award"]["supplier_id"]) == (False, midland)
    assert (
        story.given(lambda act: settle(act, supplier_id=midland, quotes=D(1)))["choice"]["needs_justification"] is True
    )
    with pytest.raises(BpmnError, match="Expected a supplier to buy from"):
        story.given(lambda act: settle(act, supplier_id=None, quotes=D(3)))


def blanket(act: Act, **fields: Any) -> SourcingRef:
    """Make a blanket order with Midland over 10,000.00 at 40.00."""
    given = {"agreed_value": D(10000), "remaining_value": D(10000), "unit_price": D("40"), "native_id": "BL-7"} | fields
    return make_sourcing_ref(act, **({"supplier": _default_supplier(act)} | given))


def remainder(story: Story) -> tuple[Decimal | None, list[Decimal]]:
    def look(session: Any) -> tuple[Decimal | None, list[Decimal]]:
        reference = session.scalars(select(SourcingRef).where(SourcingRef.native_id == "BL-7")).one()
        drawn = session.scalars(select(SourcingRelease.value).order_by(SourcingRelease.id))
        return reference.remaining_value, list(drawn)

    found: tuple[Decimal | None, list[Decimal]] = story.read(look)
    return found


def test_a_release_draws_from_its_blanket_follows_the_order_and_comes_back_with_it(story: Story) -> None:
    story.given(blanket)
    approved(story)
    assert (story.order.type, remainder(story)) == (PurchaseType.BLANKET_RELEASE, (D(4000), [D(6000)]))

    def change(act: Act, price: str) -> None:
        act.session.scalars(select(PurchaseOrder)).one().lines[0].unit_price = D(price)

    story.given(lambda act: change(act, "80"))
    story.as_(bea).decide("complete_order", "submit")
    assert story.steps == ["complete_order"]
    (found,) = story.variables_of_task("complete_order")["findings"]
    assert found["sentence"].startswith("Expected to draw at most 4,000 from BL-7, but 6,000 was asked for.")
    story.given(lambda act: change(act, "39"))
    story.as_(bea).decide("complete_order", "submit")
    assert (story.steps, remainder(story)) == (["issue_order"], (D(4150), [D(6000), D(-150)]))
    with story.acting() as act:
        withdraw_order(act, act.session.get_one(PurchaseOrder, story.order.id), reason="wrong plant")
    story.settle().as_(bea).decide("complete_order", "cancel")
    assert (story.ended_at, remainder(story)[0]) == ("nothing_ordered", D(10000))


def test_a_blanket_with_too_little_left_or_ended_is_not_drawn_from(story: Story) -> None:
    story.given(lambda act: blanket(act, remaining_value=D("5999.99")))
    story.given(lambda act: make_sourcing_ref(act, supplier=_default_supplier(act), valid_to=dt.date(2026, 11, 21)))
    story.given(
        lambda act: make_sourcing_ref(
            act, supplier=_default_supplier(act), remaining_value=None, remaining_quantity=D(149)
        )
    )
    approved(story)
    assert story.steps == ["request_quotes"]


def test_of_two_releases_at_once_one_gets_the_rest_and_the_other_finds_another_source(
    plant: Installation, clock: SettableClock
) -> None:
    stories = [Story(plant, clock), Story(plant, clock)]
    stories[0].given(lambda act: blanket(act, remaining_value=D(6000)))
    for one in stories:
        one.as_(rita).start("requisition_to_po", lines=[("P-100", 100, "42.50")])
    gate, failed = threading.Barrier(2), []

    def approve(one: Story) -> None:
        gate.wait()
        try:
            one.as_(lena).decide("approve_requisition", "approve")
        except Refused as refusal:
            failed.append(refusal)

    people = [threading.Thread(target=approve, args=(one,)) for one in stories]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert (failed, [one.incidents for one in stories]) == ([], [[], []])
    assert remainder(stories[0]) == (D(2000), [D(4000)])
    drawn = [order.lines[0].sourcing_ref_id for order in stories[0].purchase_orders]
    assert len([reference for reference in drawn if reference]) == 1
    others = [one.steps for one in stories]
    assert ["complete_order"] in others
    assert all(steps in (["complete_order"], ["choose_supplier"]) for steps in others)


def test_a_contract_that_is_used_up_while_the_gate_was_shut_is_not_overdrawn(story: Story) -> None:
    def arrange(act: Act) -> Supplier:
        supplier = make_supplier(act, name="Unlisted Parts")
        blanket(act, supplier=supplier)
        return supplier

    supplier_id = story.given(arrange).id
    approved(story, supplier=lambda act: act.session.get_one(Supplier, supplier_id))
    assert story.steps == ["decide_on_supplier"]

    def drain_and_approve(act: Act) -> None:
        act.session.scalars(select(SourcingRef)).one().remaining_value = D(1)
        announce_approval(act, make_approval(act, act.session.get_one(Supplier, supplier_id)))

    story.given(drain_and_approve)
    story.settle()
    assert (story.steps, story.purchase_orders, story.incidents) == (["request_quotes"], [], [])


def test_an_amendment_draws_more_within_the_remainder_and_never_beyond(story: Story) -> None:
    story.given(blanket)
    order = sent(story, 100, "42.50")
    assert (order.type, remainder(story)[0]) == (PurchaseType.BLANKET_RELEASE, D(6000))
    story.as_(bea).complete("record_acknowledgement", result="ACCEPT", reference="A-1")
    with pytest.raises(RuleViolation, match="take at most 6000 USD more from BL-7, but it takes 6040"):
        amend(story, more(251))
    changed = amend(story, more(105))
    go_to(story, changed)
    story.as_(lena).decide("decide_slot", "approve")
    assert (story.order.lines[0].quantity, story.incidents) == (D(105), [])
    assert remainder(story) == (D(5800), [D(4000), D(200)])
