"""Write docs/part11.md: every clause of 21 CFR Part 11, what Lockstep does for it, and the tests that prove it.

``python tools/part11.py`` writes, ``--check`` only compares. Tests name the clauses they prove:
``@pytest.mark.part11("11.70")``. A clause without a test says who keeps the evidence outside of the software.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "part11.md"


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause. subject: what it asks for; answer: what Lockstep does; procedural: who keeps what evidence beside the software."""

    id: str
    subject: str
    answer: str
    procedural: str = ""


CLAUSES = tuple(
    Clause(**given) for given in tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))["clause"]
)


def marked(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Yield (clause, file, test) for every mark, read from the source, so that nothing has to be imported."""
    for path in sorted(folder.rglob("test_*.py")):
        text = path.read_text("utf-8")
        if "mark.part11(" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for clause in _clauses_of(node):
                    yield clause, path.relative_to(ROOT).as_posix(), node.name


def _clauses_of(test: ast.FunctionDef) -> Iterator[str]:
    for mark in test.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.part11":
            yield from (str(ast.literal_eval(argument)) for argument in mark.args)


def proofs() -> dict[str, list[tuple[str, str]]]:
    """Return the tests by the clause they prove."""
    found: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for clause, file, test in marked(ROOT / "tests"):
        found[clause].append((file, test))
    return found


def problems() -> list[str]:
    """Return what does not fit: marks for clauses that do not exist, clauses that nothing proves."""
    found, known = proofs(), {clause.id for clause in CLAUSES}
    unknown = [
        f"{tests[0][0]}: expected a clause of {PAGE.name}, but found {one}"
        for one, tests in found.items()
        if one not in known
    ]
    bare = [
        f"{one.id}: expected a test or a procedure, but there is neither"
        for one in CLAUSES
        if one.id not in found and not one.procedural
    ]
    return sorted(unknown) + bare


def page() -> str:
    """Return the page."""
    found = proofs()
    count = len({test for tests in found.values() for test in tests})
    lines = [
        "# 21 CFR Part 11: what is done, and what proves it",
        "",
        f"Written by `python tools/part11.py` from the marks in the tests: {len(CLAUSES)} clauses, {count} tests. Do not edit it by hand.",
        "",
        "Lockstep is a closed system (11.3(b)(4)). Which records need a signature follows from the predicate rules (ISO 13485 through",
        "21 CFR 820.10, and 820.35); it stands in the diagrams and in the tables of approvals.",
        "",
        "| clause | asks for | what Lockstep does | proved by |",
        "|---|---|---|---|",
    ]
    for one in CLAUSES:
        told = "<br>".join(
            f"[{test.removeprefix('test_').replace('_', ' ')}](../{file})" for file, test in found[one.id]
        )
        kept = f"procedural: evidence kept by {one.procedural}" if one.procedural else ""
        lines.append(f"| {one.id} | {one.subject} | {one.answer} | {'<br>'.join(filter(None, (told, kept)))} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the page, or with --check say whether it is what the tests say."""
    wrong = problems()
    if "--check" in sys.argv[1:]:
        if not PAGE.is_file() or PAGE.read_text("utf-8") != page():
            wrong.append(f"{PAGE.name}: expected what the tests say, but it is not; run python tools/part11.py")
    elif not wrong:
        PAGE.write_text(page(), "utf-8")
    print("\n".join(wrong) or f"{PAGE.name}: {len(CLAUSES)} clauses, each with its proof")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
