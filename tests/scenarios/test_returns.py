"""What a return costs: an approval stands where nothing changed that it was about, and who sent it back is asked (W21)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from engine.act import Act
from engine.audit import chain_of
from engine.errors import RuleViolation
from processes.coverage import signers_of
from records.approval import slots_of
from records.purchase_order import OrderStatus, PurchaseOrder
from records.purchase_order import approved_hash as order_hash
from records.requisition import Requisition, RequisitionStatus, move
from records.signature import SignatureStatus
from records.standing import NOTE, kept_for, signatures_standing
from tests.makers import make_clause, make_grant, make_part, make_revision
from tests.people import bea, carl, lena, max_, quinn, rita
from tests.story import Story
from tests.webapp.conftest import People

D = Decimal


def asked(story: Story) -> list[str]:
    """Return whose seats are open."""
    return sorted(task.role or "" for task in story.tasks("decide_slot"))


def sent_back(story: Story) -> None:
    """Have a requisition of 10,000 that the owner of the cost centre approved before the manager sent it back."""
    story.as_(rita).start(
        "requisition_to_po", lines=[("P-100", 200, "50")], justification="The plant neads more brackets"
    )
    assert asked(story) == ["CC_OWNER", "PUR_MGR"]
    story.as_(carl).decide("approve_requisition", "approve")
    story.as_(max_).decide("approve_requisition", "return", reason="It says neads")


def correct(story: Story, mend: Callable[[Requisition], None]) -> None:
    """Let rita correct it and send it again."""

    def edit(act: Act) -> None:
        found = act.session.get_one(Requisition, story.requisition_id)
        move(act, found, RequisitionStatus.DRAFT)
        act.session.flush()
        mend(found)

    story.given(edit)
    story.as_(rita).decide("correct_requisition", "resubmit")
    assert story.incidents == []


def typo(requisition: Requisition) -> None:
    requisition.justification = "The plant needs more brackets."


def more(requisition: Requisition) -> None:
    requisition.lines[0].quantity = D(201)


def other_words(requisition: Requisition) -> None:
    requisition.justification = "The plant needs fewer brackets"


def test_a_requisition_of_which_a_typo_was_mended_asks_only_who_sent_it_back(story: Story, browse: People) -> None:
    sent_back(story)
    correct(story, typo)
    shown = browse(max_).get(f"/requisitions/{story.requisition_id}?tab=route").text
    assert f"Kept: {carl.name} signed before the return, because only the justification changed" in shown
    assert asked(story) == ["PUR_MGR"]
    [task] = story.tasks("decide_slot")
    shown = str(story.variables_of_task("decide_slot"))
    assert f"Kept: {carl.name}" in shown
    assert "because only the justification changed." in shown
    story.given(lambda act: make_grant(act, "carl", "PUR_MGR"))
    with pytest.raises(RuleViolation) as barred:
        story.as_(carl).decide("decide_slot", "approve")
    assert barred.value.code == "SOD-ONCE", "whose approval stands takes no other seat of a large document"
    story.as_(max_).decide("decide_slot", "return", reason="A comma, please")
    correct(story, lambda found: setattr(found, "justification", "The plant needs, more brackets."))
    assert asked(story) == ["PUR_MGR"], "what stood once stands when the next slip is mended"
    story.as_(max_).decide("decide_slot", "approve")
    requisition = story.requisition
    assert requisition.status in (RequisitionStatus.APPROVED, RequisitionStatus.CONVERTED)
    about, digest = (requisition.record_type, requisition.id), requisition.approved_hash or ""
    standing = story.read(lambda session: signatures_standing(session, *about, digest))
    assert [(one.signer_id, one.status) for one in standing] == [("carl", SignatureStatus.SUPERSEDED)]
    assert {carl.id, max_.id} == story.given(
        lambda act: signers_of(act, act.session.get_one(Requisition, requisition.id))
    )
    notes = [one for one in story.read(lambda session: chain_of(session, *about)) if one.action == NOTE]
    assert [(one.field, one.new) for one in notes][-1] == ("2 CC_OWNER", digest)
    assert task.record_hash != digest


@pytest.mark.parametrize("mend", [more, other_words])
def test_a_requisition_of_which_more_was_changed_asks_everybody_again(
    story: Story, mend: Callable[[Requisition], None]
) -> None:
    sent_back(story)
    correct(story, mend)
    assert asked(story) == ["CC_OWNER", "PUR_MGR"]
    assert NOTE not in {
        one.action for one in story.read(lambda session: chain_of(session, "requisition", story.requisition_id))
    }


def key_part(story: Story) -> None:
    """Have a part that quality approves, too, with the clauses that come with it."""

    def arrange(act: Act) -> None:
        make_revision(act, make_part(act, "P-300", criticality="KEY"))
        for code in ("Q08", "Q10", "Q15"):
            make_clause(act, code)

    story.given(arrange)


@pytest.mark.parametrize(
    ("column", "value", "roles"),
    [
        ("description", "Bracket for the housing", ["PUR_LEAD"]),
        ("unit_price", D("44"), ["PUR_LEAD"]),
        ("spec", "AMS 2404", ["PUR_LEAD", "QA_ENG"]),
    ],
)
def test_an_order_that_was_sent_back_is_asked_for_as_deeply_as_it_was_changed(
    story: Story, column: str, value: object, roles: list[str]
) -> None:
    key_part(story)
    story.as_(rita).start("requisition_to_po", lines=[("P-300", 100, "42.50")])
    for member in (quinn, lena):
        story.as_(member).decide("approve_requisition", "approve")
    order_id = story.order.id

    def edit(act: Act, **fields: object) -> None:
        for name, to in fields.items():
            setattr(act.session.get_one(PurchaseOrder, order_id).lines[0], name, to)

    def seats(act: Act) -> list[str]:
        digest = order_hash(act.session.get_one(PurchaseOrder, order_id))
        return sorted(slot.role for slot in slots_of(act.session, "purchase_order", order_id, digest))

    story.given(lambda act: edit(act, unit_price=D("43"), description="Bracket for the hosing"))
    story.as_(bea).decide("complete_order", "submit")
    assert story.given(seats) == ["PUR_LEAD", "QA_ENG"], "dearer than its requisition"
    story.as_(quinn).decide("approve_order", "approve")
    story.as_(lena).decide("approve_order", "return", reason="hosing?")
    story.given(lambda act: edit(act, **{column: value}))
    story.as_(bea).decide("complete_order", "submit")
    assert (story.given(seats), story.incidents) == (roles, [])
    digest = story.given(lambda act: order_hash(act.session.get_one(PurchaseOrder, order_id)))
    kept = story.read(lambda session: kept_for(session, "purchase_order", order_id, digest))
    field = {"unit_price": "unit price"}.get(column, column)
    wanted = [("QA_ENG", "quinn", f"only the {field} of a line changed")] if roles == ["PUR_LEAD"] else []
    assert [(one.role, one.signature.signer_id, one.why) for one in kept] == wanted
    for member in (quinn, lena) if "QA_ENG" in roles else (lena,):
        story.as_(member).decide("approve_order", "approve")
    assert (story.order.status, story.incidents) == (OrderStatus.APPROVED, [])
