"""Make checkpoints of the audit chain at the plant, and carry each out of this host: into a folder, and by mail where one is named.

When is a table's to say (``checkpoints.dmn``). The key lies in a file; it is made at first need, but never beside one that the
database knows already: a second worker without the file leaves the work to the one that has it, and says so.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from engine import checkpoints
from engine.act import Act, Installation
from engine.checkpoint_key import DEFAULT, SigningKey, load_key, make_key
from engine.checkpoints import Unsealed
from engine.errors import Conflict, NotFound, Refused
from engine.jobs import defer
from engine.registry import Registry, Work
from engine.stored.checkpoint import Checkpoint, CheckpointKey
from processes.notices import tell_role
from records.calendar import MAIN
from rules import table_version
from rules.policy import table_called

registry = Registry()

FOLDER = Path("var") / "checkpoints"
NEXT_TRY = "checkpoints: next try"
AFTER_TROUBLE = dt.timedelta(minutes=10)
TABLES_SEEN = "checkpoints: tables seen"

_log = logging.getLogger(__name__)


@registry.chore("make_checkpoint")
def make_checkpoint(installation: Installation) -> int:
    """Make a checkpoint when enough events or enough minutes have gathered; return how many were made."""
    with installation.reading() as session:
        waiting = checkpoints.unsealed(session)
    now = installation.clock()
    if not waiting.events or not is_due(installation, waiting, now) or now < installation.extras.get(NEXT_TRY, now):
        return 0
    try:
        key = key_of(installation)
    except Refused as refusal:
        return _put_off(installation, now, refusal.code, refusal.message)
    except OSError as trouble:
        # A folder that is not there or may not be written must not keep the worker from its other work.
        return _put_off(
            installation, now, "KEY_UNREADABLE", f"Expected a key in {key_folder(installation)}, but {trouble}"
        )
    with installation.acting("system:checkpoint") as act:
        return int(seal(act, key) is not None)


@registry.chore("keep_table_versions")
def keep_table_versions(installation: Installation) -> int:
    """Note once in the life of a worker which tables it works by, when they are not the ones the chain tells of."""
    if installation.extras.get(TABLES_SEEN):
        return 0
    installation.extras[TABLES_SEEN] = True
    with installation.reading() as session:
        if not table_version.changed(session):
            return 0
    why = "found changed where the program is installed; nobody adopted it: lockstep rules adopt"
    with installation.acting("system:tables") as act:
        return len(table_version.keep_versions(act, table_version.FOUND, reason=why))


def is_due(installation: Installation, waiting: Unsealed, now: dt.datetime) -> bool:
    """Say whether what waits is enough, or has waited long enough; a clock that was put back counts as long enough."""
    site = str(installation.settings.get("site", MAIN))
    limits = table_called("checkpoints").judge(site=site).row.outputs
    if waiting.events >= limits["events"] or waiting.since is None:
        return True
    return not waiting.since <= now < waiting.since + dt.timedelta(minutes=float(limits["minutes"]))


def seal(act: Act, key: SigningKey, *, whole: bool = False) -> Checkpoint | None:
    """Make a checkpoint now and promise its delivery; None when nothing waits or somebody else makes one."""
    checkpoints.know(act, key)
    made = checkpoints.make(act, key, whole=whole)
    if made is None:
        return None
    defer(act, "deliver_checkpoint", {"number": made.number})
    address = act.installation.settings.get("checkpoint_mail")
    if address:
        subject = f"Checkpoint {made.number} of {made.made_at:%Y-%m-%d %H:%M} UTC"
        defer(act, "mail", {"to": [str(address)], "subject": subject, "text": receipt(made, key.public_key)})
    return made


def key_folder(installation: Installation) -> Path:
    """Return where the key lies."""
    return Path(installation.settings.get("key_folder") or DEFAULT)


def checkpoint_folder(installation: Installation) -> Path:
    """Return where checkpoints are delivered to; a mount of another host is what it is for."""
    return Path(installation.settings.get("checkpoint_folder") or FOLDER)


def key_of(installation: Installation) -> SigningKey:
    """Return the plant's key; the first one is made. Raises: Conflict KEY_ELSEWHERE, KEY_EXPOSED, KEY_UNREADABLE."""
    folder = key_folder(installation)
    try:
        return load_key(folder)
    except NotFound as missing:
        with installation.reading() as session:
            known = checkpoints.known_keys(session)
        if known:
            raise Conflict(
                f"Expected the key {list(known)[-1]} in {folder}, but there is none; bring the file here, or make a new key: "
                "lockstep checkpoint new-key",
                code="KEY_ELSEWHERE",
            ) from missing
    return make_key(folder)


def receipt(made: Checkpoint, public_key: str) -> str:
    """Return a checkpoint as it leaves the host: what was signed, the signature, and the key that proves it."""
    said = json.loads(checkpoints.statement_of(made))
    return f"{json.dumps({'statement': said, 'signature': made.signature, 'public_key': public_key}, indent=2)}\n"


@registry.errand("deliver_checkpoint")
def deliver_checkpoint(installation: Installation, work: Work) -> None:
    """Put a checkpoint into the folder of its series, as ``checkpoint-<number>.json``; what lies there is never overwritten.

    Raises: OSError when the folder is not there or full: the job is tried again; Conflict when another one lies there.
    """
    with installation.reading() as session:
        made = session.get(Checkpoint, int(work["number"]))
        key = session.get(CheckpointKey, made.key_id) if made is not None else None
        series = series_of(session)
    if made is None or key is None:
        raise NotFound(f"Expected a checkpoint {work['number']}, but there is none")
    write_receipt(checkpoint_folder(installation) / series, made.number, receipt(made, key.public_key))


def series_of(session: Session) -> str:
    """Return what the checkpoints of this database are told apart by from those of another one, or of an earlier life of it."""
    first = session.get(Checkpoint, 1)
    return first.hash[:12] if first is not None else ""


def write_receipt(folder: Path, number: int, content: str) -> Path:
    """Write one receipt whole or not at all. Raises: Conflict when another one has its name."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"checkpoint-{number:08d}.json"
    if path.exists():
        if path.read_text("utf-8") != content:
            raise Conflict(f"Expected {path} to be this checkpoint, but another one with its number lies there")
        return path
    partial = path.with_suffix(".part")
    partial.write_text(content, "utf-8")
    partial.replace(path)
    return path


def receipts_in(folder: Path) -> dict[str, Any]:
    """Return what lies in a folder of receipts and the folders in it, by name; what cannot be read is None."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("checkpoint-*.json")):
        name = path.relative_to(folder).as_posix()
        try:
            found[name] = json.loads(path.read_text("utf-8"))
        except (ValueError, OSError):
            found[name] = None
    return found


def _put_off(installation: Installation, now: dt.datetime, code: str, message: str) -> int:
    """Tell whoever keeps the house, once a day, that no checkpoint can be made here, and leave it for a while."""
    installation.extras[NEXT_TRY] = now + AFTER_TROUBLE
    _log.warning("no checkpoint: %s", message)
    with installation.acting("system:checkpoint") as act:
        subject = "No checkpoint of the audit chain can be made"
        tell_role(act, "ADMIN", subject, key=f"{code}:{act.now.date().isoformat()}", body=message)
    return 0
