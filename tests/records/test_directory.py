"""Under which principals somebody may act: roles, deputies, delegations."""

from __future__ import annotations

import datetime as dt

import pytest

from engine.act import Act, Installation
from engine.errors import Conflict, Forbidden, Invalid
from engine.ports import Mandate
from records.directory import StaffDirectory, absent_deputy, delegation_under, end_absence, plan_absence
from records.person import User, UserStatus, move
from records.roles import grant, grants_of, revoke
from tests import makers
from tests.engine.plant import statements
from tests.makers import D

PURCHASING = "requisition_to_po"
CHANGE = "change_control"
MONDAY = dt.datetime(2026, 11, 23, 6, tzinfo=dt.UTC)
TUESDAY = dt.datetime(2026, 11, 24, 14, tzinfo=dt.UTC)
SATURDAY = dt.datetime(2026, 11, 28, 6, tzinfo=dt.UTC)

directory = StaffDirectory()


def principals(
    act: Act, user_id: str, *, at: dt.datetime = TUESDAY, flow: str = PURCHASING
) -> set[tuple[str, str | None]]:
    return {
        (mandate.principal, mandate.on_behalf_of)
        for mandate in directory.mandates(act.session, user_id, at=at, flow=flow)
    }


def test_a_planned_absence_for_purchasing_moves_purchasing_tasks_alone(act: Act) -> None:
    makers.make_cast(act)
    makers.make_absence(act, "max", "lena", flows=(PURCHASING,))
    assert ("role:PUR_MGR", "max") in principals(act, "lena")
    assert ("user:max", "max") in principals(act, "lena")
    assert ("role:PUR_MGR", "max") not in principals(act, "lena", flow=CHANGE)
    assert ("role:PUR_MGR", None) in principals(act, "max", flow=CHANGE)


def test_asked_for_all_flows_a_limited_mandate_names_its_flows(act: Act) -> None:
    makers.make_cast(act)
    makers.make_absence(act, "max", "lena", flows=(PURCHASING,))
    makers.make_absence(act, "lena", "otto", flows=(PURCHASING, CHANGE))
    held = directory.mandates(act.session, "otto", at=TUESDAY, flow="")
    limits = {(mandate.principal, mandate.on_behalf_of): mandate.flows for mandate in held}
    assert limits["role:PUR_LEAD", "lena"] == (CHANGE, PURCHASING)
    assert limits["role:PUR_MGR", "max"] == (PURCHASING,)
    assert limits["user:otto", None] == ()
    assert [mandate.flows for mandate in directory.mandates(act.session, "max", at=TUESDAY, flow="")] == [(), ()]


def test_a_deputy_stands_in_from_the_first_instant_to_before_the_last(act: Act) -> None:
    makers.make_cast(act)
    makers.make_absence(act, "max", "lena")
    stands_in = ("role:PUR_MGR", "max")
    moments = (MONDAY - dt.timedelta(seconds=1), MONDAY, SATURDAY - dt.timedelta(seconds=1), SATURDAY)
    assert [stands_in in principals(act, "lena", at=at) for at in moments] == [False, True, True, False]


def test_own_principals_come_first(act: Act) -> None:
    makers.make_cast(act)
    makers.make_absence(act, "max", "lena")
    found = directory.mandates(act.session, "lena", at=TUESDAY, flow=PURCHASING)
    assert found[:2] == (Mandate("user:lena"), Mandate("role:PUR_LEAD"))


def test_a_deputy_who_is_absent_passes_the_mandate_on(act: Act) -> None:
    makers.make_cast(act)
    makers.make_absence(act, "max", "lena")
    makers.make_absence(act, "lena", "carl")
    assert {("role:PUR_MGR", "max"), ("role:PUR_LEAD", "lena")} <= principals(act, "carl")


def test_deputies_in_a_circle_are_refused(act: Act) -> None:
    makers.make_cast(act)
    act.actor = "user:adam"
    plan_absence(act, "max", "lena", starts_at=MONDAY, ends_at=SATURDAY)
    plan_absence(act, "lena", "carl", starts_at=MONDAY, ends_at=SATURDAY)
    with pytest.raises(Conflict) as refusal:
        plan_absence(act, "carl", "max", starts_at=TUESDAY, ends_at=SATURDAY)
    assert refusal.value.code == "DEPUTY_LOOP"
    plan_absence(act, "carl", "max", starts_at=SATURDAY, ends_at=SATURDAY + dt.timedelta(days=7))


def test_a_circle_in_the_data_does_not_hang_the_directory(act: Act) -> None:
    makers.make_cast(act)
    makers.make_absence(act, "max", "lena")
    makers.make_absence(act, "lena", "max")
    assert ("role:PUR_MGR", "max") in principals(act, "lena")
    assert all(on_behalf_of != "lena" for _, on_behalf_of in principals(act, "lena"))


def test_one_has_one_deputy_at_a_time_for_a_flow(act: Act) -> None:
    makers.make_cast(act)
    act.actor = "user:max"
    plan_absence(act, "max", "lena", starts_at=MONDAY, ends_at=SATURDAY, flows=[PURCHASING])
    plan_absence(act, "max", "gina", starts_at=MONDAY, ends_at=SATURDAY, flows=[CHANGE])
    with pytest.raises(Conflict) as refusal:
        plan_absence(act, "max", "olga", starts_at=TUESDAY, ends_at=SATURDAY)
    assert refusal.value.code == "ABSENCE_OVERLAPS"


