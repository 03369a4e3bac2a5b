"""The mapping file says which column feeds what; a wrong one is refused with everything that is wrong in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import Invalid
from processes.importing.mapping import SHIPPED, read_mapping
from processes.importing.parts import members


def test_the_shipped_mapping_is_whole() -> None:
    mapping = read_mapping()
    assert mapping["orders.lines"].column("unit_price") == "lines/unit_price"
    assert mapping.choose("processes", "SV-NDT-15")["code"] == "NDT"
    assert mapping.choose("processes", "SV-CON-25") == {}


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('system = "TRYTON"', "", "system"),
        (
            'supplier = "party/id", currency = "currency/code", payment_term',
            'currency = "currency/code", payment_term',
            "orders.supplier",
        ),
        ('number = "number", revision', 'nummer = "number", revision', "orders.nummer"),
        ("[units]", "[unitz]", "unitz"),
        ("'^SV-HT-'", "'^SV-HT-('", "processes[1]"),
        ("[order_states]", "[order_states]\nodd = 5", "order_states"),
        ('file = "purchase.request.csv"', "", "requests"),
        ('file = "production.csv"', "", "work_orders"),
        ('order_line = "incoming_moves/origin/id", product', "product", "receipts.moves.order_line"),
        ("[receipt_states]", "[receipt_stages]", "receipt_states"),
        ("[billing]", "[bills]", "billing"),
        (r"'^Finish \(outside", "'^Finish ((outside", "operations[2]"),
    ],
)
def test_a_wrong_mapping_is_refused_and_named(tmp_path: Path, old: str, new: str, place: str) -> None:
    text = SHIPPED.read_text("utf-8")
    assert old in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(Invalid) as refusal:
        read_mapping(path)
    assert place in refusal.value.fields


def test_what_follows_an_order_may_be_left_out_with_its_words(tmp_path: Path) -> None:
    text = SHIPPED.read_text("utf-8").partition("[work_orders]\n")[0]
    for words in ("work_order", "operation", "move", "receipt", "invoice", "amendment"):
        before, _, after = text.partition(f"[{words}_states]")
        text = before + "[" + after.partition("\n[")[2]
    path = tmp_path / "mine.toml"
    path.write_text(text, "utf-8")
    mapping = read_mapping(path)
    assert "orders" in mapping.sections
    assert not {"work_orders", "receipts", "lots", "invoices", "amendments"} & mapping.sections.keys()
    assert "receipt_states" not in mapping.words


@pytest.mark.parametrize(
    "content", ["[", "system = \ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace")]
)
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(content, "utf-8")
    with pytest.raises(Invalid, match="readable TOML"):
        read_mapping(path)


def test_a_comma_inside_a_member_of_a_list_is_escaped() -> None:
    assert members("Rivet\\, solid,Pin") == ["Rivet, solid", "Pin"]
    assert members("") == []
