"""``lockstep verify`` says whether the database is still what its history, and what left the host of it, says it is."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
from rich.progress import Progress
from sqlalchemy.orm import Session

from engine import checkpoint_check, checkpoints, verification
from engine.act import Installation
from engine.checkpoint_check import Trust
from engine.checkpoint_key import is_public_key, key_id, public_keys
from engine.stored.checkpoint import Checkpoint
from engine.verification import Break, Tell
from processes.checkpointing import checkpoint_folder, key_folder, receipts_in, series_of
from processes.contents import altered_contents
from processes.recount import recount
from webapp.cli.house import Exit, House, as_json, guard_problems, refusals_told, show_json

NAMED = 100
"""Breaks whose records are told by name; who needs more of them has other questions."""


@click.command("verify")
@click.option(
    "--receipts",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where delivered checkpoints lie: all of them count; else those of this database's series where they are delivered to.",
)
@click.option(
    "--key", "keys", multiple=True, metavar="KEY", help="A public key you trust, in hex or as a file; may be given several times."
)  # fmt: skip
@as_json
@click.pass_obj
@refusals_told
def verify_command(house: House, receipts: Path | None, keys: tuple[str, ...], is_json: bool) -> None:
    """Fold every chain, compare every record with it, check every checkpoint, and name the first broken row of each.

    What order lines say was received, accepted and invoiced is counted again from receipts, inspections and invoices.
    The guard itself is compared, too; without it the rest is looked at all the same. Keys are taken from --key and from the key
    folder; a database that brings its own keys proves nothing against its owner. Exit code 1 when something is broken.

    \b
    Example:
      lockstep verify --key plant.pub --receipts /mnt/archive/checkpoints
      purchase_order PF-1 row 7: Expected …, but …
    """
    with house.open_as_found() as installation, installation.reading() as session:
        unguarded = guard_problems(installation)
        trust = _trust(installation, session, receipts, keys)
        total = verification.count_chains(session)
        session.rollback()  # What was read so far must not stand in the way of the one snapshot.
        with Progress(console=house.says, transient=True, disable=is_json) as progress:
            bar = progress.add_task("chains", total=total)
            breaks = list(everything(session, trust, tell=lambda count: progress.advance(bar, count)))
        names = names_of(session, breaks)
        last = checkpoints.last(session)
        remarks = [*_remarks(session, trust), *(_other_series(installation, session) if receipts is None else ())]
    if is_json:
        plain = [{**one, "name": name} for one, name in zip(as_plain(breaks), names, strict=True)]
        advice = list(_advice(unguarded, breaks, last))
        show_json({"chains": total, "breaks": plain, "guard": unguarded, "remarks": remarks, "advice": advice})
    else:
        for problem in unguarded:
            click.echo(f"guard: {problem}")
        for one, name in zip(breaks, names, strict=True):
            click.echo(f"{one} [{name}]" if name else str(one))
        for sentence in _advice(unguarded, breaks, last):
            click.secho(sentence, fg="yellow", err=True)
        for remark in remarks:
            click.secho(remark, fg="yellow", err=True)
        verdict = f"{len(breaks)} broken" if breaks else "all unbroken"
        verdict += ", the guard is not whole" if unguarded else ""
        click.secho(f"{total} chains, {verdict}", fg="red" if breaks or unguarded else "green", err=True)
    if breaks or unguarded:
        sys.exit(Exit.FOUND)


def everything(session: Session, trust: Trust, *, tell: Tell = lambda count: None) -> Iterator[Break]:
    """Yield every break of chains, records, kept files, the sums on order lines and checkpoints."""
    checks = (
        verification.verify(session, tell=tell),
        altered_contents(session),
        recount(session),
        checkpoint_check.check(session, trust),
    )
    for check in checks:
        try:
            yield from check
        except verification.UNREADABLE as error:
            why = str(error).splitlines()[0][:200]
            yield Break(
                "database",
                "value",
                None,
                f"Expected values that can be read, but one is not, so not all was looked at: {why}",
            )


def names_of(session: Session, breaks: list[Break]) -> list[str]:
    """Return what people call the record of each break, empty where they call it by its id; of the first hundred alone."""
    names = [_name_of(session, one) for one in breaks[:NAMED]]
    return names + [""] * (len(breaks) - len(names))


def _name_of(session: Session, one: Break) -> str:
    from webapp.histories import name_of  # late: only an answer with breaks needs the words of pages

    try:
        name = name_of(session, one.record_type, one.record_id)
    except verification.UNREADABLE:
        return ""  # The record holds a value that its column cannot: that is what the break says.
    return name if name != one.record_id else ""


def _advice(unguarded: list[str], breaks: list[Break], last: Checkpoint | None) -> Iterator[str]:
    """Yield what to do about what was found, most urgent first."""
    if not unguarded and not breaks:
        return
    yield "What to do: keep a copy of the database as it is now, before anything else is written to it; it is evidence."
    if unguarded:
        yield "Put the guard back: lockstep migrate. Until then no program serves this database."
    if breaks:
        sealed = (
            f"a copy from before, at best of {last.made_at:%Y-%m-%d %H:%M} UTC or older"
            if last is not None
            else "a backup"
        )
        yield (
            f"Compare each record that is named with {sealed}, find out who could write as the database's owner, and put it right by an "
            "act with a reason. A broken chain stays broken: docs/howto/prove-a-record.md says how to go on."
        )


def _trust(installation: Installation, session: Session, receipts: Path | None, given: tuple[str, ...]) -> Trust:
    keys: dict[str, str] = dict(public_keys(key_folder(installation)))
    for one in given:
        text = _key_text(one)
        keys[key_id(text)] = text
    own = series_of(session)
    return Trust(keys, receipts_in(receipts or checkpoint_folder(installation) / own) if receipts or own else {})


def _other_series(installation: Installation, session: Session) -> Iterator[str]:
    """Yield that the folder holds checkpoints of another database: or of this one, before somebody made them anew."""
    folder, own = checkpoint_folder(installation), series_of(session)
    others = sorted(path.name for path in folder.glob("*") if path.is_dir() and path.name != own)
    if others:
        yield (
            f"{folder} also holds checkpoints of {', '.join(others[:5])}, which this database does not know. If it was not set up "
            "anew, its checkpoints were replaced; --receipts compares them all."
        )


def _key_text(given: str) -> str:
    path = Path(given)
    text = (path.read_text("ascii", errors="replace") if path.is_file() else given).strip().lower()
    if not is_public_key(text):
        raise click.UsageError(f"Expected a public key of 64 hex digits, or a file with one, but found {given!r:.80}")
    return text


def _remarks(session: Session, trust: Trust) -> Iterator[str]:
    """Yield what is no break, but limits what the answer proves."""
    newest, waiting = checkpoints.last(session), checkpoints.unsealed(session)
    if newest is None:
        yield "No checkpoint was made yet: nothing outside this database vouches for it. The worker makes them."
        return
    if not trust.keys:
        yield "The keys were taken from the database itself, which its owner could have replaced; give --key."
    if not trust.receipts:
        yield "No delivered checkpoint was compared, so that a removed one would not be missed; give --receipts."
    if waiting.events and waiting.since is not None:
        yield f"{waiting.events} events since {waiting.since:%Y-%m-%d %H:%M} UTC wait for the next checkpoint."


def as_plain(breaks: list[Break]) -> list[Mapping[str, object]]:
    """Return breaks for machines."""
    return [
        {"record_type": one.record_type, "record_id": one.record_id, "seq": one.seq, "sentence": one.sentence}
        for one in breaks
    ]
