"""Every page that the application has, found by following its links as several people, and judged by axe-core.

Each is opened once and looked at in light and in dark, at 1280 and at 390 pixels, without loading it again. A new page that nobody
can reach in the demo plant fails by its route, unless it is named in ``NOT_OPENED`` with a reason.
"""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from playwright.sync_api import BrowserContext
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from engine.act import Installation
from engine.ports import SignatureRequest
from engine.stored.definition import Definition
from processes import board_rules, flow_modes, legal_holding, sole_sources, waiving
from processes.quote_links import link_to
from records.attachment import Attachment
from records.board import Board, Membership
from records.certificate import Certificate
from records.demo_people import Member
from records.invoice import MatchHold
from records.purchase_order import PurchaseOrder
from records.quotation import Invitation
from records.receipt import Receipt, ReceiptStatus, ShortClose, move
from records.requisition import Requisition
from records.supplier import Supplier, SupplierApproval
from records.supplier_knowledge import ApprovalRecheck, SubTier
from records.work_order import OperationStatus, WorkOrder, WorkOrderOperation
from tests.clock import SettableClock
from tests.demo_plant import DEMO
from tests.e2e.conftest import Console, Live
from tests.e2e.judging import AXE, WAYS, faults
from tests.makers import D, make_approval, make_certificate, make_order_to_receive, make_receipt, make_short_close
from tests.people import PASSWORD, adam, ana, bea, ella, ivan, lena, max_, pat, quinn, rita, sam
from tests.story import settled
from tests.webapp.browser import Browser

PEOPLE = (bea, quinn, lena, rita, adam, sam, ana, max_, ella, pat, ivan)
"""Who looks at the pages, in the order in which they are asked to."""

FIRST = {
    "/suppliers/": quinn, "/boards/": quinn, "/deviations/": quinn, "/resources/new": quinn, "/changes/new": quinn,
    "/work-orders/": rita, "/requisitions/": rita, "/agreements/new": lena, "/webhooks": adam, "/people/": adam,
    "/tasks/<task_id>/decide": lena, "/orders/<record_id>/invoice": ana, "/holds/": max_,
}  # fmt: skip
"""Whose a page is, where it is not the buyer's."""

CHOICES = {
    "verdict": ("approve",), "way": ("ask",), "to": ("CONDITIONAL",), "line_no": ("1",), "kind": (), "proof": (),
}  # fmt: skip
"""What stands in an address that is no id."""

STARTS = (("/inbox?box=groups", lena), ("/inbox?box=groups", max_), ("/receipts", sam))
"""Pages that lead to others by what they show to somebody."""

NO_PAGES = re.compile(
    r"\.(<any|<kind>|pdf|json|bpmn)|^/(static|api|suggest)/|/names$|/news$|^/(healthz|readyz|metrics)$|/files/<attachment_id>(/shown)?$"
)
"""Files, suggestions and figures: what is sent to a program, or kept by the browser as a file."""

COMPANY = "the company's own provider answers there; tests/webapp/test_company.py goes the way with one"
NOT_OPENED = {
    "/": "leads to the inbox",
    "/sign-in/company": COMPANY, "/sign-in/company/again": COMPANY, "/sign-in/company/return": COMPANY,
    "/sign-in/company/for-a-signature/<step_up_id>": COMPANY, "/sign-in/company/proved/<step_up_id>": COMPANY,
    "/sign-out/company": COMPANY,
    **dict.fromkeys(
        ("/webhooks/<record_id>", "/webhooks/<record_id>/change", "/webhooks/<record_id>/deliveries/<delivery_id>"),
        "none without a receiver; tests/webapp/test_webhooks.py opens it",
    ),
    "/outside/losses/<record_id>": "nothing is lost in the demo plant; tests/webapp/test_outside.py opens it",
    "/work-orders/<record_id>/changes/<change_id>": "none waits in the demo plant; tests/webapp/test_work_orders.py opens it",
    **dict.fromkeys(
        ("/operations/moves/<move_id>/revert", "/operations/relocations/<relocation_id>"), "nothing was moved in the demo plant"
    ),
    "/meetings/<record_id>/tally/<item_id>": "a part of the meeting's page, which is opened",
}  # fmt: skip
"""Routes without a page of their own here, and why."""


def shape(rule: str) -> str:
    """Return a route without the names of what stands in it: what follows one address of a shape may follow any."""
    return re.sub("<[^>]*>", "<>", rule)


