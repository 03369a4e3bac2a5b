"""What README and docs name is there: pages, files, decisions under their titles, commands with their options, addresses, tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from webapp.api import door
from webapp.cli import COMMANDS, main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#]+)")
COMMAND = re.compile(r"(?:^|`|/bin/)lockstep ((?:[a-z][a-z-]*|--[a-z-]+(?:[ =]\S+)?)[^`\n#|>]*)", re.MULTILINE)
ADDRESS = re.compile(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`\s?]*)")
PLACE = re.compile(r"\{[^}]*\}|<[^>]*>")
TEST = re.compile(r"::(test_\w+[a-z])`")
INDEX = re.compile(r"\| \[\d+\]\((\d{4}-[^)]+)\) \| (.+?) \|")


def named(pattern: re.Pattern[str]) -> Iterator[tuple[str, re.Match[str]]]:
    for page in PAGES:
        for match in pattern.finditer(page.read_text("utf-8")):
            yield str(page.relative_to(ROOT)), match


def test_every_link_leads_to_a_page_or_a_file() -> None:
    assert [
        (page, found[1]) for page, found in named(LINK) if not (ROOT / page).parent.joinpath(found[1]).exists()
    ] == []


def test_every_decision_stands_in_the_index_under_its_own_title() -> None:
    folder = ROOT / "docs" / "decisions"
    written = {page.name: page.read_text("utf-8").partition("\n")[0][7:] for page in sorted(folder.glob("0*.md"))}
    assert dict(INDEX.findall((folder / "README.md").read_text("utf-8"))) == written


def _command(words: list[str]) -> tuple[click.Command | None, list[str]]:
    """Return the command that words name, None when there is none, and the words behind it."""
    command: click.Command | None = main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        command, words = command.get_command(click.Context(command), words[0]), words[1:]
    return command, words


def test_every_command_exists_with_its_options() -> None:
    wrong, seen = [], set()
    for page, found in named(COMMAND):
        words = re.sub(r"--database \S+ ?", "", found[1]).replace(",", " ").split()
        if not words or words[0] == "--help":
            continue
        command, rest = _command(words)
        if command is None:
            wrong.append((page, found[1]))
            continue
        seen.add(words[0])
        known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help"}
        more = {word.partition("=")[0].strip("[]") for word in rest if word.strip("[").startswith("--")}
        wrong += [(page, found[1], option) for option in more - known]
    assert wrong == []
    assert len(seen) > len(COMMANDS) / 2


def test_every_address_of_the_api_is_one() -> None:
    known = {(one.method, PLACE.sub("{}", one.path)) for one in door.ENDPOINTS}
    asked = [(page, found[1], PLACE.sub("{}", found[2].removeprefix("/api/v1"))) for page, found in named(ADDRESS)]
    assert [one for one in asked if one[1:] not in known] == []
    assert len(asked) > 10


def test_every_test_that_is_named_is_there() -> None:
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))
    }
    assert [(page, found[1]) for page, found in named(TEST) if found[1] not in there] == []
