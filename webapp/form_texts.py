"""Texts of forms: FEEL templates (``{{name}}``, ``{{#if …}}``, ``{{#loop …}}``) filled in, and their Markdown as safe HTML."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from webapp.formats import bound

Evaluate = Callable[[str, Mapping[str, Any]], Any]
Write = Callable[[Any], str]

TAG = re.compile(r"\{\{\s*(#if|#loop|/if|/loop)?\s*(.*?)\s*\}\}", re.DOTALL)
MOST_ROWS = 200
HEADING = re.compile(r"(#{1,4}) +(.+)")
ROW = re.compile(r"\|(.*)\|")
RULE = re.compile(r"[\s|:-]+")
QUOTE = re.compile(r"> ?(.*)")
BULLET = re.compile(r"[-*] +(.+)")
BOLD = re.compile(r"\*\*(.+?)\*\*")
CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class _Filling:
    evaluate: Evaluate
    write: Write


def fill(text: str, evaluate: Evaluate, names: Mapping[str, Any], write: Write = str) -> str:
    """Return a template's text over names. write: puts a value into words. A block never closed runs to the end."""
    tokens = list(_tokens(text))
    return "".join(_fill(tokens, 0, len(tokens), _Filling(evaluate, write), names))


def markdown(text: str) -> Markup:
    """Return headings, bullets, quotes, tables, bold, code and paragraphs as HTML; everything else is shown as it is, escaped."""
    html: list[str] = []
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = [line.strip() for line in block.splitlines() if line.strip()]
        is_table = len(lines) > 1 and all(ROW.fullmatch(line) for line in lines)
        html += _table(lines) if is_table else _blocks(lines)
    # A loop leaves a block a bullet: they are one list, also to whoever hears it read.
    return Markup("\n".join(html).replace("</ul>\n<ul>", ""))  # noqa: S704  # every piece went through escape in _inline


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """Yield (kind, content): ``text``, ``value``, ``#if``, ``#loop``, ``/if``, ``/loop``."""
    position = 0
    for tag in TAG.finditer(text):
        if tag.start() > position:
            yield "text", text[position : tag.start()]
        yield tag[1] or "value", tag[2]
        position = tag.end()
    if position < len(text):
        yield "text", text[position:]


def _fill(
    tokens: list[tuple[str, str]], start: int, end: int, how: _Filling, names: Mapping[str, Any]
) -> Iterator[str]:
    position = start
    while position < end:
        kind, content = tokens[position]
        if kind == "text":
            yield content
        elif kind == "value":
            value = how.evaluate(content, names)
            yield "" if value is None else how.write(value)
        elif kind in ("#if", "#loop"):
            close = _close(tokens, position, end)
            for inner in _scopes(kind, how.evaluate(content, names), names):
                yield from _fill(tokens, position + 1, close, how, inner)
            position = close
        position += 1


def _close(tokens: list[tuple[str, str]], position: int, end: int) -> int:
    depth = 0
    for index in range(position, end):
        kind = tokens[index][0]
        depth += kind.startswith("#") - kind.startswith("/")
        if depth == 0:
            return index
    return end


def _scopes(kind: str, value: Any, names: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if kind == "#if":
        if value not in (None, False, "", []):
            yield names
        return
    for item in list(value or [])[:MOST_ROWS]:
        yield {**names, **(item if isinstance(item, Mapping) else {}), "this": item, "parent": names}


def _table(lines: list[str]) -> Iterator[str]:
    """Yield a table; the row of dashes under the heads says on which side each column stands."""
    rule = next((line for line in lines if RULE.fullmatch(line)), "")
    sides = [cell.strip().endswith(":") for cell in rule.strip("|").split("|")]
    yield '<table class="table">'
    for number, line in enumerate(line for line in lines if line != rule):
        mark = "th" if rule and number == 0 else "td"
        cells = (cell.strip() for cell in line[1:-1].split("|"))
        ends = (' class="end"' if index < len(sides) and sides[index] else "" for index in range(line.count("|")))
        yield (
            "<tr>"
            + "".join(f"<{mark}{end}>{_inline(cell)}</{mark}>" for cell, end in zip(cells, ends, strict=False))
            + "</tr>"
        )
    yield "</table>"


def _blocks(lines: list[str]) -> Iterator[str]:
    paragraph: list[str] = []
    bullets: list[str] = []
    for line in [*lines, ""]:
        bullet = BULLET.fullmatch(line)
        heading = HEADING.fullmatch(line)
        quote = QUOTE.fullmatch(line)
        if bullets and not bullet:
            yield "<ul>" + "".join(f"<li>{_inline(one)}</li>" for one in bullets) + "</ul>"
            bullets = []
        if paragraph and (bullet or heading or quote or not line):
            yield "<p>" + "<br>".join(map(_inline, paragraph)) + "</p>"
            paragraph = []
        if bullet:
            bullets.append(bullet[1])
        elif heading:
            # The page has its own h1.
            level = max(len(heading[1]), 2)
            yield f"<h{level}>{_inline(heading[2])}</h{level}>"
        elif quote:
            yield f'<blockquote class="said">{_inline(quote[1])}</blockquote>'
        elif line:
            paragraph.append(line)


def _inline(text: str) -> str:
    safe = str(bound(text))
    return CODE.sub(r"<code>\1</code>", BOLD.sub(r"<strong>\1</strong>", safe))
