"""Every page and every operation, tried by people whose it is not: each is named, each is refused, and nothing is changed by trying."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from engine.act import Installation
from engine.audit import AuditEvent
from engine.stored.task import Task, TaskState
from processes import helping
from records import inbox_view
from records.actual import Actual
from records.api_key import PERSONAL, SCOPES, make_key
from records.change_request import ChangeRequest
from records.change_task import ChangeTask
from records.demo_people import CAST, Member
from records.directory import plan_absence
from records.external import Discrepancy
from records.impact import AffectedOrder
from records.lending import lend
from records.notice import Notice
from records.purchase_order import PurchaseOrder
from records.session import SignInSession
from records.work_order import WorkOrder, WorkOrderOperation
from rules.finding import KeptFinding
from tests.demo_plant import DEMO
from tests.makers import make_requisition
from tests.people import ana, bea, ella, lena, max_, otto, quinn, rita
from tests.story import Story
from tests.webapp.addresses import address, pages, path_of
from tests.webapp.api.conftest import UNKNOWN
from tests.webapp.browser import Browser
from tests.webapp.conftest import People
from webapp import page_rights
from webapp.api import operation_rights
from webapp.api.endpoints import ENDPOINTS, Endpoint
from webapp.rights import CONCERNED, OF_DECISION, OF_TASK, OPEN, Right


def events(house: Installation) -> int:
    with house.reading() as session:
        return session.scalar(select(func.count()).select_from(AuditEvent)) or 0


def strangers(right: Right, turn: int) -> list[Member]:
    """Return two whom a right does not admit, in turn, so that each of the cast tries at many doors."""
    barred = [member for member in CAST if not right.admits(role.partition("@")[0] for role in member.roles)]
    return [barred[turn % len(barred)], barred[(turn + len(barred) // 2) % len(barred)]]


def test_whoever_is_not_signed_in_is_sent_to_sign_in(app: Flask, house: Installation) -> None:
    nobody, before, wrong = Browser(app), events(house), []
    proof = {"form_proof": nobody.proof}
    for rule, method in pages(app):
        right = page_rights.of_page(rule.endpoint, method)
        if right is OPEN:
            continue
        answer = nobody.client.open(address(rule, app), method=method, data=proof if method == "POST" else None)
        is_sent = answer.status_code == 302 and answer.headers["Location"].startswith("/sign-in")
        if not (is_sent if method == "GET" else answer.status_code == 401) and rule.endpoint != "company.signed_out":
            wrong.append((rule.endpoint, method, answer.status_code))
    for one in ENDPOINTS:
        answer = nobody.client.open(path_of(one), method=one.method, json={})
        if answer.status_code != 401:
            wrong.append((one.name, one.method, answer.status_code))
    assert wrong == []
    assert events(house) == before


def test_a_form_without_its_proof_is_refused_on_every_page(app: Flask, browse: People, house: Installation) -> None:
    """Another site's page cannot send it: whoever is signed in, whatever it would do; provider and suppliers have proofs of their own."""
    browser = browse(max_)
    before, wrong = events(house), []
    for rule, method in pages(app):
        if method == "POST" and rule.endpoint != "company.logout_there":
            answer = browser.client.post(address(rule, app), data={"form_proof": "0" * 64})
            if answer.status_code != 403 or ("FORM_PROOF" not in answer.text and "proof" not in answer.text):
                wrong.append((rule.endpoint, answer.status_code))
    assert wrong == []
    assert events(house) == before


def test_people_without_the_role_are_refused_before_anything_is_read(
    app: Flask, browse: People, house: Installation
) -> None:
    """Each page and operation that takes a role, by two of those in turn who lack it, administrators and machinists among them."""
    browsers: dict[str, Browser] = {}
    keys: dict[str, str] = {}
    before, wrong = None, []
    for member in CAST:
        browsers[member.id] = browse(member)
        with house.acting("system:arrange") as act:
            keys[member.id] = make_key(act, member.principal, "tries", scopes=list(SCOPES))[0]
    proofs = {name: browser.proof for name, browser in browsers.items()}
    before = events(house)
    client = app.test_client()
    for turn, (rule, method) in enumerate(pages(app)):
        right = page_rights.of_page(rule.endpoint, method)
        for member in strangers(right, turn) if right and right.takes_a_role else ():
            sent = {"form_proof": proofs[member.id]} if method == "POST" else None
            answer = browsers[member.id].client.open(address(rule, app), method=method, data=sent)
            if answer.status_code != 403:
                wrong.append((rule.endpoint, method, member.id, answer.status_code))
    for turn, one in enumerate(ENDPOINTS):
        right = operation_rights.of_operation(one.name, one.method)
        for member in strangers(right, turn) if right and right.takes_a_role else ():
            headers = {"Authorization": f"Bearer {keys[member.id]}", "If-Match": '"1"'}
            answer = client.open(path_of(one), method=one.method, json={}, headers=headers)
            if answer.status_code != 403 or answer.json["code"] != "NOT_AUTHORISED":
                wrong.append((one.name, one.method, member.id, answer.status_code))
    assert wrong == []
    assert events(house) == before


