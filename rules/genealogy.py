"""What may be used where: CON-16, material that is not accepted or not what the product definition asks for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator

from engine.errors import Finding
from records.lot import Lot, LotStatus
from rules.law import block

RULE = "CON-16"
WAYS_OUT = {
    LotStatus.QUARANTINE: ("role:QA_ENG", "Have it inspected and accepted, or issue another lot."),
    LotStatus.HOLD: ("role:QA_ENG", "Quality releases it with a signature; until then issue another lot."),
    LotStatus.REJECTED: ("role:PLANNER", "Issue another lot; a rejected one is never used."),
    LotStatus.CONSUMED: ("role:PLANNER", "Issue another lot; nothing of this one is left."),
}


def judge_consumption(
    lot: Lot, *, required: Collection[str] = (), on: dt.date, usable: Collection[LotStatus] = ()
) -> Iterator[Finding]:
    """Yield what bars a lot from being used on a site-local day.

    required: the revisions that the bill of materials accepts (``P-100/B``), empty where it names none. usable: statuses that pass,
    AVAILABLE when none is given.
    """
    about = (lot.record_type, lot.id)
    if lot.status not in (usable or (LotStatus.AVAILABLE,)):
        owner, way_out = WAYS_OUT[lot.status]
        why = f" ({lot.hold_reason})" if lot.hold_reason else ""
        yield block(
            RULE,
            f"Expected an accepted lot to be issued, but {lot.number} is {lot.status}{why}.",
            about, field="status", old=LotStatus.AVAILABLE.value, new=lot.status.value, owner=owner, way_out=way_out,
        )  # fmt: skip
    if required and lot.part_revision.number not in required:
        wanted = " or ".join(sorted(required))
        yield block(
            RULE,
            f"Expected {wanted} as the bill of materials requires, but {lot.number} is {lot.part_revision.number}.",
            about, field="part_revision_id", old=wanted, new=lot.part_revision.number, owner="role:ENG_AUTH",
            way_out="Issue a lot of that revision, or ask engineering for a deviation.",
        )  # fmt: skip
    if lot.expires_on is not None and lot.expires_on < on:
        yield block(
            RULE,
            f"Expected material within its shelf life, but {lot.number} expired on {lot.expires_on}.",
            about, field="expires_on", old=on.isoformat(), new=lot.expires_on.isoformat(), owner="role:QA_ENG",
            way_out="Issue another lot; quality holds and rejects this one.",
        )  # fmt: skip
