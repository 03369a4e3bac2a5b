"""What the house answers when it does not do what was asked: five kinds of refusal, importing nothing of the house.

A message reads "Expected …, but …". A refusal rolls the whole act back; what is worth keeping of it (``keep``) is
written by a second act afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class Effect(StrEnum):
    """What a finding does: refuse now, stop the next step, or ask for an acknowledgement."""

    BLOCK = "BLOCK"
    HOLD = "HOLD"
    WARN = "WARN"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule says about an edit or a document.

    rule: the law's id (``SOD-1``, ``CON-07``, ``UNCONTROLLED_CHANGE``). sentence: one sentence, "Expected …, but …".
    owner: whose turn it is, as a principal (``role:PUR_LEAD``) or empty. way_out: what to do next, in words.
    judged_by: the content hash of the table that judged, or empty for a law in code; row: its row number, from 1.
    waiver_id: the waiver that turned it into a warning.
    """

    rule: str
    effect: Effect
    sentence: str
    record_type: str = ""
    record_id: str = ""
    field: str = ""
    old: str | None = None
    new: str | None = None
    owner: str = ""
    way_out: str = ""
    judged_by: str = ""
    row: int | None = None
    waiver_id: str | None = None


class Refused(Exception):
    """A command that is not carried out because the caller is wrong; nothing is written.

    code: a stable word for machines. keep: the attempt itself belongs in the audit chain of (record_type, record_id).
    others: of which further records it was an attempt, too.
    """

    status: ClassVar[int] = 400
    code: str = "REFUSED"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        record: tuple[str, str] | None = None,
        keep: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.record = record
        self.keep = keep
        self.others: tuple[tuple[str, str], ...] = ()


class Invalid(Refused):
    """The shape of the input is wrong. fields: dotted path (``lines.0.quantity``) to a sentence."""

    status = 422
    code = "INVALID"

    def __init__(
        self,
        message: str,
        fields: Mapping[str, str] | None = None,
        *,
        code: str | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.fields = dict(fields or {})


class NotFound(Refused):
    """There is no such thing, or the caller may not know that there is."""

    status = 404
    code = "NOT_FOUND"


class Forbidden(Refused):
    """The caller may see it, but may not do this to it."""

    status = 403
    code = "NOT_AUTHORISED"


class Conflict(Refused):
    """The world has moved on: somebody else was faster, the state does not allow it, a lock was lost."""

    status = 409
    code = "STALE_VERSION"


class Unreadable(Conflict):
    """Nobody can read the state of an instance, a value that it knows, or the diagrams it runs on: somebody wrote past the house."""

    code = "UNREADABLE"


class RuleViolation(Refused):
    """One or more findings refuse the act. 409, or 403 where every finding is about duties or systems of record."""

    status = 409
    code = "RULE_VIOLATION"

    def __init__(self, findings: Iterable[Finding], *, keep: bool = True) -> None:
        self.findings = tuple(findings)
        first = self.findings[0]
        forbidden = all(finding.rule.startswith(("SOD-", "SOR")) for finding in self.findings)
        record = (first.record_type, first.record_id) if first.record_type and first.record_id else None
        super().__init__(
            " ".join(dict.fromkeys(finding.sentence for finding in self.findings)),
            code=first.rule,
            record=record,
            keep=keep,
        )
        self.is_about_duties = forbidden

    @property
    def http_status(self) -> int:
        """The HTTP status of this refusal."""
        return 403 if self.is_about_duties else 409
