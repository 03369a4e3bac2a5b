"""What somebody does at a desk: sign in a dialog, and what the chain kept of what was refused."""

from __future__ import annotations

from sqlalchemy import select

from engine.audit import AuditEvent
from engine.stored.task import Task
from records.demo_people import Member
from tests.people import PASSWORD, lena
from tests.story import Story


def signing(task: Task, member: Member | str = lena, **fields: str) -> dict[str, str]:
    """Return what the signature dialog of a task sends."""
    user_id = member.id if isinstance(member, Member) else member
    given = {"seen_version": str(task.version), "meaning": "APPROVED", "user_id": user_id, "password": PASSWORD}
    return given | {"accepts_responsibility": "true"} | fields


def refused_attempts(story: Story) -> set[tuple[str, str | None]]:
    """Return (actor, code) of every refused attempt that was kept."""
    wanted = select(AuditEvent.actor, AuditEvent.field).where(AuditEvent.action == "REFUSED")
    return story.read(lambda session: {(actor, code) for actor, code in session.execute(wanted)})
