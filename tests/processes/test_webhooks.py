"""Webhooks: what an act does is told after its commit, signed, in order, again until it arrives, and to nobody who may not know."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from engine import motion
from engine.act import Act, Installation
from engine.audit import AuditEvent, chain_of
from engine.database import connect
from engine.errors import Conflict, Forbidden, Invalid, NotFound
from engine.incidents import report
from engine.jobs import JobState
from engine.stored.job import Job
from engine.worker import run_until_idle
from processes import leaving, webhook_delivering, webhooks
from processes.webhook_events import EVENT_TYPES, checked_types, is_wanted
from processes.webhook_terms import DEFAULTS
from records.comment import comment as say
from records.notice import notices_of
from records.person import RoleGrant, User, UserStatus, move
from records.roles import revoke
from records.webhook import DeliveryState, Webhook, WebhookAttempt, WebhookDelivery, WebhookState
from tests.clock import SettableClock
from tests.conftest import wired
from tests.databases import Databases
from tests.makers import make_cost_centre, make_requisition
from tests.people import adam, bea, ivan, lena, max_, otto, rita
from tests.receiver import Receiver, listening
from tests.story import CAST, Story


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as found:
        yield found


@pytest.fixture
def house(databases: Databases, clock: SettableClock, tmp_path: Any) -> Iterator[Installation]:
    """Yield the cast on SQLite, for what does not depend on the database."""
    with databases.fresh("sqlite", CAST) as url:
        engine = connect(url)
        with wired(engine, clock, tmp_path) as found:
            yield taking_http(found)
        engine.dispose()


def taking_http(house: Installation) -> Installation:
    house.settings = {**house.settings, "webhook_http": True, "webhook_timeout": 5}
    return house


def subscribe(house: Installation, receiver: Receiver, *types: str, by: str = ivan.principal) -> tuple[str, str]:
    """Return (secret, id) of a new webhook."""
    with house.acting(by) as act:
        secret, made = webhooks.create(act, name="ERP", url=receiver.url, event_types=types or ("*",))
        return secret, made.id


def act_on(
    house: Installation, webhook_id: str, verb: Any, *arguments: Any, by: str = ivan.principal, **named: Any
) -> Any:
    with house.acting(by) as act:
        return verb(act, webhooks.find(act.session, webhook_id), *arguments, **named)


def happen(house: Installation, number: int = 1) -> None:
    """Let somebody write drafts, which is an event each."""
    with house.acting(rita.principal) as act:
        make_cost_centre(act)
        for _ in range(number):
            make_requisition(act)


def log(house: Installation) -> list[WebhookDelivery]:
    with house.reading() as session:
        return list(session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id)))


def states(house: Installation) -> list[str]:
    return [one.state.value for one in log(house)]


def webhook(house: Installation) -> Webhook:
    with house.reading() as session:
        return session.scalars(select(Webhook)).one()


def test_whoever_subscribed_hears_of_a_flow_signed_in_order_and_without_amounts(
    story: Story, receiver: Receiver
) -> None:
    house = taking_http(story.installation)
    house.settings = {**house.settings, "public_url": "https://buy.plant.example/"}
    story.clock.set(dt.datetime.now(dt.UTC))  # a verifier looks at its own clock
    secret, _ = subscribe(house, receiver)
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 5)])
    with story.as_(max_).acting() as act:
        say(act, ("requisition", story.requisition_id), "Nothing of this leaves the house")
        report(act, motion.lock(act, story.instance_id), 1, "order", cause="work", message="stuck")
    story.as_(bea).decide("complete_order", "submit")
    number = story.requisition.number
    told = [Verifier(secret).verify(one.body, one.headers) for one in receiver.arrived]
    assert len({one.headers["webhook-id"] for one in receiver.arrived}) == len(told) == len(log(house))
    assert set(states(house)) == {"DELIVERED"}
    drafted = told[0]
    assert drafted["type"] == "requisition.draft"
    assert drafted["data"] == {
        "record_type": "requisition", "id": story.requisition_id, "number": number, "from": None, "to": "DRAFT",
        "url": f"https://buy.plant.example/api/v1/requisitions/{story.requisition_id}",
    }  # fmt: skip
    types = [one["type"] for one in told]
    assert types.index("requisition.draft") < types.index("requisition.submitted") < types.index("task.opened")
    assert {"comment.added", "incident.opened", "task.closed", "purchase_order.draft"} <= set(types)
    (said,) = (one["data"] for one in told if one["type"] == "comment.added")
    assert (said["number"], said["id"], bool(said["comment_id"])) == (number, story.requisition_id, True)
    assert not any("leaves" in one.body or "42.5" in one.body for one in receiver.arrived)
    opened, closed = (
        next(one["data"] for one in told if one["type"] == f"task.{word}") for word in ("opened", "closed")
    )
    assert (closed["id"], closed["from"], closed["to"]) == (opened["id"], "OPEN", "COMPLETED")
    assert (opened["number"], opened["to"], opened["url"][-36:]) == (number, "OPEN", opened["id"])
    with pytest.raises(WebhookVerificationError):
        Verifier(secret).verify(receiver.arrived[0].body + " ", receiver.arrived[0].headers)
    jobs = story.jobs(webhook_delivering.JOB)
    assert {(job.state, job.instance_id) for job in jobs} == {(JobState.DONE, None)}


def test_what_is_taken_back_is_told_to_nobody(story: Story, receiver: Receiver) -> None:
    house = taking_http(story.installation)
    subscribe(house, receiver, "requisition.*")

    def fail(act: Act) -> None:
        make_requisition(act)
        act.session.flush()
        raise Conflict("Expected nothing, but this")

    with pytest.raises(Conflict), house.acting(rita.principal) as act:
        fail(act)
    with house.acting(rita.principal) as act:
        kept = make_requisition(act)
        act.session.flush()
        with pytest.raises(Conflict), act.attempt():
            fail(act)
        number = kept.number
    run_until_idle(house)
    assert [one.message["data"]["number"] for one in receiver.arrived] == [number]


def test_an_act_that_nobody_wants_to_hear_of_keeps_nothing(house: Installation, receiver: Receiver) -> None:
    happen(house)
    subscribe(house, receiver, "task.*", "purchase_order.approved")
    happen(house)
    assert log(house) == []
    with house.reading() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 0


def test_a_message_that_does_not_arrive_is_tried_for_a_day_and_can_be_replayed(
    house: Installation, receiver: Receiver, clock: SettableClock
) -> None:
    _, key = subscribe(house, receiver)
    receiver.answers(500, body="no room")
    happen(house)
    began, tried = clock.now, []
    for _ in range(12):
        before = len(receiver.arrived)
        run_until_idle(house)
        tried += [round((clock.now - began).total_seconds())] * (len(receiver.arrived) - before)
        clock.set(max(log(house)[0].due_at, clock.now))
    steps = [float(one) for one in DEFAULTS["webhook_back_off"].split()]
    assert tried == [round(sum(steps[:number])) for number in range(len(steps) + 1)]
    assert len({(one.headers["webhook-id"], one.body) for one in receiver.arrived}) == 1
    (failed,) = log(house)
    assert (failed.state, failed.status, failed.tries) == (DeliveryState.FAILED, 500, 8)
    with house.reading() as session:
        attempts = list(session.scalars(select(WebhookAttempt)))
    assert {(one.status, one.answer, one.error) for one in attempts} == {
        (500, "no room", "Expected an answer of 200 to 299, but it is 500")
    }
    receiver.answers(204)
    assert act_on(house, key, webhooks.replay_failed, clock.now - dt.timedelta(hours=1)) == 0
    assert act_on(house, key, webhooks.replay_failed, began) == 1
    run_until_idle(house)
    assert states(house) == ["DELIVERED"]
    assert webhook(house).failing_since is None
    act_on(house, key, lambda act, one: webhooks.replay(act, one, webhooks.find_delivery(act.session, key, failed.id)))
    with pytest.raises(Conflict, match="waits to be sent anyhow"):
        act_on(
            house, key, lambda act, one: webhooks.replay(act, one, webhooks.find_delivery(act.session, key, failed.id))
        )
    run_until_idle(house)
    assert len({one.headers["webhook-id"] for one in receiver.arrived}) == 1
    assert len(receiver.arrived) == 10
    with pytest.raises(NotFound):
        act_on(house, key, lambda act, one: webhooks.find_delivery(act.session, one.id, one.id))
    with pytest.raises(Invalid, match="to come"):
        act_on(house, key, webhooks.replay_failed, clock.now + dt.timedelta(hours=1))


def test_a_receiver_that_hangs_is_tried_once_at_a_time_and_gets_everything_in_order_when_it_is_back(
    house: Installation, receiver: Receiver, clock: SettableClock
) -> None:
    subscribe(house, receiver)
    house.settings = {**house.settings, "webhook_timeout": "0.1"}
    receiver.hangs()
    happen(house, 3)
    run_until_idle(house)
    happen(house, 1)
    run_until_idle(house)
    assert (len(receiver.arrived), states(house)) == (1, ["PENDING"] * 4)
    assert "within 0.1 s" in str(log(house)[0].error)
    clock.advance(seconds=5)
    run_until_idle(house)
    assert len(receiver.arrived) == 2
    receiver.answers(200)
    clock.advance(minutes=5)
    run_until_idle(house)
    assert states(house) == ["DELIVERED"] * 4
    in_order = [one.id for one in log(house)]
    assert [one.headers["webhook-id"] for one in receiver.arrived][-4:] == in_order
    receiver.answers(503, "Retry-After: 600")
    happen(house, 2)
    run_until_idle(house)
    clock.advance(seconds=599)
    run_until_idle(house)
    assert len(receiver.arrived) == 7
    receiver.answers(200)
    clock.advance(seconds=1)
    run_until_idle(house)
    assert len(receiver.arrived) == 9


def test_a_webhook_for_which_nothing_arrives_for_days_is_paused_and_what_waits_is_kept(
    house: Installation, receiver: Receiver, clock: SettableClock
) -> None:
    house.settings = {**house.settings, "webhook_back_off": "3600", "webhook_pause_after_days": 3}
    _, key = subscribe(house, receiver)
    receiver.answers(500)
    for _ in range(4):
        happen(house)
        run_until_idle(house)
        clock.advance(hours=1)
        run_until_idle(house)
        clock.advance(days=1)
    assert states(house) == ["FAILED"] * 4
    found = webhook(house)
    assert found.state is WebhookState.PAUSED
    assert "nothing arrived for 3 days" in str(found.paused_because)
    with house.reading() as session:
        assert [one.subject[:30] for one in notices_of(session, ivan.id)] == ["The webhook ERP is paused: not"]
    receiver.answers(200)
    happen(house)
    clock.advance(days=2)
    assert (run_until_idle(house), states(house)[-1]) == (0, "PENDING")
    act_on(house, key, webhooks.send_test)
    run_until_idle(house)
    assert (receiver.types[-1], states(house)[-2:]) == ("webhook.test", ["PENDING", "DELIVERED"])
    act_on(house, key, webhooks.resume)
    run_until_idle(house)
    assert states(house)[-2:] == ["DELIVERED", "DELIVERED"]
    clock.advance(days=40)
    happen(house)
    assert webhook_delivering.drop_old(house) == 6
    assert states(house) == ["PENDING"]
    clock.advance(hours=1)
    assert webhook_delivering.take_up(house) == 1


def test_a_receiver_that_says_it_is_gone_is_not_asked_again(house: Installation, receiver: Receiver) -> None:
    subscribe(house, receiver)
    receiver.answers(410)
    happen(house, 2)
    run_until_idle(house)
    assert (len(receiver.arrived), webhook(house).state) == (1, WebhookState.PAUSED)


def test_both_secrets_sign_for_a_day_after_a_rotation_and_neither_is_to_be_found_here(
    house: Installation, receiver: Receiver, clock: SettableClock
) -> None:
    clock.set(dt.datetime.now(dt.UTC))
    first, key = subscribe(house, receiver)

    def verified(secret: str) -> bool:
        act_on(house, key, webhooks.send_test)
        run_until_idle(house)
        last = receiver.arrived[-1]
        try:
            Verifier(secret).verify(last.body, last.headers)
        except WebhookVerificationError:
            return False
        return True

    second = act_on(house, key, webhooks.rotate)
    assert (verified(first), verified(second)) == (True, True)
    assert receiver.arrived[-1].headers["webhook-signature"].count("v1,") == 2
    third = act_on(house, key, webhooks.rotate, at_once=True)
    assert (verified(first), verified(second), verified(third)) == (False, False, True)
    act_on(house, key, webhooks.rotate)
    clock.advance(hours=24)
    act_on(house, key, webhooks.send_test)
    run_until_idle(house)
    assert receiver.arrived[-1].headers["webhook-signature"].count("v1,") == 1
    with house.reading() as session:
        said = [
            str(one) for row in session.execute(select(AuditEvent.old, AuditEvent.new, AuditEvent.field)) for one in row
        ]
        kept = session.scalars(select(Webhook)).one().secret
    assert not any(secret[6:] in text for secret in (first, second, third) for text in (*said, kept))
    house.settings = {**house.settings, "secret_key": "of another machine"}
    act_on(house, key, webhooks.send_test)
    happen(house)
    run_until_idle(house)
    assert states(house)[-2:] == ["FAILED", "PENDING"]
    assert "rotate the secret" in str(webhook(house).paused_because)


@pytest.mark.parametrize("how", ["role", "left"])
def test_nothing_is_told_in_the_name_of_somebody_who_may_not_know(
    house: Installation, receiver: Receiver, clock: SettableClock, how: str
) -> None:
    _, key = subscribe(house, receiver)
    clock.advance(hours=1)
    with house.acting("system:arrange") as act:
        if how == "role":
            revoke(act, act.session.scalars(select(RoleGrant).where(RoleGrant.user_id == ivan.id)).one())
        else:
            move(act, act.session.get_one(User, ivan.id), UserStatus.DISABLED, reason="left")
    happen(house)
    run_until_idle(house)
    assert (receiver.arrived, states(house), webhook(house).state) == ([], ["PENDING"], WebhookState.PAUSED)
    with house.reading() as session:
        assert "ivan, who owned it, left" in notices_of(session, adam.id)[0].subject
    with pytest.raises(Forbidden, match="neither role"):
        act_on(house, key, webhooks.resume)
    with pytest.raises(Invalid, match="ivan is neither"):
        act_on(house, key, webhooks.resume, by=adam.principal)
    with pytest.raises(Invalid, match="otto is neither"):
        act_on(house, key, webhooks.change, {"owner": "otto"}, by=adam.principal)
    act_on(house, key, webhooks.change, {"owner": "adam"}, by=adam.principal)
    act_on(house, key, webhooks.resume, by=adam.principal)
    run_until_idle(house)
    assert receiver.types == ["requisition.draft"]


def test_whoever_leaves_hands_a_webhook_over_and_nothing_is_missed(house: Installation, receiver: Receiver) -> None:
    _, key = subscribe(house, receiver)
    with house.acting(adam.principal) as act:
        seen = leaving.seen_hash(leaving.pieces_of(act.session, ivan.id))
        leaving.leave(act, ivan.id, {f"webhook:{key}": adam.id}, seen=seen, reason="moved on")
    happen(house)
    run_until_idle(house)
    assert (receiver.types, webhook(house).owner) == (["requisition.draft"], "user:adam")
    with house.reading() as session:
        last = chain_of(session, "webhook", key)[-1]
    assert (last.field, last.old, last.new, last.reason) == (
        "owner", "user:ivan", "user:adam", "Ivan Kral left: moved on",
    )  # fmt: skip


def test_only_owners_and_administrators_keep_webhooks_and_what_ended_stays_so(
    house: Installation, receiver: Receiver
) -> None:
    for somebody in (otto.principal, lena.principal, "adapter:erp"):
        with pytest.raises(Forbidden, match="neither role"):
            subscribe(house, receiver, by=somebody)
    _, key = subscribe(house, receiver, by=adam.principal)
    with pytest.raises(Forbidden, match="adam, who owns it"):
        act_on(house, key, webhooks.pause)
    happen(house)
    act_on(house, key, webhooks.end, by=adam.principal)
    run_until_idle(house)
    happen(house)
    assert (receiver.arrived, states(house)) == ([], ["CANCELLED"])
    for verb in (webhooks.resume, webhooks.rotate, webhooks.send_test):
        with pytest.raises(Conflict, match="has ended"):
            act_on(house, key, verb, by=adam.principal)


def test_an_event_is_wanted_by_its_name_its_family_or_a_star() -> None:
    assert checked_types([" receipt.* ", "task.opened", "task.opened"]) == ("receipt.*", "task.opened")
    assert [one for one in EVENT_TYPES if is_wanted(one, ("task.*", "comment.added"))] == [
        "task.opened", "task.closed", "comment.added",
    ]  # fmt: skip
    for wrong in (["parts.*"], ["task.burnt"], [""], [], ["task.opened", "**"], ["webhook.test"]):
        with pytest.raises(Invalid, match="Expected"):
            checked_types(wrong)
