"""Two people in one draft: what the later one typed beside what the other kept meanwhile, field by field, so that nothing is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.errors import Conflict
from webapp.formats import words

CODE = "EDITED_MEANWHILE"
"""The code of the refusal of a draft that somebody else kept since it was opened."""
NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Sides:
    """One field that the two have differently. place: the line, or empty for the head of the document."""

    place: str
    label: str
    yours: str
    theirs: str


def of_fields(yours: Mapping[str, str], theirs: Mapping[str, str], *, place: str = "") -> list[Sides]:
    """Return the fields that differ. An empty value is said as ``nothing``."""
    return [
        Sides(place, words(name), yours.get(name, "").strip() or NOTHING, theirs.get(name, "").strip() or NOTHING)
        for name in theirs
        if name != "id" and yours.get(name, "").strip() != theirs[name].strip()
    ]


def of_lines(yours: Sequence[Mapping[str, str]], theirs: Sequence[Mapping[str, str]]) -> list[Sides]:
    """Return the fields of lines that differ, lines that only one of the two has included. Lines meet by their ``id``."""
    found: list[Sides] = []
    mine = {line["id"]: line for line in yours if line.get("id")}
    for number, line in enumerate(theirs, start=1):
        place = f"Line {number}"
        if line["id"] in mine:
            found += of_fields(mine[line["id"]], line, place=place)
        else:
            found.append(Sides(place, "The whole line", NOTHING, _said(line)))
    kept = {line["id"] for line in theirs}
    for number, line in enumerate(yours, start=1):
        if line.get("id") not in kept:
            found.append(Sides(f"Your line {number}", "The whole line", _said(line), NOTHING))
    return found


def refuse_meanwhile(form: Mapping[str, str], kept: Mapping[str, str], number: str) -> None:
    """Refuse values that were typed over others than those that are kept now, unless both are the same.

    form: with ``was_<name>`` for what each field showed when the page was opened; a caller who sends none has seen none.
    Raises: Conflict EDITED_MEANWHILE.
    """
    moved = [name for name, value in kept.items() if form.get(f"was_{name}", value).strip() != value.strip()]
    if any(form.get(name, "").strip() != kept[name].strip() for name in moved):
        raise Conflict(
            f"Expected {number} as you opened it, but it was changed meanwhile. Your text is still here, beside theirs.",
            code=CODE,
        )


def _said(line: Mapping[str, str]) -> str:
    return ", ".join(value for name, value in line.items() if name != "id" and value.strip())
