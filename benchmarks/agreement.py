"""Measure how well the import finds what the papers of a plant do not agree about.

    python -m benchmarks.agreement ../shared/erp-extract [--plant 60] [--seed 7]

Compares what a dry import reports with the answers that were read out of the extract by hand and frozen before the
detector was written (tests/processes/importing/answers). A report counts as right when document, field and both values
are right. With --plant, so many further mistakes of every kind are written into a copy of the extract first, on orders
that nothing is wrong with, and measured for themselves: the answers and the detector come from one understanding, planted
mistakes test whether it does what it says.
"""

from __future__ import annotations

import argparse
import csv
import random
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from migrations import migrate
from processes.importing import import_folder
from processes.importing.problems import Report, Seen
from tests.clock import SettableClock
from tests.conftest import folders_under
from webapp.wiring import wire

ANSWERS = Path(__file__).parents[1] / "tests/processes/importing/answers/disagreements.csv"
FIELDS = {"supplier": "other_supplier", "operation": "operation_named", "revision": "revision_named"}
"""The words of the answers that differ from those of the report."""
WORDS = {
    "draft": "DRAFT", "quotation": "DRAFT", "finished": "COMPLETE", "done": "COMPLETE", "HT": "HEAT_TREAT",
    "FIN": "SURFACE_FINISH", "MACH": "SUBCONTRACT_MACHINING",
}  # fmt: skip

Rows = list[dict[str, str]]


@dataclass(frozen=True, order=True)
class Fact:
    """One disagreement: what it is about, in native ids, and both values."""

    native_type: str
    native_id: str
    field: str
    ours: str
    theirs: str


@dataclass(frozen=True)
class Score:
    """How reports compare with answers."""

    right: set[Fact]
    missed: set[Fact]
    false: set[Fact]

    @property
    def precision(self) -> float:
        """Right ones among the reported."""
        return len(self.right) / max(1, len(self.right) + len(self.false))

    @property
    def recall(self) -> float:
        """Right ones among the true."""
        return len(self.right) / max(1, len(self.right) + len(self.missed))

    def __str__(self) -> str:
        return (
            f"{len(self.right)} right, {len(self.missed)} missed, {len(self.false)} false alarms: "
            f"precision {self.precision:.3f}, recall {self.recall:.3f}"
        )


def answers() -> set[Fact]:
    """Return the frozen answers in the words of the report."""
    with ANSWERS.open(encoding="utf-8", newline="") as file:
        return {
            Fact(
                row["native_type"].replace(" ", "."), row["native_id"], FIELDS.get(row["field"], row["field"]),
                _said(row["ours"]), _said(row["theirs"]),
            )
            for row in csv.DictReader(file)
        }  # fmt: skip


def reported(seen: Iterable[Seen]) -> set[Fact]:
    """Return what an import reported."""
    return {Fact(*each.native, each.field, each.ours, each.theirs.replace(" (outside)", "")) for each in seen}


def score(found: set[Fact], true: set[Fact]) -> Score:
    """Compare reports with answers."""
    return Score(found & true, true - found, found - true)


def _said(text: str) -> str:
    return " ".join(WORDS.get(word, word) for word in text.split(" "))


def dry_import(folder: Path) -> Report:
    """Return the report of a dry import into an empty database."""
    with tempfile.TemporaryDirectory(prefix="lockstep-agreement-") as name:
        url = f"sqlite:///{name}/empty.db"
        migrate(url)
        house = wire(url, settings=folders_under(Path(name)), clock=SettableClock())
        try:
            return import_folder(house, folder, is_dry=True)
        finally:
            house.database.dispose()


