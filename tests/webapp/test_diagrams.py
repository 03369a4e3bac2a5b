"""Where a run stands, painted: each call of a process has a view of its own, and awards are named."""

from __future__ import annotations

from sqlalchemy import select

from engine import instances, tasks
from engine.act import Act, Installation
from engine.definitions import deploy
from engine.ports import SignatureRequest
from engine.stored.task import Task
from records.purchase_order import PurchaseOrder
from records.supplier import Supplier
from tests.engine.plant import for_role
from tests.engine.spiff.diagrams import call, diagram, end, process, start, user
from tests.makers import make_approval, make_supplier
from tests.people import PASSWORD, bea, lena, pat, rita
from tests.story import Story
from tests.webapp.conftest import People


def test_the_diagram_tells_the_rounds_of_two_awards_and_of_the_request_apart(browse: People, story: Story):
    def other_supplier(act: Act) -> Supplier:
        acme = act.session.scalar(select(Supplier).where(Supplier.name == "Acme Castings"))
        if acme is None:
            acme = make_supplier(act, name="Acme Castings")
            make_approval(act, acme)
        return acme

    def in_turn(act: Act) -> Supplier:
        midland = act.session.scalars(select(Supplier).where(Supplier.name.like("Midland%"))).one()
        return next(turns) or midland

    turns = iter((story.given(other_supplier), None))
    story.as_(rita).start(
        "requisition_to_po", lines=[("P-100", 100, "42.50"), ("P-200", 50, "20.00")],
        line_fields={"supplier": in_turn},
    )  # fmt: skip
    asked = browse(pat).get(f"/operations/runs/{story.instance_id}/diagram.json").json
    assert asked is not None
    assert [view["name"] for view in asked["views"]][1:] == ["Approval round for the requisition"]
    for task in story.tasks("approve_requisition"):
        decide_as_needed(story, task)
    assert len(story.purchase_orders) == 2

    def dearer(act: Act) -> None:
        for order in act.session.scalars(select(PurchaseOrder)):
            order.lines[0].unit_price *= 2

    story.given(dearer)
    first = story.tasks("complete_order")[0]
    decide_as_needed(story.as_(bea), first, "submit")
    state = browse(pat).get(f"/operations/runs/{story.instance_id}/diagram.json").json
    assert state is not None
    main, call = state["views"]
    assert (call["process"], call["name"]) == ("approval_round", "Approval round for the order")
    assert [crumb["words"] for crumb in call["crumbs"]] == [main["name"], first.party + " (1 of 2)"]
    in_main = {token["element"]: token["words"] for token in state["tokens"] if token["view"] == ""}
    assert set(in_main) == {"approve_order", "complete_order"}
    assert in_main["approve_order"].startswith(first.party + " (1 of 2): ")
    assert in_main["complete_order"].endswith("(2 of 2): waits for a person")
    done = [(step["view"], step["process"]) for step in state["done"]]
    assert ("", "requisition_to_po") in done
    assert all(view == call["key"] for view, process in done if process == "approval_round")
    stages = {step["element"] for step in state["done"] if step["view"] == call["key"]}
    assert "decide_slot" not in stages, "the seat of the order's round is not filled yet; that of the request's was"


def decide_as_needed(story: Story, task: Task, verdict: str = "approve") -> None:
    """Decide one task, signed where it asks for it, as somebody who may."""
    member = lena if verdict == "approve" else bea
    with story.installation.acting(f"user:{member.id}") as act:
        tasks.decide(
            act, task.id, verdict, seen_version=task.version,
            signature=SignatureRequest(task.signature, PASSWORD, user_id=member.id, accepts_responsibility=True)
            if task.signature else None,
        )  # fmt: skip
    story.settle()


def test_a_process_that_was_deployed_apart_is_drawn_and_named_where_it_is_called(house: Installation, browse: People):
    caller = process(
        start(), call("go", "apart", bindingType="latest", name="Ask"), end(), id="caller", flows="s > go > e"
    )
    waits = user("inner", extensions=for_role("BUYER"), name="Look at it")
    called = diagram(process(start(), waits, end(), id="apart", flows="s > inner > e"))
    with house.acting(pat.principal) as act:
        deploy(act, {"apart.bpmn": called})
        deploy(act, {"caller.bpmn": diagram(caller)})
        run = instances.start(act, "caller", business_key="C-1").id
    browser, path = browse(pat), f"/operations/runs/{run}"
    assert browser.get(f"{path}/diagram.bpmn?process=apart").data == called
    state = browser.get(f"{path}/diagram.json").json
    assert state is not None
    assert [(mark["element"], mark["name"]) for mark in state["tokens"]] == [("inner", "Look at it"), ("go", "go")]
    browser.get(f"{path}/standing")
    assert "Look at it" in browser.text
    assert browser.get(f"{path}/diagram.bpmn?process=elsewhere").status_code == 404
