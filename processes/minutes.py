"""The minutes of a meeting as a PDF: attendance, conflicts, quorum, each vote with its dissent, outcomes, and the chair's signature."""

from __future__ import annotations

import json
from pathlib import Path

import typst
from sqlalchemy.orm import Session

from engine.errors import NotFound
from processes.signed_by import signed_on
from records.meeting import Meeting

TEMPLATE = Path(__file__).with_name("minutes.typ")


def minutes_pdf(session: Session, meeting: Meeting) -> bytes:
    """Return the minutes exactly as they were signed. Raises: NotFound before the meeting is closed."""
    if meeting.minutes is None:
        raise NotFound(f"Expected minutes of {meeting.number}, but it is {meeting.status}")
    said = json.loads(meeting.minutes) | {
        "hash": meeting.minutes_hash,
        "signed": signed_on(session, meeting, meeting.minutes_hash, number=meeting.number),
    }
    content = typst.compile(TEMPLATE, sys_inputs={"data": json.dumps(said, ensure_ascii=False)})
    assert isinstance(content, bytes)
    return content
