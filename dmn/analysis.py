"""Exact analysis of decision tables: gaps, overlaps, rows that can never decide.

Each column's domain is cut at every constant that the table mentions: into points and the open stretches between them.
A rule is then one bit mask a column, and questions about tables become questions about masks. Cells that mention ``?``,
variables or functions of the moment are opaque: they count as matching nothing where a rule should cover a case, and as
matching everything where two rules might meet, and what is found so is called possible.

Source: D. Calvanese, M. Dumas et al., "Semantics, Analysis and Simplification of DMN Decision Tables" (2018).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dmn.model import Model
from dmn.segments import OPAQUE, Column, Constant, constant_of, cut
from dmn.tables import Rule, Table
from dmn.values import equal

MAX_FINDINGS = 20
_MAX_BOXES = 200
# Segments looked at in one table; beyond it the table is too tangled for an answer within a second or two.
_MAX_WORK = 1_000_000

Box = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TableFinding:
    """One thing that is wrong, or may be, with a table.

    kind: ``gap``, ``overlap``, ``unreachable`` or ``unchecked``. severity: ``error`` (the hit policy will be broken),
    ``warning``, or ``info`` (allowed by the policy, or only possible). rows: 1-based rows concerned. line: in the file.
    """

    decision: str
    kind: str
    severity: str
    rows: tuple[int, ...]
    text: str
    line: int
    source: str

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.severity}: {self.decision}: {self.text}"


def analyse(model: Model, *, limit: int = MAX_FINDINGS) -> list[TableFinding]:
    """Find gaps, overlaps and unreachable rows of all tables of a model, in file order.

    At most ``limit`` findings of each kind are kept for a table; the last of a longer list says how many more there are.
    """
    return [finding for table in model.tables for finding in analyse_table(table, limit=limit)]


def analyse_table(table: Table, *, limit: int = MAX_FINDINGS) -> list[TableFinding]:
    """Analyse one table."""
    if not table.rules:
        return [
            _finding(table, "gap", "warning", (), "Expected at least one rule, but the table has none", table.at.line)
        ]
    shape = Shape(table)
    findings: list[TableFinding] = []
    for found in (shape.impossible(), shape.unreachable(), shape.overlaps(), shape.gaps()):
        findings += _capped(table, found, limit)
    return sorted(findings, key=lambda finding: finding.line)


def _capped(table: Table, found: Iterator[TableFinding], limit: int) -> list[TableFinding]:
    kept: list[TableFinding] = []
    more = 0
    for finding in found:
        if len(kept) < limit:
            kept.append(finding)
        else:
            more += 1
    if more:
        kind, severity, line = kept[-1].kind, kept[-1].severity, kept[-1].line
        kept.append(_finding(table, kind, severity, (), f"{more} more of the kind {kind} are not listed", line))
    return kept


def _finding(table: Table, kind: str, severity: str, rows: tuple[int, ...], text: str, line: int) -> TableFinding:
    return TableFinding(table.decision, kind, severity, rows, text, line, table.source)


class Tangled(Exception):
    """The table has more distinct cases than the analysis is willing to follow."""


class Shape:
    """A table as masks. ``covers``: what a rule's cell matches for certain; ``may``: what it might match."""

    def __init__(self, table: Table) -> None:
        self.table = table
        cells = [[rule.cells[index] for rule in table.rules] for index in range(len(table.inputs))]
        self.columns: list[Column] = [cut(column, tests) for column, tests in zip(table.inputs, cells, strict=True)]
        self.covers: list[Box] = []
        self.may: list[Box] = []
        for index in range(len(table.rules)):
            masks = [column.masks[index] for column in self.columns]
            self.covers.append(
                tuple(certain & column.domain for (certain, _), column in zip(masks, self.columns, strict=True))
            )
            self.may.append(
                tuple(possible & column.domain for (_, possible), column in zip(masks, self.columns, strict=True))
            )
        self.full: Box = tuple(column.domain for column in self.columns)
        # For each column and segment: the set of rules (as bits) that cover it for certain.
        self.active = [
            [
                sum(1 << rule for rule, box in enumerate(self.covers) if box[number] >> segment & 1)
                for segment in range(len(column.segments))
            ]
            for number, column in enumerate(self.columns)
        ]
        self.answers = [_constants(rule) for rule in table.rules]
        self.worked = 0

    # Rows

    def impossible(self) -> Iterator[TableFinding]:
        """Rows with a cell that no allowed value passes."""
        for rule, box in zip(self.table.rules, self.may, strict=True):
            empty = [column for column, mask in zip(self.columns, box, strict=True) if mask == 0]
            if empty:
                text = f"Expected row {rule.row} to match something, but no value of {empty[0].label} passes its cell"
                yield _finding(self.table, "unreachable", "warning", (rule.row,), text, rule.at.line)

    def unreachable(self) -> Iterator[TableFinding]:
        """Under FIRST and PRIORITY: rows whose every case is decided by rows that come before them."""
        if self.table.policy not in "FP":
            return
        try:
            yield from self._hidden()
        except Tangled:
            yield self._unchecked("unreachable rows")

    def _hidden(self) -> Iterator[TableFinding]:
        for index, rule in enumerate(self.table.rules):
            if not all(self.may[index]):
                continue
            above = self._above(index)
            if above and not self._has_gap(self.may[index], above):
                rows = self._needed(self.may[index], above)
                names = ", ".join(str(row) for row in rows)
                text = f"Expected row {rule.row} to decide some case, but row{'s' if len(rows) > 1 else ''} {names} decide all of them"
                yield _finding(self.table, "unreachable", "warning", (rule.row, *rows), text, rule.at.line)

    def _above(self, index: int) -> int:
        """Return the rules that win over a rule, as bits."""
        if self.table.policy == "F":
            return (1 << index) - 1
        ranks = self._ranks()
        if ranks is None:
            return 0
        return sum(1 << other for other, rank in enumerate(ranks) if rank < ranks[index])

    def _ranks(self) -> list[list[int]] | None:
        """Return each rule's priority, the best first; None where outputs or priorities are not constant."""
        orders = [
            [constant_of(node) for node in column.allowed.tests] if column.allowed else []
            for column in self.table.outputs
        ]
        ranks: list[list[int]] = []
        for answers in self.answers:
            rank = []
            for answer, listed in zip(answers, orders, strict=True):
                if answer is OPAQUE:
                    return None
                rank.append(next((i for i, other in enumerate(listed) if _same(answer, other) is True), len(listed)))
            ranks.append(rank)
        return ranks

    def _needed(self, box: Box, above: int) -> list[int]:
        """Drop the rules that are not needed to cover a box, and return the rows of those that are."""
        for index in range(len(self.table.rules)):
            if above >> index & 1 and not self._has_gap(box, above & ~(1 << index)):
                above &= ~(1 << index)
        return [rule.row for index, rule in enumerate(self.table.rules) if above >> index & 1]

    def _has_gap(self, box: Box, rules: int) -> bool:
        """Tell whether some case of a box is covered by none of the rules. Raises Tangled."""
        rules = sum(1 << index for index in _bits(rules) if _meet(box, self.covers[index]) is not None)
        whole = self._covering_the_rest(box, rules)
        known: dict[tuple[int, int], bool] = {}

        def open_at(number: int, active: int) -> bool:
            if active == 0:
                return True
            if active & whole[number]:
                return False
            key = (number, active)
            if key not in known:
                sets = self.active[number]
                segments = _bits(box[number])
                self._work(len(segments))
                following = {active & sets[segment] for segment in segments}
                known[key] = any(open_at(number + 1, rest) for rest in following)
            return known[key]

        return open_at(0, rules)

    def _covering_the_rest(self, box: Box, rules: int) -> list[int]:
        """Return, for each column, the rules that cover a box in that column and in all that follow."""
        whole = [rules]
        for number in reversed(range(len(self.columns))):
            mask = box[number]
            covering = sum(1 << index for index in _bits(whole[-1]) if self.covers[index][number] & mask == mask)
            whole.append(covering)
        return whole[::-1]

    def _work(self, amount: int) -> None:
        self.worked += amount
        if self.worked > _MAX_WORK:
            raise Tangled

    def _unchecked(self, what: str) -> TableFinding:
        text = f"Expected a table simple enough to look for {what}, but it has too many distinct cases"
        return _finding(self.table, "unchecked", "info", (), text, self.table.at.line)

    # Overlaps

    def overlaps(self) -> Iterator[TableFinding]:
        """Pairs of rows that match the same case where the hit policy minds."""
        if self.table.policy not in "UAFP":
            return
        rules = self.table.rules
        for second in range(1, len(rules)):
            for first in range(second):
                finding = self._overlap(first, second)
                if finding is not None:
                    yield finding

    def _overlap(self, first: int, second: int) -> TableFinding | None:
        witness = _meet(self.may[first], self.may[second])
        if witness is None:
            return None
        certain = _meet(self.covers[first], self.covers[second])
        severity = self._severity(first, second, certain is not None)
        if severity is None:
            return None
        one, other = self.table.rules[first], self.table.rules[second]
        verb = "both match" if certain is not None else "may both match"
        expected = {
            "U": "Expected at most one rule to match",
            "A": "Expected rows that match together to answer the same",
        }.get(self.table.policy, "Expected each case in one row")
        text = f"{expected}, but rows {one.row} and {other.row} {verb} {self._words(certain or witness)}"
        return _finding(self.table, "overlap", severity, (one.row, other.row), text, other.at.line)

    def _severity(self, first: int, second: int, is_certain: bool) -> str | None:
        if self.table.policy in "FP":
            return "info"
        if self.table.policy == "A":
            same = self._same_answers(first, second)
            if same is True:
                return None
            return "error" if is_certain and same is False else "warning"
        return "error" if is_certain else "info"

    def _same_answers(self, first: int, second: int) -> bool | None:
        pairs = zip(self.answers[first], self.answers[second], strict=True)
        verdicts = [_same(one, other) for one, other in pairs]
        if any(verdict is False for verdict in verdicts):
            return False
        return None if any(verdict is None for verdict in verdicts) else True

    # Gaps

    def gaps(self) -> Iterator[TableFinding]:
        """Cases that no row matches, where the hit policy promises one answer and no default is given."""
        if self.table.policy not in "UAFP" or any(column.default for column in self.table.outputs):
            return
        try:
            boxes = self._uncovered()
        except Tangled:
            yield self._unchecked("gaps")
            return
        for box in boxes:
            possible = [
                rule.row for rule, may in zip(self.table.rules, self.may, strict=True) if _meet(box, may) is not None
            ]
            severity = "info" if possible or self._only_other_texts(box) else "warning"
            words = self._words(box)
            text = f"Expected a rule for every case, but none matches {words}"
            if possible:
                text = f"Expected a rule for every case, but only row {possible[0]} might match {words}"
            yield _finding(self.table, "gap", severity, tuple(possible), text, self.table.at.line)

    def _uncovered(self) -> list[Box]:
        """Return disjoint boxes of the cases that no rule covers for certain. Raises Tangled."""
        everyone = (1 << len(self.table.rules)) - 1
        whole = self._covering_the_rest(self.full, everyone)
        known: dict[tuple[int, int], list[Box]] = {}

        def search(number: int, active: int) -> list[Box]:
            if active == 0:
                return [self.full[number:]]
            if active & whole[number]:
                return []
            key = (number, active)
            if key not in known:
                groups: dict[int, int] = {}
                segments = _bits(self.full[number])
                self._work(len(segments))
                for segment in segments:
                    rules = active & self.active[number][segment]
                    groups[rules] = groups.get(rules, 0) | 1 << segment
                boxes = [(mask, *rest) for rules, mask in groups.items() for rest in search(number + 1, rules)]
                known[key] = boxes[:_MAX_BOXES]
            return known[key]

        return search(0, everyone)

    def _only_other_texts(self, box: Box) -> bool:
        """Tell whether a gap exists only because a column of texts does not say which texts are allowed."""
        return any(column.is_other(mask) for column, mask in zip(self.columns, box, strict=True))

    def _words(self, box: Box) -> str:
        parts = [column.words(mask) for column, mask in zip(self.columns, box, strict=True) if mask != column.domain]
        return ", ".join(parts) or "every case"


def _bits(mask: int) -> list[int]:
    return [index for index in range(mask.bit_length()) if mask >> index & 1]


def _meet(one: Box, other: Box) -> Box | None:
    # Called for every pair of rows: most pairs part in the first column.
    met = []
    for left, right in zip(one, other, strict=True):
        both = left & right
        if not both:
            return None
        met.append(both)
    return tuple(met)


def _constants(rule: Rule) -> list[Constant]:
    return [constant_of(node) if node is not None else OPAQUE for node in rule.output_nodes]


def _same(one: Constant, other: Constant) -> bool | None:
    if one is OPAQUE or other is OPAQUE:
        return None
    return equal(one, other) is True