class Planting:
    """Mistakes written into a copy of an extract, one an order, on orders that nothing is wrong with."""

    def __init__(self, folder: Path, spared: set[str], seed: int) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self.files: dict[str, tuple[list[str], Rows]] = {}
        self.orders = {row["lines/id"]: head for head, row in self._lines("purchase.purchase.csv")}
        self.lines = {row["lines/id"]: row for _, row in self._lines("purchase.purchase.csv")}
        self.spared = set(spared)
        self.planted: set[Fact] = set()

    def rows(self, file: str) -> Rows:
        """Return the rows of a file, to be changed in place."""
        if file not in self.files:
            with (self.folder / file).open(encoding="utf-8", newline="") as stream:
                reader = csv.DictReader(stream)
                self.files[file] = (list(reader.fieldnames or ()), list(reader))
        return self.files[file][1]

    def _lines(self, file: str) -> list[tuple[dict[str, str], dict[str, str]]]:
        head: dict[str, str] = {}
        found = []
        for row in self.rows(file):
            head = row if row["id"] else head
            found.append((head, row))
        return found

    def bills(self) -> list[tuple[dict[str, str], dict[str, str]]]:
        """Return (invoice, line) of what suppliers billed once, as ordered or as received."""
        billed: dict[str, int] = {}
        for _, row in self._lines("account.invoice.csv"):
            billed[row["lines/origin/id"]] = billed.get(row["lines/origin/id"], 0) + 1
        return [
            (head, row)
            for head, row in self._lines("account.invoice.csv")
            if head["state"] != "draft" and billed[row["lines/origin/id"]] == 1
        ]

    def moves(self) -> list[tuple[dict[str, str], dict[str, str]]]:
        """Return (shipment, move) of what came."""
        return [
            (head, row) for head, row in self._lines("stock.shipment.in.csv") if row["incoming_moves/state"] == "done"
        ]

    def price(self, head: dict[str, str], row: dict[str, str]) -> Fact:
        """Bill a price that is a tenth too high."""
        line = row["lines/origin/id"]
        row["lines/unit_price"] = f"{Decimal(self.lines[line]['lines/unit_price']) * Decimal('1.1'):.4f}"
        return self._on(line, "invoice_price", self.lines[line]["lines/unit_price"], row["lines/unit_price"])

    def billed(self, head: dict[str, str], row: dict[str, str]) -> Fact:
        """Bill three more than is there."""
        line = row["lines/origin/id"]
        before = Decimal(row["lines/quantity"])
        row["lines/quantity"] = str(before + 3)
        return self._on(line, "invoiced", _plain(before), _plain(before + 3))

    def biller(self, head: dict[str, str], row: dict[str, str]) -> Fact:
        """Let another supplier send the bill."""
        order = self.orders[row["lines/origin/id"]]
        head["party/id"], other = "14", "Redwood Metals Corp."
        return Fact("order", order["id"], "other_supplier", order["party"], other)

    def currency(self, head: dict[str, str], row: dict[str, str]) -> Fact:
        """Bill in another currency."""
        order = self.orders[row["lines/origin/id"]]
        head["currency/code"] = "JPY" if order["currency/code"] != "JPY" else "USD"
        return Fact("order", order["id"], "other_currency", order["currency/code"], head["currency/code"])

    def received(self, head: dict[str, str], row: dict[str, str]) -> Fact:
        """Let seven more arrive than was ordered."""
        line = row["incoming_moves/origin/id"]
        ordered = Decimal(self.lines[line]["lines/quantity"])
        row["incoming_moves/quantity"] = str(ordered + 7)
        return self._on(line, "received", _plain(ordered), _plain(ordered + 7))

    def item(self, head: dict[str, str], row: dict[str, str]) -> Fact:
        """Let another item arrive."""
        line, before = row["incoming_moves/origin/id"], row["incoming_moves/product/code"]
        row["incoming_moves/product/id"], row["incoming_moves/product/code"] = "1", "RM-0103"
        return self._on(line, "other_item", before, "RM-0103")

    def linked(self, head: dict[str, str], row: dict[str, str]) -> Fact:
        """Order an outside operation for five pieces more than its work order has."""
        before = Decimal(row["lines/quantity"])
        row["lines/quantity"] = str(before + 5)
        return self._on(row["lines/id"], "work_order_quantity", _plain(before + 5), _plain(before))

    def named(self, head: dict[str, str], row: dict[str, str]) -> Fact:
        """Name another revision in the text of a line."""
        row["lines/description"] = "As discussed, rev Z per DWG"
        return self._on(row["lines/id"], "revision_named", row["lines/product/code"].rpartition("-")[2], "Z")

    def _on(self, line: str, field: str, ours: str, theirs: str) -> Fact:
        return Fact("order.line", line, field, ours, theirs)

    def plant(self, how_many: int) -> None:
        """Write so many mistakes, of each kind as many as of the others where the extract has room for them."""
        lines = [(head, row) for head, row in self._lines("purchase.purchase.csv") if row["lines/type"] == "line"]
        linked = [each for each in lines if each[1]["lines/production/id"]]
        named = [each for each in lines if re.match(r"P-.*-[A-Z]+$", each[1]["lines/product/code"])]
        billed = [each for each in self.bills() if self._is_whole(each[1])]
        came = [each for each in self.moves() if self._came_whole(each[1])]
        kinds: list[tuple[Callable[[dict[str, str], dict[str, str]], Fact], list[tuple[dict[str, str], dict[str, str]]]]] = [
            (self.price, billed), (self.billed, billed), (self.biller, billed), (self.currency, billed),
            (self.received, came), (self.item, came), (self.linked, linked), (self.named, named),
        ]  # fmt: skip
        while kinds and len(self.planted) < how_many:
            for kind, places in list(kinds):
                free = [each for each in places if self._order_of(each[1]) not in self.spared]
                if not free or len(self.planted) >= how_many:
                    kinds = [each for each in kinds if each[0] != kind] if not free else kinds
                    continue
                head, row = self.random.choice(free)
                self.spared.add(self._order_of(row))
                self.planted.add(kind(head, row))
        self._write()

    def _order_of(self, row: dict[str, str]) -> str:
        for column in ("lines/origin/id", "incoming_moves/origin/id", "lines/id"):
            if row.get(column) in self.orders:
                return self.orders[row[column]]["id"]
        return ""

    def _is_whole(self, row: dict[str, str]) -> bool:
        """Whether a bill is for the whole line: three more are then too many, however it may be billed."""
        line = self.lines[row["lines/origin/id"]]
        party = self.orders[row["lines/origin/id"]]["party/id"]
        return Decimal(row["lines/quantity"]) == Decimal(line["lines/quantity"]) and party != "14"

    def _came_whole(self, row: dict[str, str]) -> bool:
        line = self.lines[row["incoming_moves/origin/id"]]
        whole = Decimal(row["incoming_moves/quantity"]) == Decimal(line["lines/quantity"])
        return whole and row["incoming_moves/product/code"] != "RM-0103"

    def _write(self) -> None:
        for file, (columns, rows) in self.files.items():
            with (self.folder / file).open("w", encoding="utf-8", newline="") as stream:
                writer = csv.DictWriter(stream, columns, lineterminator="\r\n")
                writer.writeheader()
                writer.writerows(rows)