ADDRESSES: tuple[tuple[Any, str], ...] = (
    (SupplierApproval, "/suppliers/{0.supplier_id}/approvals/{0.id}/approve"),
    (SupplierApproval, "/suppliers/{0.supplier_id}/approvals/{0.id}/suspend"),
    (ApprovalRecheck, "/suppliers/{0.approval.supplier_id}/rechecks/{0.id}"),
    (SubTier, "/suppliers/{0.supplier_id}/sub-tiers/{0.id}/approve"),
    (SubTier, "/suppliers/{0.supplier_id}/sub-tiers/{0.id}/stop"),
    (Membership, "/boards/{0.board_id}/members/{0.id}/end"),
    (Invitation, "/requests-for-quotation/{0.request_id}/quotes/{0.id}"),
    (Attachment, "/files/{0.id}/preview"),
    (MatchHold, "/holds/{0.id}/release"),
    (Receipt, "/receipts/{0.id}"),
    (Certificate, "/certificates/{0.id}"),
    (ShortClose, "/short-closes/{0.id}"),
    (PurchaseOrder, "/orders/{0.id}"),
    (WorkOrder, "/work-orders/{0.id}"),
    (Definition, "/operations/definitions/{0.id}/rehearsal"),
)
"""Where the records of a kind are, the newest first."""


@dataclass
class Walk:
    """Which pages there are, and who may open an example of each."""

    app: Flask
    rules: list[str] = field(default_factory=list)
    found: dict[str, tuple[str, Member | None]] = field(default_factory=dict)
    pool: dict[str, list[str]] = field(default_factory=dict)
    tried: set[tuple[str, Member | None]] = field(default_factory=set)
    desks: dict[Member | None, Browser] = field(default_factory=dict)

    def begin(self, house: Installation, session: Session, agent: str) -> None:
        """Note every route that shows a page, and the addresses that are known without following a link."""
        self.desks = {member: Browser(self.app, agent=agent).sign_in(member) for member in PEOPLE}
        self.desks[None] = Browser(self.app, agent=agent)
        routes = [rule for rule in self.app.url_map.iter_rules() if "GET" in (rule.methods or ())]
        self.rules = sorted(rule.rule for rule in routes if not NO_PAGES.search(rule.rule))
        for rule in self.rules:
            if "<" not in rule:
                self.note(rule)
        for path in known_addresses(house, session):
            self.note(path)
        for path, member in STARTS:
            self.look(path, member)

    def note(self, path: str) -> None:
        """Keep an address as an example of its route."""
        path = path.partition("#")[0]
        try:
            rule, _ = self.app.url_map.bind("here").match(path.partition("?")[0], return_rule=True)
        except (HTTPException, RequestRedirect):
            return
        kept = self.pool.setdefault(shape(rule.rule), [])
        if path not in kept and len(kept) < 25:
            kept.append(path)

    def look(self, path: str, member: Member | None) -> bool:
        """Open a page as somebody and note where it leads; False when it is not theirs, or not there."""
        self.tried.add((path, member))
        answer = self.desks[member].get(path)
        if answer.status_code != 200 or answer.mimetype != "text/html":
            return False
        for link in re.findall(r'(?:href|hx-get|action|formaction)="(/[^"]*)"', answer.text):
            self.note(html.unescape(link))
        return True

    def search(self) -> list[str]:
        """Look for an example of every page; return the routes of which none was found."""
        for _turn in range(3):
            for rule in self.rules:
                if rule not in self.found and rule not in NOT_OPENED:
                    self._search_for(rule)
        return [rule for rule in self.rules if rule not in self.found and rule not in NOT_OPENED]

    def _search_for(self, rule: str) -> None:
        first = next((member for begin, member in FIRST.items() if rule.startswith(begin)), None)
        for member in (None,) if rule == "/sign-in" else dict.fromkeys(filter(None, (first, *PEOPLE))):
            for path in itertools.islice(self._examples(rule), 25):
                if (path, member) not in self.tried and self.look(path, member):
                    self.found[rule] = (path, member)
                    return

    def _examples(self, rule: str) -> Iterator[str]:
        """Yield addresses of a route: those that were seen, then those that go on from an address that was."""
        yield from self.pool.get(shape(rule), ())
        parts = rule.split("/")
        for length in range(len(parts) - 1, 2, -1):
            head, rest = shape("/".join(parts[:length])), parts[length:]
            if head not in self.pool or "<" not in head:
                continue
            names = [re.fullmatch(r"<(?:\w+:)?(\w+)>", part) for part in rest]
            choices = [CHOICES.get(name[1], ()) if name else (part,) for name, part in zip(names, rest, strict=True)]
            for path, *ends in itertools.product(self.pool[head], *choices):
                yield "/".join([path.partition("?")[0], *ends])
            return


