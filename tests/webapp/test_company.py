"""Signing in at the company with a real OpenID provider: accounts, roles, sessions, and signatures that it proves."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from sqlalchemy import select

from engine.act import Installation
from engine.stored.task import Task
from records.company import CompanyIdentity, StepUp
from records.notice import Notice
from records.person import RoleGrant, User, UserStatus, move
from records.requisition import RequisitionStatus
from records.roles import grant
from tests.company.identity import AtTheCompany, Company, open_company
from tests.people import PASSWORD, adam, lena, rita
from tests.story import Story
from tests.webapp.browser import Browser, path_of
from webapp.app import create_app
from webapp.company import company_of

MADE: list[Flask] = []


@pytest.fixture(scope="module")
def company() -> Iterator[Company]:
    with open_company() as running:
        yield running
    MADE.clear()


@pytest.fixture
def at_company(company: Company, house: Installation) -> Flask:
    """The application of a plant whose people sign in at their company."""
    house.settings = {**house.settings, **company.settings}
    if not MADE:
        MADE.append(create_app(house, secret_key="only for tests"))
    MADE[0].extensions["lockstep"] = house
    return MADE[0]


def roles(story: Story, user_id: str) -> set[str]:
    """The roles that somebody holds now, with the group that gives them."""
    found = story.read(lambda session: session.scalars(select(RoleGrant).where(RoleGrant.user_id == user_id)).all())
    return {f"{one.role} of {one.of_group or 'an administrator'}" for one in found if one.is_valid(story.clock())}


def test_who_signs_in_at_the_company_gets_an_account_with_the_roles_of_the_groups(
    at_company: Flask, company: Company, story: Story
):
    browser, nora = Browser(at_company), AtTheCompany()
    browser.get("/sign-in")
    assert "Sign in at Acme" in browser.text
    answer = nora.sign_in(browser, "nora", then="/requisitions")
    assert (answer.status_code, path_of(answer)) == (303, "/requisitions")
    browser.get("/profile")
    assert "Nora Quist Buyer · nora" in browser.text
    assert roles(story, "nora") == {"BUYER of lockstep-buyers"}

    # A promotion there is one here at the next sign-in; what an administrator granted stays.
    with story.as_(adam).acting() as act:
        grant(act, act.session.get_one(User, "nora"), "RECEIVING")
    company.regroup("nora", "lockstep-quality")
    story.clock.advance(minutes=1)
    nora.sign_in(Browser(at_company), "nora")
    assert roles(story, "nora") == {"QA_ENG of lockstep-quality", "RECEIVING of an administrator"}
    company.regroup("nora", "lockstep-buyers", "canteen")


def test_an_account_of_the_same_name_is_linked_once_and_administrators_hear_of_it(at_company: Flask, story: Story):
    AtTheCompany().sign_in(Browser(at_company), "lena")
    identity = story.read(lambda session: session.scalars(select(CompanyIdentity)).one())
    assert (identity.user_id, identity.subject) == ("lena", "lena")
    told = story.read(lambda session: session.scalars(select(Notice.subject).where(Notice.user_id == "adam")).all())
    assert any("linked" in text for text in told)
    assert story.read(lambda session: session.get_one(User, "lena").title) == "Head of purchasing"

    # The company gives the user name to somebody else: the account stays with the first (21 CFR 11.100(a)).
    browser = Browser(at_company)
    answer = AtTheCompany().sign_in(browser, "lena#second")
    assert answer.status_code == 409
    assert "never given to a second person" in browser.text
    assert path_of(browser.get("/inbox")) == "/sign-in"


def test_who_is_disabled_here_does_not_get_in_whatever_the_company_says(at_company: Flask, story: Story):
    with story.as_(adam).acting() as act:
        move(act, act.session.get_one(User, "lena"), UserStatus.DISABLED)
    browser = Browser(at_company)
    assert AtTheCompany().sign_in(browser, "lena").status_code == 403
    assert "disabled here" in browser.text


def test_an_answer_counts_once_and_in_the_browser_that_asked(at_company: Flask):
    asking, person = Browser(at_company), AtTheCompany()
    back = person.go(asking.get("/sign-in/company").headers["Location"], "nora")
    stranger = Browser(at_company)
    assert stranger.get(back).status_code == 403
    assert "did not, or it came back twice" in stranger.text
    assert asking.get(back).status_code == 303
    assert asking.get(back).status_code == 403
    refused = asking.get(
        back.split("?")[0] + "?error=access_denied&state=" + parse_qs(urlsplit(back).query)["state"][0]
    )
    assert refused.status_code == 403
    assert "Try again" in asking.text


def test_signing_out_ends_both_sessions_and_the_company_ends_ours(at_company: Flask, company: Company):
    first, second, person = Browser(at_company), Browser(at_company), AtTheCompany()
    person.sign_in(first, "nora")
    person.sign_in(second, "nora")
    assert path_of(first.post("/sign-out")) == "/sign-out/company"
    first.get("/sign-out/company")
    assert "You are signed out here" in first.text
    assert first.page is not None
    target = first.page.text.split('http-equiv="refresh" content="0; url=')[1].split('"')[0].replace("&amp;", "&")
    assert person.go(target).startswith("/sign-in")
    assert second.get("/inbox").status_code == 200
    forged = second.client.post("/api/company/logout", data={"logout_token": "e30.e30.e30"})
    assert (forged.status_code, second.get("/inbox").status_code) == (400, 200)
    heard = second.client.post("/api/company/logout", data={"logout_token": company.announced.get(timeout=10)})
    assert heard.status_code == 200
    assert path_of(second.get("/inbox")) == "/sign-in"


@pytest.mark.part11("11.200(a)(1)(i)")
def test_a_signature_is_proved_by_a_fresh_sign_in_bound_to_what_is_signed(at_company: Flask, story: Story):
    task = story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)]).as_(lena).task("approve_requisition")
    browser, person = Browser(at_company), AtTheCompany()
    person.sign_in(browser, "lena")
    browser.get(f"/tasks/{task.id}")
    dialog = browser.get(f"/tasks/{task.id}/decide/approve")
    assert "You sign at Acme" in browser.text
    assert 'name="password"' not in dialog.text

    sent = browser.post(f"/tasks/{task.id}/decide/approve", _typed(task), headers={"HX-Request": "true"})
    asked = path_of(sent)
    assert sent.status_code == 204
    assert story.requisition.status is RequisitionStatus.IN_APPROVAL
    out = browser.get(asked).headers["Location"]
    wanted = parse_qs(urlsplit(out).query)
    assert (wanted["prompt"], wanted["max_age"]) == (["login"], ["0"])
    back = browser.get(person.go(out, "lena"))
    browser.get(path_of(back))
    assert f"Requisition {story.requisition.number}" in browser.text
    assert "Agrees with the contract" in browser.text

    form = {
        name: browser.field(name)
        for name in ("meaning", "reason", "seen_version", "signs_by", "proof", "accepts_responsibility")
    }
    assert browser.post(f"/tasks/{task.id}/decide/approve", form).status_code == 303
    signature = story.signatures[-1]
    assert (signature.signer_id, signature.method, signature.had_both_components) == ("lena", "COMPANY", True)
    assert signature.reason == "Agrees with the contract"
    # The proof is spent.
    other = story.as_(rita).start("requisition_to_po", lines=[("P-100", 60)]).as_(lena).task("approve_requisition")
    again = browser.post(f"/tasks/{other.id}/decide/approve", {**form, "seen_version": str(other.version)})
    assert again.status_code == 403
    assert "the content is another one now" in browser.text


def test_a_proof_of_somebody_else_or_of_another_question_signs_nothing(at_company: Flask, story: Story):
    task = story.as_(rita).start("requisition_to_po", lines=[("P-100", 50)]).as_(lena).task("approve_requisition")
    browser, person = Browser(at_company), AtTheCompany()
    person.sign_in(browser, "lena")
    plain = person.go(browser.get("/sign-in/company").headers["Location"], "lena")
    browser.post(f"/tasks/{task.id}/decide/approve", _typed(task))
    assert "Sign in once more to sign" in browser.text
    kept = story.read(lambda session: session.scalars(select(StepUp)).one())
    out = browser.get(f"/sign-in/company/for-a-signature/{kept.id}").headers["Location"]
    # An answer to another question under this question's state.
    state = parse_qs(urlsplit(out).query)["state"][0]
    code = parse_qs(urlsplit(plain).query)["code"][0]
    assert browser.get(f"/sign-in/company/return?code={code}&state={state}").status_code == 403
    out = browser.get(f"/sign-in/company/for-a-signature/{kept.id}").headers["Location"]
    assert browser.get(AtTheCompany().go(out, "nora")).status_code == 403
    assert "but it was somebody unknown here" in browser.text
    out = browser.get(f"/sign-in/company/for-a-signature/{kept.id}").headers["Location"]
    story.clock.advance(minutes=11)
    assert browser.get(person.go(out, "lena")).status_code == 404
    assert story.signatures == []


def _typed(task: Task) -> dict[str, str]:
    return {
        "seen_version": str(task.version), "meaning": "APPROVED", "signs_by": "COMPANY", "accepts_responsibility": "true",
        "reason": "Agrees with the contract",
    }  # fmt: skip


def test_where_only_the_company_counts_a_linked_account_has_no_password_any_more(
    at_company: Flask, company: Company, house: Installation
):
    AtTheCompany().sign_in(Browser(at_company), "lena")
    house.settings = {**house.settings, "company_only": "true"}
    strict = create_app(house, secret_key="only for tests")
    browser = Browser(strict)
    answer = browser.post("/sign-in", {"sign_in_name": "lena", "sign_in_password": PASSWORD})
    assert answer.status_code == 403
    assert "Expected lena to sign in at Acme" in browser.text
    assert browser.post("/sign-in", {"sign_in_name": "adam", "sign_in_password": PASSWORD}).status_code == 303


def test_a_provider_that_does_not_answer_is_said_so(house: Installation):
    settings = {"company_issuer": "http://127.0.0.1:9", "company_client_id": "x", "company_client_secret": "y"}
    house.settings = {**house.settings, **settings}
    browser = Browser(create_app(house, secret_key="only for tests"))
    assert browser.get("/sign-in/company").status_code == 502
    assert "Expected your company to answer within 10 seconds" in browser.text
    with pytest.raises(ValueError, match="missing: company_client_secret"):
        company_of({name: value for name, value in settings.items() if name != "company_client_secret"})
