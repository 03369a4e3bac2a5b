"""``lockstep incidents`` and ``lockstep retry``: see what is stuck, and try it again, on a server without a browser."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import click
from rich.progress import Progress
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import incidents, retrying
from engine.errors import NotFound
from engine.stored.definition import Definition
from engine.stored.instance import Instance
from engine.stored.wait import Incident
from processes import operating
from webapp.cli.house import Exit, House, as_json, in_the_name_of, refusals_told, show_json

of_process = click.option("--process", "process_id", help="Only of this process.")
of_kind = click.option("--kind", "cause", type=click.Choice(incidents.CAUSES), help="Only of this kind.")
of_key = click.option("--key", "business_key", help="Only of the runs with this business key.")


@click.command("incidents")
@of_process
@of_kind
@of_key
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@as_json
@click.pass_obj
@refusals_told
def incidents_command(house: House, /, limit: int, is_json: bool, **wanted: Any) -> None:
    """List what is stuck, the oldest first, with why.

    \b
    Example:
      lockstep incidents --process requisition_to_po --kind expression
    """
    with house.open() as installation, installation.reading() as session:
        found = _open(session, **wanted, limit=limit + 1)
        rows = [_plain(*one) for one in found[:limit]]
    if is_json:
        show_json({"items": rows, "is_all": len(found) <= limit})
        return
    for row in rows:
        click.echo("  ".join(str(row[name]) for name in ("id", "key", "process", "element", "kind")))
        click.echo(f"    {row['message']}")
    if not rows:
        house.says.print("Nothing is stuck.", markup=False)
    elif len(found) > limit:
        house.says.print(f"There are more than {limit}: say --limit, or narrow it.", markup=False)


@click.command("retry")
@click.argument("chosen", metavar="[ID]...", nargs=-1)
@click.option(
    "--all", "is_all", is_flag=True, help="Everything that is stuck, or what --process, --kind and --key leave of it."
)
@of_process
@of_kind
@of_key
@in_the_name_of
@as_json
@click.pass_obj
@refusals_told
def retry_command(
    house: House, /, chosen: tuple[str, ...], is_all: bool, user: str, is_json: bool, **wanted: Any
) -> None:
    """Try again what is stuck, each by itself, and say what came of it.

    ADVANCED: it moved on. FAILED_AGAIN: it is still stuck, or stuck at the next step. QUEUED: a worker outside tries.
    NOTHING_TO_DO: it was not stuck any more. The exit code is 1 when any failed again.

    \b
    Example:
      lockstep retry --all --process requisition_to_po --as pat
    """
    if is_all == bool(chosen):
        found = "both" if is_all else "neither"
        raise click.UsageError(f"Expected ids of incidents or --all, but found {found}; lockstep incidents lists them")
    if chosen and any(one is not None for one in wanted.values()):
        raise click.UsageError("Expected --process, --kind and --key with --all alone, but found ids of incidents")
    with house.open() as installation:
        with installation.reading() as session:
            operating.need_helper(session, user, at=installation.clock())
            ids = _known(session, chosen) or [one.id for one, _ in _open(session, limit=None, **wanted)]
        with Progress(console=house.says, transient=True, disable=len(ids) < 20) as progress:
            results = [
                came
                for one in progress.track(ids, description="Trying again")
                for came in retrying.retry_all(installation, f"user:{user}", [one])
            ]
    if is_json:
        show_json({"counts": Counter(one.outcome for one in results), "items": [_answer(one) for one in results]})
    else:
        for one in results:
            click.echo(f"{one.outcome}  {one.incident_id}  {one.business_key}: {one.message}")
        house.says.print(retrying.summary(results) if results else "Nothing is stuck.", markup=False)
    if any(one.outcome is retrying.Outcome.FAILED_AGAIN for one in results):
        sys.exit(Exit.FOUND)


def _open(
    session: Session, *, limit: int | None, process_id: str | None, **wanted: Any
) -> list[tuple[Incident, Instance]]:
    """Return what is stuck. Raises: NotFound for a process that nobody ever deployed."""
    deployed = select(Definition.id).where(Definition.process_id == process_id).limit(1)
    if process_id is not None and session.scalar(deployed) is None:
        raise NotFound(f"Expected a process that was deployed, but {process_id:.100} was not")
    return incidents.opened(session, process_id=process_id, limit=limit, **wanted)


def _known(session: Session, chosen: tuple[str, ...]) -> list[str]:
    """Return the ids, each once. Raises: NotFound when one is none, so that nothing is tried by mistake."""
    known = incidents.known(session, chosen)
    if unknown := [one for one in chosen if one not in known]:
        raise NotFound(
            f"Expected ids of incidents, but {', '.join(unknown):.200} is none; lockstep incidents lists those that are open"
        )
    return list(dict.fromkeys(chosen))


def _plain(incident: Incident, instance: Instance) -> dict[str, Any]:
    return {
        "id": incident.id, "key": instance.business_key, "instance_id": instance.id, "process": instance.process_id,
        "element": incident.element_id, "kind": incident.cause, "message": incident.message, "attempts": incident.attempts,
        "opened_at": incident.opened_at.isoformat(),
    }  # fmt: skip


def _answer(came: retrying.Retry) -> dict[str, str]:
    return {"id": came.incident_id, "key": came.business_key, "outcome": came.outcome, "message": came.message}
