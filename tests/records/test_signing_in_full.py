"""Sessions under a clock that jumps, other methods than the password, and passwords that are only their owner's."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from engine.act import Act, Installation
from engine.audit import chain_of
from engine.errors import Conflict, Forbidden, Invalid
from engine.ports import SignatureRequest
from engine.verification import verify
from records.password import change_password, set_password
from records.person import Credential, User, UserStatus, move
from records.purchase_order import PurchaseOrder
from records.sign_in import end_all, session_of, sign_in, touch
from records.signature import Signature, SignatureStatus
from records.signing import ByPassword, PasswordSigner, signature_of
from tests.clock import SettableClock
from tests.people import PASSWORD, QUICK
from tests.records.test_signing import BROWSER, HASH, decision, order_id, sign, sign_in_as

__all__ = ["order_id"]


class FromTheCompany:
    """A sign-in at the company, as a plant could wire it: one proof holds every component."""

    code = "COMPANY"
    has_all_components = True

    def prove(
        self, act: Act, user_id: str, request: SignatureRequest, *, record: tuple[str, str], content_hash: str
    ) -> None:
        if request.proof != f"token of {user_id}":
            raise Forbidden("Expected a fresh sign-in at the company, but there is none", code="NOT_PROVED", record=record)  # fmt: skip


def sign_by_company(house: Installation, order: str, proof: str, who: str = "lena") -> Signature:
    made = decision(order, who)
    with house.acting(f"user:{who}") as act:
        signer = PasswordSigner(methods=(ByPassword(), FromTheCompany()))
        signer.sign(act, made, SignatureRequest("APPROVED", "", method="COMPANY", proof=proof))
        signature = signature_of(act.session, made.id)
    assert signature is not None
    return signature


@pytest.mark.part11("11.200(a)(1)(i)")
def test_another_method_signs_through_the_same_port_and_the_row_says_which(house: Installation, order_id: str) -> None:
    signature = sign_by_company(house, order_id, "token of lena")
    assert (signature.method, signature.had_both_components) == ("COMPANY", True)
    assert sign(house, decision(order_id), user_id="lena").method == "PASSWORD"
    with pytest.raises(Forbidden) as refusal:
        sign_by_company(house, order_id, "token of max")
    assert refusal.value.code == "NOT_PROVED"
    with pytest.raises(Invalid, match="Expected to sign by PASSWORD"):
        sign(house, decision(order_id), user_id="lena", method="COMPANY")


@pytest.mark.part11("11.300(c)")
@pytest.mark.parametrize("status", [UserStatus.LOCKED, UserStatus.DISABLED])
def test_no_method_signs_for_somebody_who_left_or_is_locked(
    house: Installation, order_id: str, status: UserStatus
) -> None:
    with house.acting("user:adam") as act:
        move(act, act.session.get_one(User, "lena"), status, reason="left")
    with pytest.raises(Forbidden):
        sign_by_company(house, order_id, "token of lena")
    with house.reading() as session:
        assert session.scalars(select(Signature)).all() == []


@pytest.mark.part11("11.200(a)(1)(i)", "11.200(a)(1)(ii)")
def test_a_clock_that_is_set_back_asks_for_both_components_again(
    house: Installation, clock: SettableClock, order_id: str
) -> None:
    _, session_id = sign_in_as(house)
    sign(house, decision(order_id), session_id=session_id, user_id="lena")
    clock.advance(minutes=-10)
    with pytest.raises(Forbidden) as refusal:
        sign(house, decision(order_id), session_id=session_id)
    assert refusal.value.code in {"BOTH_COMPONENTS_NEEDED", "NOT_YOUR_SESSION"}


@pytest.mark.part11("11.200(a)(1)(ii)")
def test_a_clock_that_jumps_ahead_and_back_leaves_no_session_that_lasts_longer(
    house: Installation, clock: SettableClock, order_id: str
) -> None:
    token, session_id = sign_in_as(house)
    sign(house, decision(order_id), session_id=session_id, user_id="lena")
    clock.advance(minutes=90)
    with house.acting("user:lena") as act:
        touch(act, session_id)
    clock.advance(minutes=-90)
    with house.reading() as session:
        assert session_of(session, token, device=BROWSER, now=clock()) is None
    with pytest.raises(Forbidden):
        sign(house, decision(order_id), session_id=session_id)
    clock.advance(minutes=91)
    with pytest.raises(Forbidden) as refusal:
        sign(house, decision(order_id), session_id=session_id)
    assert refusal.value.code == "BOTH_COMPONENTS_NEEDED"


@pytest.mark.part11("11.200(a)(1)(ii)")
def test_two_nodes_whose_clocks_differ_by_a_second_do_not_break_a_session(
    house: Installation, clock: SettableClock, order_id: str
) -> None:
    _, session_id = sign_in_as(house)
    sign(house, decision(order_id), session_id=session_id, user_id="lena")
    clock.advance(seconds=-1)
    assert not sign(house, decision(order_id), session_id=session_id).had_both_components


@pytest.mark.part11("11.200(a)(2)", "11.200(a)(3)", "11.300(b)")
def test_who_sets_a_password_for_somebody_else_cannot_sign_with_it(
    house: Installation, clock: SettableClock, order_id: str
) -> None:
    with house.acting("user:adam") as act:
        set_password(act, act.session.get_one(User, "lena"), "chosen by adam", hasher=QUICK, must_change=True)
    with pytest.raises(Forbidden) as refusal:
        sign(house, decision(order_id), user_id="lena", password="chosen by adam")
    assert refusal.value.code == "PASSWORD_DUE"
    with pytest.raises(Forbidden), house.acting("user:adam") as act:  # an act is a block
        PasswordSigner().sign(act, decision(order_id), SignatureRequest("APPROVED", "chosen by adam", "lena"))
    with house.acting("user:lena") as act:
        change_password(act, "chosen by adam", "chosen by lena herself", hasher=QUICK)
    assert sign(house, decision(order_id), user_id="lena", password="chosen by lena herself").signer_id == "lena"
    with house.reading() as session:
        notes = [(event.action, event.actor) for event in chain_of(session, "user_account", "lena")]
    assert ("PASSWORD_SET", "user:adam") in notes
    assert ("PASSWORD_SET", "user:lena") in notes


@pytest.mark.part11("11.300(b)")
def test_a_password_ages_and_then_signs_nothing_until_it_is_changed(
    house: Installation, clock: SettableClock, order_id: str
) -> None:
    clock.advance(days=366)
    with pytest.raises(Forbidden) as refusal:
        sign(house, decision(order_id), user_id="lena")
    assert refusal.value.code == "PASSWORD_DUE"
    for new, problem in ((PASSWORD, "is the present one"), ("short", "needs 10")):
        with pytest.raises(Invalid) as poor, house.acting("user:lena") as act:  # an act is a block
            change_password(act, PASSWORD, new, hasher=QUICK)
        assert problem in poor.value.fields["password"]
    with pytest.raises(Forbidden), house.acting("user:lena") as act:  # an act is a block
        change_password(act, "not the present one", "a wholly new one", hasher=QUICK)
    with house.acting("user:lena") as act:
        change_password(act, PASSWORD, "a wholly new one", hasher=QUICK)
    assert sign(house, decision(order_id), user_id="lena", password="a wholly new one").method == "PASSWORD"


@pytest.mark.part11("11.300(c)")
def test_a_revoked_password_ends_the_sessions_it_opened(
    house: Installation, clock: SettableClock, order_id: str
) -> None:
    token, session_id = sign_in_as(house)
    with house.acting("user:adam") as act:
        assert end_all(act, "lena", why="the token was lost") == 1
    with house.reading() as session:
        assert session_of(session, token, device=BROWSER, now=clock()) is None
    with pytest.raises(Forbidden) as refusal:
        sign(house, decision(order_id), session_id=session_id, user_id="lena")
    assert refusal.value.code == "NOT_YOUR_SESSION"


@pytest.mark.part11("11.100(a)", "11.300(a)")
def test_a_sign_in_name_is_never_given_to_another_person(house: Installation, order_id: str) -> None:
    with house.acting("user:adam") as act:
        move(act, act.session.get_one(User, "lena"), UserStatus.DISABLED, reason="left")
    for statement in (
        "DELETE FROM user_account WHERE id = 'lena'",
        "UPDATE user_account SET id = 'lena2' WHERE id = 'lena'",
    ):
        with pytest.raises(DBAPIError, match="UNCONTROLLED_CHANGE"), house.acting("user:adam") as act:
            act.session.execute(text(statement))
    with pytest.raises((DBAPIError, Conflict)), house.acting("user:adam") as act:
        act.session.add(User(id="lena", name="Lena Other"))
    with house.reading() as session:
        assert session.get_one(User, "lena").name == "Lena Fischer"


@pytest.mark.part11("11.200(a)(3)", "11.300(d)")
def test_guessing_a_colleagues_password_locks_the_account_within_the_same_minute(
    house: Installation, clock: SettableClock, order_id: str
) -> None:
    for _ in range(3):
        with pytest.raises(Forbidden), house.acting("system:sign_in") as act:
            sign_in(act, "lena", "adam tries his luck", device=BROWSER)
    with house.reading() as session:
        credential = session.get_one(Credential, "lena")
        alerts = [one for one in chain_of(session, "user_account", "lena") if one.action == "SECURITY_ALERT"]
    assert credential.locked_until is not None
    assert len(alerts) == 1
    assert alerts[0].at - clock() <= dt.timedelta(seconds=60)


@pytest.mark.part11("11.100(a)", "11.200(a)(2)")
def test_an_administrator_holds_no_role_that_signs(house: Installation, order_id: str) -> None:
    with pytest.raises(Forbidden) as refusal:
        sign(house, decision(order_id, "adam", role="role:ADMIN"), user_id="adam")
    assert refusal.value.code == "MEANING_NOT_YOURS"


@pytest.mark.part11("11.70")
def test_a_signature_ends_by_itself_when_its_document_takes_on_another_content(
    house: Installation, order_id: str
) -> None:
    with house.acting("user:bea") as act:
        act.session.get_one(PurchaseOrder, order_id).approved_hash = HASH
    signature = sign(house, decision(order_id), user_id="lena")
    beside = sign(house, decision(order_id, record_hash="ef" * 32), user_id="lena")
    with house.acting("user:bea") as act:
        act.session.get_one(PurchaseOrder, order_id).comment = "the content stays"
    with house.reading() as session:
        assert session.get_one(Signature, signature.id).status is SignatureStatus.VALID
    with house.acting("user:bea") as act:
        act.session.get_one(PurchaseOrder, order_id).approved_hash = "cd" * 32
    with house.reading() as session:
        ended = session.get_one(Signature, signature.id)
        assert (ended.status, ended.superseded_at) == (SignatureStatus.SUPERSEDED, act.now)
        assert session.get_one(Signature, beside.id).status is SignatureStatus.VALID
        assert "SIGNATURE_SUPERSEDED" in [one.action for one in chain_of(session, "purchase_order", order_id)]
        assert list(verify(session)) == []
