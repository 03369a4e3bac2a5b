"""``lockstep rehearse`` and ``lockstep migrate-instances``: move running instances to another version of their process."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import click
from rich.progress import Progress
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine import definitions, migrating, rehearsing
from engine.act import Installation
from engine.errors import Invalid, NotFound
from engine.migrating import Came, Moved
from engine.ports import SignatureRequest
from engine.rehearsing import Rehearsal
from engine.stored.definition import Definition
from engine.stored.instance import Instance, InstanceStatus
from processes import operating
from records.roles import user_called
from webapp.cli.house import Exit, House, as_json, in_the_name_of, refusals_told, show_json

to_version = click.option("--to", "version", type=int, help="The version to move to; else the newest released one.")
mapped = click.option(
    "--map",
    "pairs",
    multiple=True,
    metavar="OLD=NEW",
    help="Where an element goes that has another id there; again for each.",
)
restarted = click.option(
    "--restart",
    "anew",
    multiple=True,
    metavar="EVENT",
    help="A timer beside a step that begins anew; else it keeps its time.",
)
only = click.option("--key", "keys", multiple=True, help="Only the run with this business key; again for each.")


@click.command("rehearse")
@click.argument("process")
@to_version
@mapped
@restarted
@only
@as_json
@click.pass_obj
@refusals_told
def rehearse_command(
    house: House,
    process: str,
    version: int | None,
    pairs: tuple[str, ...],
    anew: tuple[str, ...],
    keys: tuple[str, ...],
    is_json: bool,
) -> None:
    """Say what moving the running instances of a process to another version would do. Nothing changes.

    Each is SAFE, MAPPED (by --map), NEEDS_MAPPING, with what looks like the step, or BLOCKED because of something. The exit code is
    1 when any of them cannot be moved yet.

    \b
    Example:
      lockstep rehearse requisition_to_po --map approve=approve_requisition
    """
    mapping = _mapping(pairs, anew)
    with house.open() as installation, installation.reading() as session:
        target = _target(session, process, version)
        runs = _runs(session, target, keys)
        with Progress(console=house.says, transient=True, disable=len(runs) < 20) as progress:
            found = [
                rehearsing.rehearse(session, run, target, mapping)
                for run in progress.track(runs, description="Rehearsing")
            ]
    counts = Counter(one.verdict for one in found)
    if is_json:
        show_json({"process": process, "to": target.version, "counts": counts, "runs": [_plain(one) for one in found]})
    else:
        rows = [
            (one.business_key, str(one.from_version), str(one.verdict), " ".join(one.reasons + one.notes))
            for one in found
        ]
        house.show_rows(("run", "version", "verdict", "why"), rows, none=f"No run of {process} is on another version")
        summary = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
        click.secho(f"to version {target.version}: {summary or 'nothing to do'}", err=True)
    if any(not one.may_move for one in found):
        sys.exit(Exit.FOUND)


@click.command("migrate-instances")
@click.argument("process")
@to_version
@mapped
@restarted
@only
@click.option("--reason", required=True, help="Why they are moved; everybody who has a task of theirs reads it.")
@click.option(
    "--stop", "stops", is_flag=True, help="Leave the others when one fails; else they are moved all the same."
)
@click.option(
    "--password", help="Your password: moving runs is signed. Else it is asked for.", envvar="LOCKSTEP_SIGNING_PASSWORD"
)
@in_the_name_of
@as_json
@click.pass_obj
@refusals_told
def migrate_instances_command(
    house: House,
    process: str,
    version: int | None,
    pairs: tuple[str, ...],
    anew: tuple[str, ...],
    keys: tuple[str, ...],
    reason: str,
    stops: bool,
    password: str | None,
    user: str,
    is_json: bool,
) -> None:
    """Move running instances of a process to another version, signed by a process engineer.

    Each moves by itself: one that fails stays what it was and undoes no other. Open tasks keep whose they are, what was typed and
    when they are due; timers keep their time. Running it again moves only what is left. The exit code is 1 when any failed.

    \b
    Example:
      lockstep migrate-instances requisition_to_po --reason "CO-1042" --as pat
    """
    mapping = _mapping(pairs, anew)
    with house.open() as installation:
        with installation.reading() as session:
            user_called(session, user)
            target = _target(session, process, version)
            chosen = [run.id for run in _runs(session, target, keys)]
        if not chosen:
            raise NotFound(f"Expected runs of {process} on another version than {target.version}, but there is none")
        secret = password or click.prompt("Your password, to sign", hide_input=True)
        request = SignatureRequest(meaning=operating.MEANING, password=secret, user_id=user)
        with house.acting(installation, user, reason=reason) as act:
            order = operating.order_relocation(act, target, chosen, reason=reason, mapping=mapping, request=request)
        results = _moved(
            house, installation, chosen,
            lambda told: migrating.move_each(
                installation, f"user:{user}", chosen, target, reason=reason, mapping=mapping, relocation=order,
                goes_on=not stops, told=told,
            ),
        )  # fmt: skip
    counts = Counter(one.came for one in results)
    if is_json:
        rows_of = [
            {"key": one.business_key, "id": one.instance_id, "came": one.came, "message": one.message}
            for one in results
        ]
        show_json({"process": process, "to": target.version, "counts": counts, "runs": rows_of})
    else:
        rows = [(one.business_key, str(one.came), one.message) for one in results if one.came is not Came.MOVED]
        house.show_rows(("run", "came", "why"), rows, none="Every one was moved")
        click.secho(", ".join(f"{count} {came}" for came, count in sorted(counts.items())), err=True)
    if counts[Came.FAILED]:
        sys.exit(Exit.FOUND)


def _moved(
    house: House,
    installation: Installation,
    chosen: Sequence[str],
    move: Callable[[Callable[[Moved], object]], list[Moved]],
) -> list[Moved]:
    with Progress(console=house.says, transient=True, disable=len(chosen) < 20) as progress:
        task = progress.add_task("Moving", total=len(chosen))
        return move(lambda _moved: progress.advance(task))


def _target(session: Session, process: str, version: int | None) -> Definition:
    if version is None:
        return definitions.released(session, process)
    wanted = select(Definition).where(Definition.process_id == process, Definition.version == version)
    found = session.scalars(wanted).first()
    if found is None:
        raise NotFound(f"Expected version {version} of {process}, but there is none")
    return found


def _runs(session: Session, target: Definition, keys: Sequence[str]) -> list[Instance]:
    if not keys:
        return migrating.runs_on_others(session, target)
    wanted = select(Instance).where(
        Instance.process_id == target.process_id,
        Instance.business_key.in_(keys),
        Instance.status == InstanceStatus.RUNNING,
    )
    found = list(session.scalars(wanted.order_by(Instance.id)))
    if missing := set(keys) - {run.business_key for run in found}:
        raise NotFound(
            f"Expected running instances {', '.join(sorted(missing))} of {target.process_id}, but there are none"
        )
    return found


def _mapping(pairs: Sequence[str], anew: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = dict.fromkeys(anew, "")
    for pair in pairs:
        old, mark, new = pair.partition("=")
        if not (mark and old.strip() and new.strip()):
            raise Invalid(f"Expected OLD=NEW, but found {pair!r:.80}")
        found[old.strip()] = new.strip()
    return found


def _plain(one: Rehearsal) -> dict[str, Any]:
    return {
        "key": one.business_key, "id": one.instance_id, "version": one.from_version, "verdict": one.verdict,
        "reasons": one.reasons, "notes": one.notes,
        "suggestions": {missing.element_id: missing.suggestion for missing in one.unplaced},
    }  # fmt: skip