def test_a_key_does_nothing_that_its_scopes_do_not_name(app: Flask, house: Installation) -> None:
    """Whoever holds it; and an adapter, with every scope it can have, does nothing that takes a person."""
    with house.acting("system:arrange") as act:
        lacking = {
            scope: make_key(act, quinn.principal, "x", scopes=sorted(set(SCOPES) - {scope}))[0] for scope in SCOPES
        }
        adapter = make_key(act, "adapter:erp", "x", scopes=sorted(set(SCOPES) - PERSONAL))[0]
    client, before, wrong = app.test_client(), events(house), []
    for one in ENDPOINTS:
        asked = {"method": one.method, "json": {}}
        answer = client.open(path_of(one), headers={"Authorization": f"Bearer {lacking[one.scope]}"}, **asked)
        if answer.status_code != 403 or answer.json["code"] != "SCOPE_MISSING":
            wrong.append((one.name, answer.status_code))
        if one.person:
            answer = client.open(path_of(one), headers={"Authorization": f"Bearer {adapter}"}, **asked)
            if answer.status_code != 403:
                wrong.append((one.name, "adapter", answer.status_code))
    assert wrong == []
    assert events(house) == before


# What the right does not know before the record is: each such page and operation is tried with a form that would do, by somebody
# whom the record does not concern.


@pytest.fixture
def others(house: Installation, story: Story) -> dict[str, str]:
    """Arrange things that belong to Rita, Lena and Max in the demo plant; return their ids by the words of addresses."""
    with story.as_(lena).acting() as act:
        day = act.now.replace(hour=0)
        view = inbox_view.save_view(
            act,
            {"name": "Hers", "colour": "red", "box": "groups", "query": "", "sort": "due", "grouping": "", "columns": ["amount"],
             "shared_with": None},
        )  # fmt: skip
        absence = plan_absence(act, "lena", "max", starts_at=act.now, ends_at=day.replace(month=12))
        lent = lend(act, "max", "PUR_LEAD", valid_from=act.now, valid_to=day.replace(month=12))
        found = {"view_id": view.id, "absence_id": absence.id, "delegation": lent.id}
    with story.as_(rita).acting() as act:
        made = make_requisition(act, requester_id="rita")
        found["requisition"] = made.id
    hers = house.reading()
    with hers as session:
        tasks = session.scalars(
            select(Task).where(Task.state == TaskState.OPEN, Task.record_type == "requisition")
        ).all()
        found["task_id"] = next(one.id for one in tasks if "role:PUR_LEAD" in one.candidates)
    with story.as_(lena).acting() as act:
        asked = helping.ask(act, found["task_id"], "carl", "Is it in the budget?")
        found["help_id"] = asked.id
    with house.reading() as session:
        found |= _ids(session)
    return found


def _ids(session: Session) -> dict[str, str]:
    def first(wanted: Any) -> Any:
        return session.scalars(wanted).first()

    operation = first(select(WorkOrderOperation).join(WorkOrder).where(WorkOrderOperation.status == "READY"))
    row = first(select(AffectedOrder))
    request = first(select(ChangeRequest).where(ChangeRequest.originator != "ana", ChangeRequest.status == "SUBMITTED"))
    done = first(select(ChangeTask).where(ChangeTask.owner == "role:QA_ENG", ChangeTask.status == "OPEN"))
    return {
        "notice_id": first(select(Notice.id).where(Notice.user_id == "rita")),
        "session_id": first(select(SignInSession.id)) or UNKNOWN,
        "request": request.id,
        "mismatch": first(select(Discrepancy.id).where(Discrepancy.status == "OPEN")),
        "finding": first(select(KeptFinding.id).where(KeptFinding.effect == "WARN", KeptFinding.owner == "role:SQ")),
        "work_order": operation.work_order_id, "work_order_number": operation.work_order.number, "operation_id": operation.id,
        "actual_id": first(select(Actual.id)) or UNKNOWN,
        "change": row.change_order_id, "row_id": row.id, "change_of_task": done.change_order_id, "change_task": done.id,
        "order": first(select(PurchaseOrder.id)),
    }  # fmt: skip