def test_nobody_plans_the_absence_of_others_but_administrators(act: Act) -> None:
    makers.make_cast(act)
    with pytest.raises(Forbidden):
        plan_absence(act, "max", "rita", starts_at=MONDAY, ends_at=SATURDAY)
    act.actor = "user:adam"
    plan_absence(act, "max", "rita", starts_at=MONDAY, ends_at=SATURDAY)


def test_an_absence_that_makes_no_sense_is_refused(act: Act) -> None:
    makers.make_cast(act)
    act.actor = "user:max"
    past = act.now - dt.timedelta(days=3)
    for deputy, begins, ends in (
        ("max", MONDAY, SATURDAY),
        ("lena", SATURDAY, MONDAY),
        ("lena", past, past + dt.timedelta(days=1)),
    ):
        with pytest.raises(Invalid):
            plan_absence(act, "max", deputy, starts_at=begins, ends_at=ends)
    makers.make_user(act, "ghost", can_sign_in=False)
    with pytest.raises(Invalid, match="deputy"):
        plan_absence(act, "max", "ghost", starts_at=MONDAY, ends_at=SATURDAY)


def test_somebody_back_early_ends_the_absence(act: Act) -> None:
    makers.make_cast(act)
    act.actor, act.now = "user:max", TUESDAY
    absence = makers.make_absence(act, "max", "lena")
    assert absent_deputy(act.session, "max", at=TUESDAY, flow=PURCHASING) is absence
    end_absence(act, absence)
    act.session.flush()
    assert ("role:PUR_MGR", "max") not in principals(act, "lena")


def test_administration_is_never_deputised(act: Act) -> None:
    makers.make_cast(act)
    makers.make_absence(act, "adam", "lena")
    assert ("role:ADMIN", "adam") not in principals(act, "lena")


def test_a_disabled_person_acts_for_nobody_and_nobody_acts_for_them(act: Act) -> None:
    makers.make_cast(act)
    makers.make_absence(act, "max", "lena")
    move(act, act.session.get_one(User, "max"), UserStatus.DISABLED, reason="left")
    act.session.flush()
    assert principals(act, "max") == set()
    assert ("role:PUR_MGR", "max") not in principals(act, "lena")
    assert directory.holders(act.session, "role:PUR_MGR", at=TUESDAY) == ()


def test_holders_are_those_whose_grant_holds_now_in_this_scope(act: Act) -> None:
    makers.make_cast(act)
    makers.make_user(act, "ben")
    makers.make_grant(act, "ben", "CC_OWNER", scope="4711", valid_to=TUESDAY)
    ids = [
        [person.id for person in directory.holders(act.session, principal, at=at)]
        for principal, at in (
            ("role:CC_OWNER@4711", MONDAY),
            ("role:CC_OWNER@4711", TUESDAY),
            ("role:CC_OWNER@9999", MONDAY),
            ("user:otto", MONDAY),
            ("user:nobody", MONDAY),
        )
    ]
    assert ids == [["ben", "carl"], ["carl"], [], ["otto"], []]


def test_a_delegation_lends_one_role_while_the_lender_holds_it(act: Act) -> None:
    makers.make_cast(act)
    makers.make_delegation(act, "max", "lena", "PUR_MGR", max_amount=D("20000"))
    assert ("role:PUR_MGR", "max") in principals(act, "lena")
    assert ("user:max", "max") not in principals(act, "lena")
    lent = delegation_under(act.session, "lena", lender="max", principal="role:PUR_MGR", at=TUESDAY)
    assert lent is not None
    assert lent.max_amount == D("20000")
    (held,) = grants_of(act.session, "max", at=TUESDAY)
    held.valid_to = TUESDAY
    act.session.flush()
    assert ("role:PUR_MGR", "max") not in principals(act, "lena")


def test_a_grant_given_twice_is_one_and_a_revoked_one_is_over(act: Act) -> None:
    """On what somebody stands is asked once, again as soon as the act writes any of it, and not because it writes anything else."""
    otto = makers.make_user(act, "otto2")
    given = grant(act, otto, "BUYER")
    assert ("role:BUYER", None) in principals(act, "otto2", at=act.now)
    assert grant(act, otto, "BUYER") is given
    with statements(act.installation.database) as sent:
        makers.make_cost_centre(act, "4712")
        act.session.flush()
        assert principals(act, "otto2", at=act.now, flow=CHANGE) == {("user:otto2", None), ("role:BUYER", None)}
    assert [one for one in sent if "stands_in" in one] == []
    revoke(act, given)
    assert principals(act, "otto2", at=act.now) == {("user:otto2", None)}
    assert grants_of(act.session, "otto2", at=act.now) == []


def test_the_directory_knows_nobody_it_does_not_know(house: Installation) -> None:
    with house.reading() as session:
        assert directory.person(session, "nobody") is None
        assert directory.mandates(session, "nobody", at=TUESDAY, flow=PURCHASING) == ()