def known_addresses(house: Installation, session: Session) -> Iterator[str]:
    """Yield addresses that no link leads to for want of something to do there, or that name something beside their document."""
    for kind, path in ADDRESSES:
        for record in session.scalars(select(kind).order_by(kind.id.desc()).limit(25)):
            yield path.format(record)
    for invitation in session.scalars(select(Invitation)):
        yield urlsplit(link_to(house, invitation)).path
    for operation in session.scalars(
        select(WorkOrderOperation).where(WorkOrderOperation.status == OperationStatus.READY)
    ):
        yield f"/work-orders/{operation.work_order_id}/operations/{operation.id}/skip"
    for member in PEOPLE:
        yield f"/people/{member.id}/leave"


def more(house: Installation, _clock: SettableClock) -> None:
    """Add to the demo plant what it has none of."""
    signed = SignatureRequest("APPROVED", PASSWORD, user_id=quinn.id, accepts_responsibility=True)
    with house.acting("system:arrange") as act:
        receipt = act.session.scalars(select(Receipt).where(Receipt.status == "ACCEPTED")).first()
        requisition = act.session.scalars(select(Requisition)).first()
        supplier = act.session.scalars(select(Supplier)).first()
        assert receipt
        assert requisition
        assert supplier
        make_certificate(act, receipt)
        make_short_close(act, receipt.order_line)
        make_approval(act, supplier, "OTHER_WORK", status="PENDING")
        inspected = make_order_to_receive(act, line_fields={"is_inspection_required": True})
        move(act, make_receipt(act, inspected.lines[0]), ReceiptStatus.INSPECTION)
    with house.acting(bea.principal) as act:
        stored = act.session.get_one(Requisition, requisition.id)
        sole_sources.justify(
            act, stored, act.session.get_one(Supplier, supplier.id), cause="ONLY_SOURCE", reason="Nobody else makes it by this drawing",
            amount=D(900), currency="USD", quotes_needed=3, quotes_valid=1,
        )  # fmt: skip
        waiving.propose(
            act,
            {
                "rule": "SUP-13",
                "record_type": "requisition",
                "record_id": stored.id,
                "expires_on": "2026-12-01",
                "reason": "Urgent",
            },
        )
    with house.acting(max_.principal) as act:
        flow_modes.propose(act, {"flow": "requisition_to_po", "mode": "ADVISE", "reason": "We try it for a week"})
    with house.acting(quinn.principal) as act:
        board = act.session.scalars(select(Board)).first()
        assert board
        board_rules.set_rule(
            act,
            board,
            signed,
            {"function": "QUALITY", "role": "QA_ENG", "rule": "ALL", "needed": 1},
            reason="So it was agreed",
        )
        legal_holding.place(act, {"record": requisition.number, "reason": "A claim is pending"}, signed)


WALKED = settled("walked", more, DEMO)


@pytest.mark.begins_with(WALKED)
def test_no_page_keeps_anybody_out(context: BrowserContext, live: Live, console: Console) -> None:
    context.add_init_script(path=AXE)  # before the page's own, since the pages let no foreign script element in
    page = context.new_page()
    walk = Walk(live.app)
    with live.installation.reading() as session:
        walk.begin(live.installation, session, page.evaluate("navigator.userAgent"))
    missing = walk.search()
    found: list[str] = []
    pages = sorted(walk.found.items(), key=lambda each: str(each[1][1]))
    for (rule, (path, member)), way in zip(pages, itertools.cycle(WAYS), strict=False):
        enter(context, live, walk.desks[member])
        found += [f"{rule} {fault}" for fault in faults(page, f"{live.url}{path}", way=way)]
    assert (missing, found) == ([], [])


def enter(context: BrowserContext, live: Live, desk: Browser) -> None:
    """Let the browser be who somebody is signed in as."""
    context.clear_cookies()
    cookies = [{"name": one.key, "value": one.value, "url": live.url} for one in desk.client._cookies.values()]
    context.add_cookies(cookies)
