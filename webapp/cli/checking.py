"""``lockstep check``: the process engineer's first reader."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import click

from engine.lint import Advice, Severity, review
from webapp.cli.house import Exit, as_json, show_json
from webapp.wiring import registry_of_flows

KINDS = (".bpmn", ".form", ".dmn")
SHIPPED = (Path("processes/bpmn"), Path("rules/tables"))
COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow"}


@click.command("check")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
@as_json
def check_command(paths: tuple[Path, ...], strict: bool, is_json: bool) -> None:
    """Read diagrams, forms and tables and say what is wrong with them.

    What cannot run is an error, and so is a name that nothing gives, a task for nobody, a join that waits for ever, a table
    whose rows overlap. A missing deadline or an unserved job is a warning. Nothing is deployed and no database is needed.
    What the given files name and do not bring along is looked up among those of this checkout.

    \b
    Example:
      lockstep check processes/bpmn rules/tables
      processes/bpmn/requisition_to_po.bpmn:203: error: correct: Expected …, but …
    """
    files = read_files(paths or tuple(path for path in SHIPPED if path.exists()))
    found = [advice for advice in review(_beside(files) | files, registry_of_flows()) if advice.file in files]
    counts = Counter(advice.severity for advice in found)
    if is_json:
        show_json({"files": len(files), "findings": [_plain(advice) for advice in found]})
    else:
        for advice in found:
            click.echo(_line(advice))
        summary = f"{counts[Severity.ERROR]} errors, {counts[Severity.WARNING]} warnings in {len(files)} files"
        click.secho(summary, fg="red" if counts[Severity.ERROR] else "yellow" if found else "green", err=True)
    if counts[Severity.ERROR] or (strict and found):
        sys.exit(Exit.FOUND)


def _beside(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the checkout's files under the names that none of the given ones bears; they are asked, not judged."""
    given = {Path(name).name for name in files}
    known = [path for path in SHIPPED if path.exists()]
    return {
        name: content
        for name, content in (read_files(tuple(known)) if known else {}).items()
        if Path(name).name not in given
    }


def read_files(paths: tuple[Path, ...]) -> dict[str, bytes]:
    """Return the path, as given, and the bytes of every file in files and folders. Ends the program when there is none."""
    files: dict[str, bytes] = {}
    for path in paths:
        inside = [path] if path.is_file() else sorted(found for found in path.rglob("*") if found.suffix in KINDS)
        files.update({found.as_posix(): _bytes_of(found) for found in inside if found.is_file()})
    if not files:
        named = ", ".join(str(path) for path in paths) or "no path"
        raise click.UsageError(f"Expected .bpmn, .form or .dmn files, but there are none in {named}")
    return files


def _bytes_of(path: Path) -> bytes:
    """Return a file's bytes. Ends the program when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise click.ClickException(f"Expected to read {path}, but {error.strerror}") from error


def _line(advice: Advice) -> str:
    element = f"{advice.element_id}: " if advice.element_id else ""
    severity = click.style(str(advice.severity), fg=COLOURS[advice.severity])
    law = click.style(f"[{advice.law}]", dim=True)
    return f"{advice.file}:{advice.line}: {severity}: {element}{advice.message} {advice.remedy} {law}"


def _plain(advice: Advice) -> dict[str, str | int | None]:
    return {
        "severity": str(advice.severity),
        "law": advice.law,
        "file": advice.file,
        "line": advice.line,
        "element": advice.element_id,
        "message": advice.message,
        "remedy": advice.remedy,
    }
