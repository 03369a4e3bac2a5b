"""``lockstep deploy`` and ``lockstep start``: a process engineer's work from files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select

from engine import definitions, instances
from engine.act import Act
from engine.bundle import parts_of, read_library
from engine.errors import Forbidden, Invalid, NotFound
from processes import operating
from processes.definition_changes import add_definition, lock
from records.change_order import ChangeOrder
from records.roles import holds
from rules.policy import TABLES, table_hash
from webapp.cli.checking import SHIPPED, read_files
from webapp.cli.house import House, as_json, in_the_name_of, refusals_told, show_json

MAY_DEPLOY = "PROCESS_ENGINEER"


@click.command("deploy")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--change-order", "number", help="Deploy as drafts, which this change order releases once its board has signed it."
)
@click.option("--process", help="Deploy only this process, with what it reaches; else every executable one.")
@in_the_name_of
@as_json
@click.pass_obj
@refusals_told
def deploy_command(
    house: House, paths: tuple[Path, ...], process: str | None, number: str | None, user: str, is_json: bool
) -> None:
    """Release diagrams, with their forms and tables, in your name.

    The same content is the same version. Instances that run keep theirs; the next start takes the new one. What cannot run is
    refused with every reason, and nothing is deployed then. Tables that no diagram asks are not deployed: the rules read those
    of the installation when a program starts, and this command says which they are.

    \b
    Example:
      lockstep deploy processes/bpmn rules/tables --as pat
    """
    files = read_files(paths or tuple(path for path in SHIPPED if path.exists()))
    with house.open() as installation:
        with installation.reading() as session:
            known = {one: definitions.released(session, one).version for one in _released(session)}
        with house.acting(installation, user, reason="deployed from the command line") as act:
            _refuse_others(act, user)
            one_only: Sequence[definitions.Definition] | None
            if number is not None:
                one_only = _drafts(act, files, process, number)
            else:
                one_only = (definitions.deploy(act, files, process_id=process),) if process else None
            deployed = [
                {
                    "process": definition.process_id,
                    "version": definition.version,
                    "hash": definition.hash,
                    "is_new": known.get(definition.process_id) != definition.version,
                }
                for definition in (definitions.deploy_all(act, files) if one_only is None else one_only)
            ]
    if is_json:
        show_json(deployed)
        return
    rows = [
        (
            str(one["process"]),
            str(one["version"]),
            str(one["hash"])[:12],
            (_word(number) if one["is_new"] else "unchanged"),
        )
        for one in deployed
    ]
    house.show_rows(("process", "version", "hash", ""), rows, none="Nothing to deploy")
    for sentence in _not_deployed(files):
        click.echo(sentence)


def _word(number: str | None) -> str:
    return f"draft, waits for {number}" if number else "released"


def _drafts(act: Act, files: Mapping[str, bytes], process: str | None, number: str) -> list[definitions.Definition]:
    """Store what differs from the released versions as drafts, and put them on a change order."""
    order = act.session.scalar(select(ChangeOrder).where(ChangeOrder.number == number))
    if order is None:
        raise NotFound(f"Expected a change order {number}, but there is none")
    library = read_library(files)
    wanted = [process] if process else sorted(one.id for one in library.processes.values() if one.is_executable)
    found = [definitions.draft(act, files, process_id=one) for one in wanted]
    for definition in found:
        if definition.status == definitions.DefinitionStatus.DRAFT:
            add_definition(act, order, definition)
    return found


@click.command("lock")
@click.option("--reason", required=True, help="Why processes are under change control from now on.")
@in_the_name_of
@click.pass_obj
@refusals_told
def lock_command(house: House, reason: str, user: str) -> None:
    """Put processes and their tables under change control, for good: from then on a signed change order alone releases one.

    \b
    Example:
      lockstep lock --reason "Validated on 2026-11-22" --as quinn
    """
    with house.open() as installation, house.acting(installation, user, reason=reason) as act:
        lock(act, reason=reason)
    click.echo("Processes are under change control: lockstep deploy --change-order CO-… brings in the next version.")


def _not_deployed(files: Mapping[str, bytes]) -> Iterator[str]:
    """Say of the tables that no diagram of the bundle asks when they take effect, and which differ from those installed."""
    library = read_library(files)
    reached = {path for process_id in library.processes for _, _, path in parts_of(library, process_id).files}
    asked_by_rules = {Path(path).stem: path for path in sorted(files) if path.endswith(".dmn") and path not in reached}
    if not asked_by_rules:
        return
    names = ", ".join(asked_by_rules)
    yield f"Not deployed, since no diagram asks them: {names}. The rules read these from {TABLES} when a program starts."
    for name, path in asked_by_rules.items():
        installed = TABLES / f"{name}.dmn"
        if not installed.is_file() or table_hash(installed.read_bytes()) != table_hash(files[path]):
            yield f"{path} differs from the installed table: put it there, then start the server and the workers again."


def _released(session: Any) -> list[str]:
    return list(session.scalars(select(definitions.Definition.process_id).distinct()))


def _refuse_others(act: Act, user: str) -> None:
    if not holds(act.session, user, MAY_DEPLOY, at=act.now):
        raise Forbidden(f"Expected somebody with the role {MAY_DEPLOY} to deploy, but {user} does not hold it")


@click.command("start")
@click.argument("process")
@click.option("--key", required=True, help="The business key; unique among the running instances of the process.")
@click.option("--var", "variables", multiple=True, metavar="NAME=JSON", help="A variable; text needs no quotes.")
@in_the_name_of
@as_json
@click.pass_obj
@refusals_told
def start_command(house: House, process: str, key: str, variables: tuple[str, ...], user: str, is_json: bool) -> None:
    """Start an instance of a released process and say what it waits for.

    \b
    Example:
      lockstep start hire --key H-1 --var amount=950 --as pat
    """
    given = dict(_variable(text) for text in variables)
    with house.open() as installation:
        with house.acting(installation, user) as act:
            operating.need_helper(act.session, user, at=act.now)
            instance_id = instances.start(act, process, business_key=key, variables=given).id
        with installation.reading() as session:
            instance = instances.find(session, instance_id)
            sentence = instances.wait_sentence(session, instance)
            answer = {"id": instance.id, "key": instance.business_key, "status": instance.status, "waits": sentence}
    if is_json:
        show_json(answer)
    else:
        click.echo(f"{answer['key']} {answer['status']}: {sentence}")


def _variable(text: str) -> tuple[str, Any]:
    name, mark, value = text.partition("=")
    if not mark or not name:
        raise Invalid(f"Expected NAME=JSON, but found {text!r}")
    try:
        return name, json.loads(value, parse_float=Decimal, parse_int=Decimal)
    except json.JSONDecodeError:
        return name, value
