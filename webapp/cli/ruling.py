"""``lockstep rules``: how well the detectors find, and in which mode each flow is guarded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select

from engine.act import Act
from engine.errors import Conflict, Forbidden, NotFound
from processes.table_changes import propose_tables
from records.change_order import ChangeOrder
from records.definition_lock import DEFINITIONS, DefinitionLock, lock_of
from records.roles import holds
from rules.evaluation import TEXT_RULES, Evaluation, Score, evaluate
from rules.flow_mode import switches_of
from rules.table_version import ADOPTED, RuleTableVersion, keep_versions
from rules.tables_in_force import RETIRED, in_force
from webapp.cli.house import House, in_the_name_of, refusals_told

TEXTS = Path(__file__).parents[2] / "tests" / "rules" / "texts"
SETS = ("frozen", "development", "extract", "later")


@click.group("rules")
def rules_command() -> None:
    """Look at the rules: what they find, and how strictly each flow is guarded.

    \b
    Example:
      lockstep rules evaluate --mistakes
    """


@rules_command.command("evaluate")
@click.option(
    "--texts",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=TEXTS,
    help="The folder of labelled texts.",
)
@click.option("--json", "as_json", is_flag=True, help="Print figures for machines.")
@click.option("--mistakes", is_flag=True, help="Show every text that is judged otherwise than it is labelled.")
def evaluate_command(texts: Path, as_json: bool, mistakes: bool) -> None:
    """Print precision and recall of the detectors of blurred roles on labelled texts.

    Three sets: frozen (committed before the detectors), development (they were made with it) and extract (the line texts of
    the ERP extract). Rules that look at records alone have no texts and are not among them.
    """
    files = [texts / f"{name}.json" for name in SETS if (texts / f"{name}.json").exists()]
    if not files:
        raise click.UsageError(f"Expected labelled texts ({', '.join(SETS)}) in {texts}, but there are none")
    try:
        found = [evaluate(file) for file in files]
    except (ValueError, KeyError) as error:
        raise click.UsageError(f"Expected labelled texts, but: {error}") from error
    if as_json:
        click.echo(json.dumps([_plain(each) for each in found], indent=2, ensure_ascii=False))
        return
    for each in found:
        _print(each, mistakes=mistakes)


@rules_command.command("modes")
@click.pass_obj
def modes_command(house: House) -> None:
    """Print the mode of each flow and its switches. A switch is signed on the page or through the API."""
    from processes.flow_modes import modes

    with house.open() as installation, installation.reading() as session:
        for flow, row in modes(session).items():
            click.echo(f"{flow:20} {row.mode}")
            for switch in switches_of(session, flow):
                click.echo(
                    f"    {switch.created_at:%Y-%m-%d %H:%M} {switch.number} {switch.from_mode} to {switch.to_mode}, "
                    f"{switch.status}: {switch.reason}"
                )


@rules_command.command("adopt")
@in_the_name_of
@click.option("--reason", required=True, help="Why the tables changed; it stands in their history.")
@click.option(
    "--change-order",
    "number",
    help="The change order, in writing, that puts them in force once its board has signed it.",
)
@click.option(
    "--from",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder with the tables to come.",
)
@click.pass_obj
@refusals_told
def adopt_command(house: House, user: str, reason: str, number: str | None, folder: Path | None) -> None:
    """Say which tables to work by: each that changed is kept, with who, when and why.

    While a plant is being set up these are the installed ones. Once quality has locked processes and tables, a change order alone
    puts others in force: its board signs their hashes, and a program starts on those only.

    \b
    Examples:
      lockstep rules adopt --as pat --reason "approval limits of the new fiscal year"
      lockstep rules adopt --as pat --reason "new limits" --change-order CO-000012 --from drafts/tables
    """
    with house.open() as installation, house.acting(installation, user, reason=reason) as act:
        if lock_of(act.session) is not None or number is not None or folder is not None:
            names = _propose(act, number, folder)
            house.says.print(f"on {number}, in force once it is signed and applied: {', '.join(names)}", markup=False)
            return
        if not holds(act.session, user, "PROCESS_ENGINEER", at=act.now):
            raise Forbidden(f"Expected a PROCESS_ENGINEER to adopt tables, but {user} is none")
        names = keep_versions(act, ADOPTED, reason=reason)
    house.says.print(f"adopted: {', '.join(names)}" if names else "nothing changed", markup=False)


@rules_command.command("in-force")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.pass_obj
@refusals_told
def in_force_command(house: House, folder: Path) -> None:
    """Write the tables that are in force to a FOLDER, as they were signed; also while the program refuses to start on others.

    \b
    Example:
      lockstep rules in-force signed/tables
    """
    with house.open_as_found() as installation, installation.reading() as session:
        found = {row.name: row for row in in_force(session).values() if row.content_hash != RETIRED}
        if not found:
            raise Conflict("Expected tables under change control, but there are none: lockstep lock puts them there")
        kept = {name: session.get(RuleTableVersion, (name, row.content_hash)) for name, row in found.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for name, version in kept.items():
        if version is not None:
            (folder / f"{name}.dmn").write_bytes(version.content)
    written = [name for name, version in kept.items() if version is not None]
    house.says.print(f"written to {folder}: {', '.join(written) or 'none'}", markup=False)
    if lost := sorted(kept.keys() - set(written)):
        raise Conflict(f"Expected the content of every table in force, but this database never kept: {', '.join(lost)}")


def _propose(act: Act, number: str | None, folder: Path | None) -> list[str]:
    if number is None or folder is None:
        raise Conflict(
            "Expected a change order, since the tables are under change control, but there is none: name it with --change-order, and "
            "the folder of the tables to come with --from",
            code="UNCONTROLLED_CHANGE", record=(DefinitionLock.record_type, DEFINITIONS), keep=True,
        )  # fmt: skip
    order = act.session.scalar(select(ChangeOrder).where(ChangeOrder.number == number))
    if order is None:
        raise NotFound(f"Expected a change order {number}, but there is none")
    return propose_tables(act, order, folder)


def _print(found: Evaluation, *, mistakes: bool) -> None:
    click.echo(f"{found.name}: {found.texts} texts")
    click.echo("  rule       right  false  missed  precision  recall")
    for rule in TEXT_RULES:
        _row(rule, found.by_rule[rule])
    _row("overall", found.overall)
    if mistakes:
        for mistake in found.mistakes:
            click.echo(f"  {mistake}")


def _row(name: str, score: Score) -> None:
    click.echo(
        f"  {name:9} {score.hits:6} {score.false_alarms:6} {score.misses:7}  {_share(score.precision):>9}  {_share(score.recall):>6}"
    )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _plain(found: Evaluation) -> dict[str, Any]:
    return {
        "set": found.name,
        "texts": found.texts,
        "overall": _figures(found.overall),
        "rules": {rule: _figures(score) for rule, score in found.by_rule.items()},
        "mistakes": list(found.mistakes),
    }


def _figures(score: Score) -> dict[str, Any]:
    return {
        "right": score.hits, "false": score.false_alarms, "missed": score.misses, "precision": score.precision,
        "recall": score.recall,
    }  # fmt: skip
