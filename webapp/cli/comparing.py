"""``lockstep diff``: what changed between two versions of a diagram, a table or a form, in words."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from engine.definition_tree import compare_files
from engine.redline import Kind
from webapp.cli.house import Exit, as_json, refusals_told, show_json

COLOURS = {Kind.ADDED: "green", Kind.REMOVED: "red"}


@click.command("diff")
@click.argument("old", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("new", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@as_json
@refusals_told
def diff_command(old: Path, new: Path, is_json: bool) -> None:
    """Say what changed from an OLD to a NEW .bpmn, .dmn or .form file, one sentence a difference.

    Elements, rules and fields are told apart by their ids, so one that moved in the file or was drawn elsewhere did not change.
    Exit code 0 when nothing that runs differs, 1 when something does.

    \b
    Example:
      lockstep diff rules/tables/waivers.dmn waivers_next.dmn
      ~ Decision “Waivers” · Rule waivers_blur_quality: max_days was 30, and is now 45.
    """
    found = compare_files((str(old), old.read_bytes()), (str(new), new.read_bytes()))
    told = [one for one in found.differences if one.is_counted]
    if is_json:
        show_json(
            {
                "count": found.count,
                "counts": {kind.value: count for kind, count in found.counts.items()},
                "differences": [
                    {"kind": one.kind.value, "place": one.place, "name": one.label, "old": one.old, "new": one.new,
                     "is_clerical": one.is_clerical, "sentence": one.sentence}
                    for one in told
                ],
            }
        )  # fmt: skip
    else:
        for one in told:
            click.echo(f"{click.style(one.sign, fg=COLOURS.get(one.kind, 'blue'), bold=True)} {one.sentence}")
        click.secho(_summary(found.count, found.counts, is_same=old.read_bytes() == new.read_bytes()), err=True)
    if told:
        sys.exit(Exit.FOUND)


def _summary(count: int, counts: dict[Kind, int], *, is_same: bool) -> str:
    if not count:
        return "The files are the same." if is_same else "Nothing that runs differs; only how it is drawn or written."
    kinds = ", ".join(f"{number} {kind.value}" for kind, number in counts.items())
    return f"{count} difference{'' if count == 1 else 's'}: {kinds}"