Try = tuple[Member, dict[str, str], dict[str, Any]]

REASON = {"reason": "Because I can"}
BODY = {"cost_centre": "4711", "lines": [{"part": "P-100", "quantity": "5", "estimated_price": "42.5"}]}
VIEW = {
    "name": "Mine now",
    "colour": "red",
    "box": "groups",
    "query": "",
    "sort": "due",
    "grouping": "",
    "columns": ["amount"],
}
SHARE = {"disposition": "NO_ACTION", "reason": "No need"}


def forms(at: dict[str, str]) -> dict[str, Try]:
    """Return for each page that asks the record who may: who is a stranger, values of the address, and a form that would do."""
    floor = {
        "record_id": at["work_order"],
        "operation_id": at["operation_id"],
        "actual_id": at["actual_id"],
        "verb": "start",
    }
    row, task = (
        {"record_id": at["change"], "row_id": at["row_id"]},
        {"record_id": at["change_of_task"], "task_id": at["change_task"]},
    )
    return {
        "account.end_absence": (bea, {"absence_id": at["absence_id"]}, {}),
        "account.end_session": (bea, {"session_id": at["session_id"]}, {}),
        "account.read_notice": (bea, {"notice_id": at["notice_id"]}, {}),
        "inbox_views.show": (bea, {"view_id": at["view_id"]}, VIEW),
        "inbox_views.adopt": (bea, {"view_id": at["view_id"]}, {}),
        "inbox_views.delete": (bea, {"view_id": at["view_id"]}, {}),
        "lending.take_back": (bea, {"record_id": at["delegation"]}, {}),
        "helping.answer": (bea, {"help_id": at["help_id"]}, {"answer": "Yes"}),
        "helping.take_back": (bea, {"help_id": at["help_id"]}, {}),
        "requisitions.edit": (ella, {"record_id": at["requisition"]}, {"title": "Mine"}),
        "requisitions.withdraw": (bea, {"record_id": at["requisition"]}, REASON),
        "change_requests.decide": (ana, {"record_id": at["request"], "do": "withdraw"}, REASON),
        "mismatches.show": (otto, {"record_id": at["mismatch"]}, REASON),
        "findings.show": (otto, {"record_id": at["finding"]}, REASON),
        "impacts.dispose": (ana, row, {"what": "chosen", "row": at["row_id"], **SHARE}),
        "impacts.divide": (ana, row, {"disposition.1": "NO_ACTION", "quantity.1": "1"}),
        "impacts.assess": (ana, row, {"area": "ENGINEERING", "answer": "NO_IMPACT"}),
        "impacts.carry_out": (ana, task, {"evidence": "Done"}),
        "work_order_floor.report": (ana, floor, {}),
        "work_order_floor.reverse": (ana, floor, REASON),
        "work_order_floor.result": (ana, floor, {"result": "IN_TOLERANCE"}),
        "work_order_floor.raise_nonconformance": (ana, floor, {"quantity": "1", "title": "Scratched"}),
    }  # fmt: skip


def bodies(at: dict[str, str]) -> dict[str, Try]:
    """Return the same for the operations of the API."""
    row, task = (
        {"record_id": at["change"], "row_id": at["row_id"]},
        {"record_id": at["change_of_task"], "task_id": at["change_task"]},
    )
    mine = {"record_id": at["requisition"]}
    return {
        "change_view": (bea, {"view_id": at["view_id"]}, VIEW),
        "delete_view": (bea, {"view_id": at["view_id"]}, {}),
        "adopt_view": (bea, {"view_id": at["view_id"]}, {}),
        "take_role_back": (bea, {"record_id": at["delegation"]}, {}),
        "end_absence": (bea, {"record_id": at["absence_id"]}, {}),
        "answer_question": (bea, {"record_id": at["help_id"]}, {"answer": "Yes"}),
        "take_question_back": (bea, {"record_id": at["help_id"]}, {}),
        "change_requisition": (bea, mine, BODY),
        "submit_requisition": (bea, mine, {}),
        "cancel_requisition": (bea, mine, REASON),
        "withdraw_requisition": (bea, mine, REASON),
        "withdraw_change_request": (ana, {"record_id": at["request"]}, REASON),
        "dispose_row": (ana, row, {"shares": [SHARE]}),
        "dispose_rows": (ana, row, {"rows": [at["row_id"]], **SHARE}),
        "assess_impact": (ana, row, {"area": "ENGINEERING", "answer": "NO_IMPACT"}),
        "carry_out_change_task": (ana, task, {"evidence": "Done"}),
        "acknowledge_finding": (otto, {"record_id": at["finding"]}, REASON),
        "raise_nonconformance": (
            ana, {}, {"work_order": at["work_order_number"], "quantity": "1", "title": "Scratched"},
        ),
    }  # fmt: skip


