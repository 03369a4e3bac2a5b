"""Signing sessions, wrong passwords, meanings, and what stays on a signature (D22, W8, W29)."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from engine.act import Act, Installation
from engine.audit import chain_of
from engine.errors import Forbidden, Invalid
from engine.ports import SignatureRequest
from records.notice import notices_of
from records.password import check_password, set_password, unlock
from records.person import Certification, Credential, User, UserStatus, move
from records.sign_in import end_all, refuse_other_device, session_of, sign_in, sign_out, touch
from records.signature import Signature, SignatureStatus
from records.signing import PasswordSigner, printed, signature_of, signatures_on, supersede
from tests import makers
from tests.clock import SettableClock
from tests.people import PASSWORD, QUICK

HASH = "ab" * 32
BROWSER = "Firefox on the second floor"


@pytest.fixture
def order_id(house: Installation) -> str:
    with house.acting("user:bea") as act:
        return str(makers.make_order(act).id)


def sign_in_as(house: Installation, user_id: str = "lena", password: str = PASSWORD) -> tuple[str, str]:
    with house.acting(f"user:{user_id}") as act:
        token, session = sign_in(act, user_id, password, device=BROWSER)
        return token, session.id


def decision(order_id: str, actor: str = "lena", **fields: Any) -> Any:
    """A decision as the engine hands it to the signer."""
    given = {
        "id": makers.make_id(), "record_type": "purchase_order", "record_id": order_id, "record_hash": HASH, "actor_id": actor,
        "role": "role:PUR_LEAD", "reason": "in budget", "on_behalf_of_id": None,
    }  # fmt: skip
    return SimpleNamespace(**given | fields)


def sign(house: Installation, made: Any, **request: Any) -> Signature:
    given = {"meaning": "APPROVED", "password": PASSWORD} | request
    with house.acting(f"user:{made.actor_id}") as act:
        PasswordSigner().sign(act, made, SignatureRequest(**given))
        signature = signature_of(act.session, made.id)
    assert signature is not None
    return signature


@pytest.mark.part11("11.200(a)(1)", "11.200(a)(1)(i)", "11.200(a)(1)(ii)")
def test_the_first_signature_of_a_session_needs_both_components_and_later_ones_the_password(
    house: Installation, clock: SettableClock, order_id: str
) -> None:
    _, session_id = sign_in_as(house)
    with pytest.raises(Forbidden) as refusal:
        sign(house, decision(order_id), session_id=session_id)
    assert refusal.value.code == "BOTH_COMPONENTS_NEEDED"
    first = sign(house, decision(order_id), session_id=session_id, user_id="lena")
    clock.advance(minutes=6)
    second = sign(house, decision(order_id), session_id=session_id)
    assert (first.had_both_components, second.had_both_components) == (True, False)
    clock.advance(minutes=16)
    with pytest.raises(Forbidden) as refusal:
        sign(house, decision(order_id), session_id=session_id)
    assert refusal.value.code == "BOTH_COMPONENTS_NEEDED"
    assert sign(house, decision(order_id), session_id=session_id, user_id="lena").had_both_components


@pytest.mark.part11("11.200(a)(1)(ii)")
def test_a_page_opened_after_an_idle_quarter_of_an_hour_does_not_renew_the_signing_session(
    house: Installation, clock: SettableClock, order_id: str
) -> None:
    _, session_id = sign_in_as(house)
    sign(house, decision(order_id), session_id=session_id, user_id="lena")
    clock.advance(minutes=16)
    with house.acting("user:lena") as act:
        touch(act, session_id)
    with pytest.raises(Forbidden, match="login name and password"):
        sign(house, decision(order_id), session_id=session_id)


def test_somebody_who_keeps_reading_is_not_idle(house: Installation, clock: SettableClock, order_id: str) -> None:
    _, session_id = sign_in_as(house)
    sign(house, decision(order_id), session_id=session_id, user_id="lena")
    for _ in range(3):
        clock.advance(minutes=10)
        with house.acting("user:lena") as act:
            touch(act, session_id)
    assert not sign(house, decision(order_id), session_id=session_id).had_both_components


@pytest.mark.part11("11.200(a)(1)")
def test_without_a_session_every_signature_needs_both_components(house: Installation, order_id: str) -> None:
    sign(house, decision(order_id), user_id="lena")
    with pytest.raises(Forbidden):
        sign(house, decision(order_id))


@pytest.mark.part11("11.300(d)", "11.10(e)")
def test_three_wrong_passwords_lock_the_account_alert_at_once_and_are_kept(house: Installation, order_id: str) -> None:
    _, session_id = sign_in_as(house)
    codes = []
    for _ in range(4):
        with pytest.raises(Forbidden) as refusal:
            sign(house, decision(order_id), session_id=session_id, user_id="lena", password="not this one")
        codes.append(refusal.value.code)
    assert codes == ["WRONG_PASSWORD", "WRONG_PASSWORD", "WRONG_PASSWORD", "LOCKED"]
    with pytest.raises(Forbidden) as refusal:
        sign(house, decision(order_id), session_id=session_id, user_id="lena")
    assert refusal.value.code == "LOCKED"
    with house.reading() as session:
        assert session.scalars(select(Signature)).all() == []
        assert session.get_one(User, "lena").status is UserStatus.LOCKED
        attempts = [event.field for event in chain_of(session, "purchase_order", order_id) if event.action == "REFUSED"]
        assert attempts == ["WRONG_PASSWORD"] * 3 + ["LOCKED"] * 2
        assert [event.action for event in chain_of(session, "user_account", "lena")].count("SECURITY_ALERT") == 1
        (notice,) = notices_of(session, "adam")
        assert "locked after 3 wrong passwords" in notice.subject


def test_a_right_password_forgives_two_wrong_ones(house: Installation, order_id: str) -> None:
    for _ in range(3):
        for _ in range(2):
            with pytest.raises(Forbidden):
                sign_in_as(house, password="wrong password")
        sign_in_as(house)


def test_a_lock_ends_by_time_or_by_an_administrator(house: Installation, clock: SettableClock, order_id: str) -> None:
    def lock() -> None:
        for _ in range(3):
            with pytest.raises(Forbidden):
                sign_in_as(house, password="wrong password")

    lock()
    clock.advance(minutes=31)
    sign_in_as(house)
    lock()
    with house.acting("user:adam") as act:
        unlock(act, "lena")
    sign_in_as(house)
    with house.reading() as session:
        assert session.get_one(User, "lena").status is UserStatus.ACTIVE
        assert session.get_one(Credential, "lena").failed_attempts == 0


@pytest.mark.part11("11.200(a)(2)")
def test_another_name_in_the_dialog_is_a_failed_attempt_of_the_signer(house: Installation, order_id: str) -> None:
    with pytest.raises(Forbidden) as refusal:
        sign(house, decision(order_id), user_id="max")
    assert refusal.value.code == "WRONG_PASSWORD"
    with house.reading() as session:
        assert session.get_one(Credential, "lena").failed_attempts == 1
        assert session.get_one(Credential, "max").failed_attempts == 0


@pytest.mark.parametrize("name", ["nobody", "ghost"])
@pytest.mark.part11("11.300(d)")
def test_unknown_names_and_people_without_sign_in_get_the_same_answer(
    house: Installation, order_id: str, name: str
) -> None:
    with house.acting("user:adam") as act:
        set_password(act, makers.make_user(act, "ghost", can_sign_in=False), PASSWORD, hasher=QUICK)
    with pytest.raises(Forbidden) as refusal, house.acting("user:lena") as act:
        check_password(act, name, PASSWORD)
    assert refusal.value.code == "WRONG_PASSWORD"


@pytest.mark.part11("11.10(g)")
def test_a_meaning_must_belong_to_the_role_it_is_signed_under(house: Installation, order_id: str) -> None:
    with pytest.raises(Forbidden) as refusal:
        sign(house, decision(order_id), user_id="lena", meaning="RELEASED")
    assert refusal.value.code == "MEANING_NOT_YOURS"
    with pytest.raises(Invalid):
        sign(house, decision(order_id), user_id="lena", meaning="WAVED_THROUGH")
    bea = decision(order_id, "bea", role="role:BUYER")
    assert sign(house, bea, user_id="bea", meaning="RELEASED").role == "BUYER"
    with pytest.raises(Forbidden):
        sign(house, decision(order_id, "adam", role="user:adam"), user_id="adam")


def test_a_role_that_nobody_described_may_approve_but_not_release(house: Installation, order_id: str) -> None:
    assert sign(house, decision(order_id, role="role:PROCESS_BOARD"), user_id="lena").role == "PROCESS_BOARD"
    with pytest.raises(Forbidden):
        sign(house, decision(order_id, role="role:PROCESS_BOARD"), user_id="lena", meaning="RELEASED")


@pytest.mark.part11("11.200(a)(2)")
def test_nobody_signs_for_somebody_else_or_about_nothing(house: Installation, order_id: str) -> None:
    for wrong, kind in ((decision(order_id, "max"), Forbidden), (decision(order_id, record_hash=None), Invalid)):
        with pytest.raises(kind), house.acting("user:lena") as act:  # an act is a block
            PasswordSigner().sign(act, wrong, SignatureRequest("APPROVED", PASSWORD, "lena"))
    with pytest.raises(Forbidden), house.acting("system:timer") as act:
        PasswordSigner().sign(act, decision(order_id, None), SignatureRequest("APPROVED", PASSWORD, "lena"))


@pytest.mark.part11("11.100(c)", "11.10(i)", "11.10(j)")
def test_the_first_signature_in_a_lifetime_needs_the_certification_once(house: Installation, order_id: str) -> None:
    with house.acting("user:adam") as act:
        nora = makers.make_user(act, "nora")
        makers.make_grant(act, "nora", "PUR_LEAD")
        set_password(act, nora, PASSWORD, hasher=QUICK)
    with pytest.raises(Forbidden) as refusal:
        sign(house, decision(order_id, "nora"), user_id="nora")
    assert refusal.value.code == "CERTIFICATION_MISSING"
    sign(house, decision(order_id, "nora"), user_id="nora", accepts_responsibility=True)
    sign(house, decision(order_id, "nora"), user_id="nora")
    with house.reading() as session:
        kept = session.scalars(select(Certification).where(Certification.user_id == "nora")).all()
        assert len(kept) == 1
        assert "handwritten" in kept[0].statement


@pytest.mark.part11("11.50(a)")
def test_the_printed_name_stays_when_its_owner_marries_and_leaves(house: Installation, order_id: str) -> None:
    signature = sign(house, decision(order_id), user_id="lena")
    with house.acting("user:adam") as act:
        lena = act.session.get_one(User, "lena")
        lena.name, lena.title = "Lena Vogel", "Retired"
        move(act, lena, UserStatus.DISABLED, reason="left")
    with house.reading() as session:
        (kept,) = signatures_on(session, "purchase_order", order_id)
    assert (kept.printed_name, kept.printed_title) == ("Lena Fischer", "Purchasing lead")
    assert (
        printed(signature)
        == "Lena Fischer, Purchasing lead, APPROVED, 2026-11-22 09:00:00 -0600 (2026-11-22 15:00 UTC), in budget"
    )
    with pytest.raises(Forbidden):
        sign(house, decision(order_id), user_id="lena")


def test_a_signature_says_for_whom_a_deputy_signed(house: Installation, order_id: str) -> None:
    made = decision(order_id, role="role:PUR_MGR", on_behalf_of_id="max")
    assert sign(house, made, user_id="lena").on_behalf_of_id == "max"


@pytest.mark.part11("11.70")
def test_signatures_on_other_content_are_superseded_and_the_rest_stand(house: Installation, order_id: str) -> None:
    old = sign(house, decision(order_id), user_id="lena")
    new = sign(house, decision(order_id, record_hash="cd" * 32), user_id="lena")
    with house.acting("user:bea") as act:
        assert [signature.id for signature in supersede(act, "purchase_order", order_id, but_hash="cd" * 32)] == [
            old.id
        ]
        assert supersede(act, "purchase_order", order_id, but_hash="cd" * 32) == []
    with house.reading() as session:
        states = {signature.id: signature.status for signature in signatures_on(session, "purchase_order", order_id)}
    assert states == {old.id: SignatureStatus.SUPERSEDED, new.id: SignatureStatus.VALID}


@pytest.mark.part11("11.10(d)", "11.200(a)(1)(ii)")
def test_a_cookie_on_a_second_device_ends_the_session_and_alerts(house: Installation, order_id: str) -> None:
    token, _ = sign_in_as(house)
    with house.acting("system:sign-in") as act:
        assert session_of(act.session, token, device="another phone", now=act.now) is None
        refuse_other_device(act, token, device="another phone")
    with house.reading() as session:
        assert session_of(session, token, device=BROWSER, now=act.now) is None
        assert "second device" in notices_of(session, "adam")[0].subject


@pytest.mark.part11("11.10(d)", "11.200(a)(1)(ii)", "11.300(c)")
def test_a_session_ends_by_signing_out_idling_age_or_force(
    house: Installation, clock: SettableClock, order_id: str
) -> None:
    def is_open(token: str) -> bool:
        with house.reading() as session:
            return session_of(session, token, device=BROWSER, now=clock()) is not None

    token, session_id = sign_in_as(house)
    assert is_open(token)
    assert not is_open(token + "x")
    with pytest.raises(Forbidden), house.acting("user:max") as act:
        sign_out(act, session_id)
    with house.acting("user:lena") as act:
        sign_out(act, session_id)
    assert not is_open(token)
    with pytest.raises(Forbidden) as refusal:
        sign(house, decision(order_id), session_id=session_id, user_id="lena")
    assert refusal.value.code == "NOT_YOUR_SESSION"
    token, session_id = sign_in_as(house)
    clock.advance(hours=2, minutes=1)
    assert not is_open(token)
    token, session_id = sign_in_as(house)
    for _ in range(12):
        clock.advance(hours=1, seconds=1)
        with house.acting("user:lena") as act:
            touch(act, session_id)
    assert not is_open(token)
    token, _ = sign_in_as(house)
    with house.acting("user:adam") as act:
        assert end_all(act, "lena", why="password changed") >= 1
    assert not is_open(token)


@pytest.mark.part11("11.300(a)")
def test_a_password_is_kept_as_an_argon2_hash_and_never_in_the_chain(house: Installation, order_id: str) -> None:
    with house.reading() as session:
        stored = session.get_one(Credential, "lena").password_hash
        texts = [event.new or "" for event in chain_of(session, "user_account", "lena")]
    assert stored.startswith("$argon2id$")
    assert not [text for text in texts if "argon2" in text or PASSWORD in text]


@pytest.mark.parametrize("password", ["short", "x" * 201, "wolfgangamadeus"])
def test_a_poor_password_is_refused(act: Act, password: str) -> None:
    with pytest.raises(Invalid):
        set_password(act, makers.make_user(act, "wolfgangamadeus"), password, hasher=QUICK)


@pytest.mark.part11("11.50(a)")
def test_the_local_offset_is_that_of_the_site_on_that_day(
    house: Installation, clock: SettableClock, order_id: str
) -> None:
    clock.set(dt.datetime(2027, 7, 1, 12, tzinfo=dt.UTC))
    assert sign(house, decision(order_id), user_id="lena").local_offset == -300
