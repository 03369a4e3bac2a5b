"""A task that arrives reaches the people who may take it: one notice each, one mail for what comes together."""

from __future__ import annotations

import datetime as dt
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from engine.act import Act
from engine.worker import at_work
from processes.local_times import in_zone
from processes.notices import tell
from processes.task_notices import SINGLY, announce_tasks
from records.notice import Notice, TaskAnnouncement
from records.person import MailWish, User, UserStatus, move, wish_mail
from tests.makers import make_absence, make_grant
from tests.people import lena, rita
from tests.story import Story


def asked(story: Story) -> Story:
    """Let rita ask for 100 × 42.50, which the lead approves."""
    return story.as_(rita).start("requisition_to_po", lines=[("P-100", 100)])


def notices(story: Story, user_id: str) -> list[Notice]:
    wanted = select(Notice).where(Notice.user_id == user_id, Notice.key.startswith("task"))
    return story.read(lambda session: list(session.scalars(wanted)))


def mails(story: Story, to: str) -> list[Message[Any, Any]]:
    story.settle()
    folder = Path(story.installation.settings["mail_folder"])
    found = [message_from_bytes(path.read_bytes()) for path in sorted(folder.glob("*.eml"))]
    return [mail for mail in found if mail["To"] == f"{to}@plant.example" and "task" in mail["Subject"]]


def test_a_new_task_is_told_once_to_whoever_may_take_it(story: Story) -> None:
    asked(story)
    assert announce_tasks(story.installation) == 1
    assert announce_tasks(story.installation) == 0
    (notice,) = notices(story, "lena")
    (task,) = story.tasks()
    assert (notice.subject, notice.record_type, notice.record_id) == (task.title, "task", task.id)
    assert [notices(story, other) for other in ("rita", "bea", "otto")] == [[], [], []]
    (mail,) = mails(story, "lena")
    assert mail["Subject"] == f"New task: {task.title}"
    (job,) = [job for job in story.jobs("mail") if mail["Message-ID"] == f"<{job.id}@localhost>"]
    assert job.state == "DONE"


def test_a_mail_leads_to_the_task_where_the_address_of_the_house_is_known(story: Story) -> None:
    story.installation.settings = dict(story.installation.settings) | {"public_url": "https://buy.plant.example/"}
    announce_tasks(asked(story).installation)
    (task,) = story.tasks()
    assert f"https://buy.plant.example/tasks/{task.id}" in mails(story, "lena")[0].get_payload()
    with story.acting() as act:
        tell(act, ["lena"], "A task was not done before 2026-11-24 18:00 UTC", key="late")
    assert mails(story, "lena")[1]["Subject"] == "A task was not done before 2026-11-24 12:00 CST"


def test_only_what_is_an_instant_is_put_into_the_zone_of_the_reader() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert (
        in_zone("held since 2026-07-01T08:30:00Z, due 2026-12-01", berlin)
        == "held since 2026-07-01 10:30 CEST, due 2026-12-01"
    )
    for kept in ("lot 2026-02-31 10:00 UTC", "2026-11-24 18:00", "/x/2026-11-24 18:00 UTC"):
        assert in_zone(kept, berlin) == kept


def test_whoever_wishes_no_mail_finds_the_notice_alone(story: Story) -> None:
    with story.as_(lena).acting() as act:
        wish_mail(act, act.session.get_one(User, "lena"), MailWish.NEVER)
    announce_tasks(asked(story).installation)
    assert len(notices(story, "lena")) == 1
    assert mails(story, "lena") == []


def test_many_tasks_at_once_are_one_notice_and_one_mail(story: Story) -> None:
    for _ in range(SINGLY + 1):
        story.as_(rita).start("requisition_to_po", lines=[("P-100", 2)])
    assert announce_tasks(story.installation) == SINGLY + 1
    (notice,) = notices(story, "bea")
    assert notice.subject == f"{SINGLY + 1} new tasks wait in your inbox"
    (mail,) = mails(story, "bea")
    assert mail["Subject"] == f"{SINGLY + 1} new tasks"


def test_two_workers_tell_a_task_once(story: Story) -> None:
    asked(story)
    (task,) = story.tasks()
    story.given(lambda act: act.session.add(TaskAnnouncement(task_id=task.id, announced_at=act.now)))
    assert announce_tasks(story.installation) == 0
    assert notices(story, "lena") == []


def test_a_deputy_hears_of_the_tasks_of_whoever_is_away_and_nobody_else_who_cannot_act(story: Story) -> None:
    def arrange(act: Act) -> None:
        now = act.now
        make_absence(act, "lena", "max", starts_at=now, ends_at=now + dt.timedelta(days=3))
        for user_id in ("otto", "ana"):
            make_grant(act, user_id, "PUR_LEAD")
        act.session.get_one(User, "otto").can_sign_in = False
        move(act, act.session.get_one(User, "ana"), UserStatus.DISABLED)

    story.given(arrange)
    announce_tasks(asked(story).installation)
    assert [len(notices(story, who)) for who in ("lena", "max", "otto", "ana")] == [1, 1, 0, 0]


def test_a_running_worker_tells_by_itself(story: Story) -> None:
    import time

    asked(story)
    with at_work(story.installation, poll=0.05):
        until = time.monotonic() + 20
        while not notices(story, "lena") and time.monotonic() < until:
            time.sleep(0.05)
    assert len(notices(story, "lena")) == 1