def _plain(quantity: Decimal) -> str:
    return f"{quantity.normalize():f}"


def plant_and_score(folder: Path, how_many: int, *, seed: int, spared: set[str]) -> tuple[set[Fact], Score]:
    """Plant mistakes in a copy and return them with what an import of it reports beyond the frozen answers."""
    with tempfile.TemporaryDirectory(prefix="lockstep-planted-") as name:
        copy = Path(name) / "extract"
        shutil.copytree(folder, copy)
        planting = Planting(copy, spared, seed)
        planting.plant(how_many)
        found = reported(dry_import(copy).disagreements)
        return planting.planted, score(found, planting.planted | answers())


def main() -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--plant", type=int, default=0)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    report = dry_import(given.folder)
    result = score(reported(report.disagreements), answers())
    print(f"frozen answers: {result} ({report.seconds:.1f} s for {sum(report.rows.values()):,} rows)")
    _show(result)
    if given.plant:
        wrong = {seen.document.split("/")[0] for seen in report.disagreements}
        planted, result = plant_and_score(
            given.folder, given.plant, seed=given.seed, spared=_orders(given.folder, wrong)
        )
        print(f"with {len(planted)} planted mistakes, all together: {result}")
        print(f"  planted ones found: {len(result.right & planted)} of {len(planted)}")
        _show(result)


def _orders(folder: Path, numbers: set[str]) -> set[str]:
    """Return the native ids of orders by the numbers the report shows."""
    with (folder / "purchase.purchase.csv").open(encoding="utf-8", newline="") as stream:
        return {
            row["id"] for row in csv.DictReader(stream) if row["number"] in numbers or f"TRYTON-{row['id']}" in numbers
        }


def _show(result: Score) -> None:
    for name, facts in (("missed", result.missed), ("false alarm", result.false)):
        for fact in sorted(facts):
            print(f"  {name}: {fact.native_type} {fact.native_id} {fact.field}: {fact.ours} or {fact.theirs}")


if __name__ == "__main__":
    main()
