"""The minutes of a meeting as a PDF: attendance, conflicts, quorum, each vote with its dissent, outcomes, and the chair's signature."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import typst
from sqlalchemy.orm import Session

from engine.errors import NotFound
from processes.signed_by import signed_on
from records.meeting import Meeting
from records.roles import role_name

TEMPLATE = Path(__file__).with_name("minutes.typ")


def minutes_pdf(session: Session, meeting: Meeting) -> bytes:
    """Return the minutes exactly as they were signed. Raises: NotFound before the meeting is closed."""
    if meeting.minutes is None:
        raise NotFound(f"Expected minutes of {meeting.number}, but it is {meeting.status.words}")
    said = _in_words(session, meeting, json.loads(meeting.minutes)) | {
        "hash": meeting.minutes_hash,
        "signed": signed_on(session, meeting, meeting.minutes_hash, number=meeting.number),
    }
    content = typst.compile(TEMPLATE, sys_inputs={"data": json.dumps(said, ensure_ascii=False)})
    assert isinstance(content, bytes)
    return content


def _in_words(session: Session, meeting: Meeting, said: dict[str, Any]) -> dict[str, Any]:
    """Return minutes with times of the board's site and names of roles: what was signed keeps UTC and codes."""
    zone = meeting.board.site.zone

    def at(instant: str | None) -> str | None:
        if instant is None:
            return None
        local = dt.datetime.fromisoformat(instant).astimezone(zone)
        return f"{local.day} {local:%B %Y, %H:%M %Z}"

    def signed(instant: str) -> str:
        """A vote is a signature, whose time every printout gives in UTC, too."""
        return f"{at(instant)} ({dt.datetime.fromisoformat(instant).astimezone(dt.UTC):%H:%M} UTC)"

    return said | {
        "opened_at": at(said["opened_at"]), "closed_at": at(said["closed_at"]),
        "members": [[name, function, role_name(session, role)] for name, function, role in said["members"]],
        "present": [[name, at(joined), at(left)] for name, joined, left in said["present"]],
        "items": [
            item | {"votes": [vote | {"signed_at": signed(vote["signed_at"])} for vote in item["votes"]]}
            for item in said["items"]
        ],
    }  # fmt: skip