class Strangers:
    """People who try things, each with a browser and a key of every scope. events_before: what was written until they began."""

    def __init__(self, app: Flask, browse: People, house: Installation, members: Iterable[Member]) -> None:
        self.app, self.house = app, house
        self.browsers = {member.id: browse(member) for member in members}
        self.proofs = {name: browser.proof for name, browser in self.browsers.items()}
        with house.acting("system:arrange") as act:
            self.keys = {name: make_key(act, f"user:{name}", "tries", scopes=list(SCOPES))[0] for name in self.browsers}
        self.rules = {rule.endpoint: rule for rule, _method in pages(app)}
        self.events_before = events(house)

    def open_page(self, member: Member, name: str, method: str, values: dict[str, str], form: Any = None) -> str:
        """Return how a page answered and what it wrote, in one line."""
        sent = {**(form or {}), "form_proof": self.proofs[member.id]} if method == "POST" else None
        place = address(self.rules[name], self.app, **values)
        return self._told(name, self.browsers[member.id].client.open(place, method=method, data=sent))

    def call(self, member: Member, one: Endpoint, values: dict[str, str], body: Any = None) -> str:
        """Return how an operation answered and what it wrote, in one line."""
        headers = {"Authorization": f"Bearer {self.keys[member.id]}"}
        place = path_of(one, **values)
        if one.match:
            thing = "/".join(place.split("/")[:5])
            headers["If-Match"] = self.app.test_client().get(thing, headers=headers).headers.get("ETag", '"1"')
        return self._told(
            one.name, self.app.test_client().open(place, method=one.method, json=body or {}, headers=headers)
        )

    def _told(self, name: str, answer: TestResponse) -> str:
        before, self.events_before = self.events_before, events(self.house)
        written = self.events_before - before
        return f"{answer.status_code} {name}" + (f" wrote {written}" if written else "")


@pytest.mark.begins_with(DEMO)
def test_what_the_record_says_is_somebody_elses_is_refused_with_a_form_that_would_do(
    app: Flask, browse: People, house: Installation, others: dict[str, str]
) -> None:
    """Each page and operation whose right the record alone knows, in the demo plant; nothing is changed by any of them."""
    tried, called = forms(others), bodies(others)
    assert set(tried) == {name for name, right in page_rights.DOES.items() if right is CONCERNED}
    assert set(called) == {name for name, right in operation_rights.CALLS.items() if right is CONCERNED}
    trying = Strangers(app, browse, house, [bea, ella, otto, ana])
    told = [trying.open_page(who, name, "POST", values, form) for name, (who, values, form) in tried.items()]
    told += [
        trying.call(who, one, *called[one.name][1:])
        for one in ENDPOINTS
        if one.name in called
        for who in [called[one.name][0]]
    ]
    told += [
        trying.open_page(ana, name, "GET", {"record_id": others["requisition"]})
        for name, right in page_rights.SHOWS.items()
        if right is CONCERNED
    ]
    assert [one for one in told if not re.fullmatch(r"40[34] \w+(\.\w+)?", one)] == []


@pytest.mark.begins_with(DEMO)
def test_a_task_is_nothing_to_whom_it_does_not_concern(
    app: Flask, browse: People, house: Installation, others: dict[str, str]
) -> None:
    """W40 for every page and operation of tasks: 404, whatever is sent, as if there were none."""
    trying = Strangers(app, browse, house, [ana])
    values = {"task_id": others["task_id"], "verdict": "approve", "way": "ask"}
    told = [
        trying.open_page(ana, rule.endpoint, method, values)
        for rule, method in pages(app)
        if page_rights.of_page(rule.endpoint, method) in (OF_TASK, OF_DECISION)
    ]
    told += [
        trying.call(ana, one, values)
        for one in ENDPOINTS
        if operation_rights.of_operation(one.name, one.method) in (OF_TASK, OF_DECISION)
    ]
    assert len(told) > 25
    assert [one for one in told if not re.fullmatch(r"404 \w+(\.\w+)?", one)] == []
