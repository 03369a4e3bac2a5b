"""Redlines: what differs between two trees, and the proof that the differences make the one out of the other."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.comparison import apply, compare
from engine.redline import Difference, Field, Kind, Redline, Row, Shape
from engine.wording import Piece, in_words


def line(key: str, identity: str | None = None, rows: tuple[Row, ...] = (), **values: str | None) -> Row:
    return Row(key, "Line", {name: Field(name, text) for name, text in values.items()}, rows, identity)


def sheet(*rows: Row, **values: str | None) -> Row:
    return Row("PO-1", fields={name: Field(name, text) for name, text in values.items()}, rows=rows)


def told(redline: Redline) -> list[tuple[str, str, str | None, str | None]]:
    return [(f"{one.kind} {one.place}", one.name, one.old, one.new) for one in redline.differences]


texts = st.sampled_from(["", "5", "6", "anneal", "anneal at 845 °C", None])
fields = st.dictionaries(st.sampled_from("abc"), texts.map(lambda text: Field("value", text)), max_size=3)
keys = st.sampled_from("123456789")


@st.composite
def rows(draw: st.DrawFn, depth: int = 2, with_identity: bool | None = None) -> Row:
    has_identity = draw(st.booleans()) if with_identity is None else with_identity
    below: list[Row] = []
    if depth:
        drawn = draw(st.lists(rows(depth - 1, has_identity), max_size=5, unique_by=(lambda row: row.handle)))
        below = drawn
    key = draw(keys)
    identity = draw(st.sampled_from("pqrstuvwx")) if has_identity else None
    return Row(key, "Line", draw(fields), tuple(below), identity)


@st.composite
def versions(draw: st.DrawFn) -> tuple[Row, Row]:
    """Return a tree and what somebody made of it: rows taken out, put in, moved, called otherwise, values changed."""
    with_identity = draw(st.booleans())
    old = draw(rows(2, with_identity))
    kept = [row for row in old.rows if draw(st.booleans())]
    shuffled = draw(st.permutations(kept))
    extra = draw(st.lists(rows(1, with_identity), max_size=3))
    changed = [
        Row(draw(keys) if with_identity else row.key, row.kind, draw(st.sampled_from([row.fields, draw(fields)])), row.rows, row.identity)
        for row in shuffled
    ]  # fmt: skip
    unique = {row.handle: row for row in [*changed, *extra]}
    return old, Row(old.key, old.kind, draw(fields), tuple(unique.values()), old.identity)


@settings(max_examples=150)
@given(versions())
def test_the_differences_applied_to_the_old_version_make_the_new_one(pair: tuple[Row, Row]):
    old, new = pair
    assert apply(old, compare(old, new).differences).content == new.content


@settings(max_examples=60)
@given(rows(), rows())
def test_two_versions_that_have_nothing_to_do_with_each_other_are_told_as_well(old: Row, new: Row):
    made = apply(old, compare(old, new).differences)
    assert (made.rows, {name: one.value for name, one in made.fields.items() if one.value}) == (
        new.rows,
        {name: one.value for name, one in new.fields.items() if one.value},
    ) or made.content == Row(old.key, new.kind, new.fields, new.rows).content


@settings(max_examples=60)
@given(rows(), st.randoms(use_true_random=False))
def test_rows_in_another_order_have_moved_and_were_neither_added_nor_removed(old: Row, chance):
    shuffled = list(old.rows)
    chance.shuffle(shuffled)
    found = compare(old, Row(old.key, old.kind, old.fields, tuple(shuffled), old.identity))
    assert {one.kind for one in found.differences} <= {Kind.MOVED}
    assert found.count < max(1, len(old.rows))


@settings(max_examples=40)
@given(rows())
def test_a_version_differs_in_nothing_from_itself(tree: Row):
    assert compare(tree, tree).differences == ()


def test_a_row_that_moved_to_the_front_is_the_only_one_that_moved():
    old = sheet(*[line(str(number), a=str(number)) for number in range(1, 8)])
    new = sheet(old.rows[6], *old.rows[:6])
    assert told(compare(old, new)) == [("moved Line 7", "", "place 7", "place 1")]


def test_added_removed_and_changed_are_counted_one_by_attribute():
    old = sheet(line("1", quantity="230", price="42.5"), line("2", quantity="1"), terms="NET30")
    new = sheet(line("1", quantity="235", price="42.5"), line("3", quantity="7"), terms="NET45", place="Hamburg")
    found = compare(old, new)
    assert told(found) == [
        ("changed Header", "terms", "NET30", "NET45"),
        ("added Header", "place", None, "Hamburg"),
        ("changed Line 1", "quantity", "230", "235"),
        ("removed Line 2", "", "quantity 1", None),
        ("added Line 3", "", None, "quantity 7"),
    ]
    assert (found.count, found.counts) == (5, {Kind.ADDED: 2, Kind.REMOVED: 1, Kind.CHANGED: 2})
    assert [(group.place, group.count) for group in found.groups] == [
        ("Header", 2), ("Line 1", 1), ("Line 2", 1), ("Line 3", 1),
    ]  # fmt: skip


def test_a_row_of_which_only_a_child_changed_is_shown_and_not_counted():
    old = sheet(line("1", rows=(line("1.1", a="5"),), a="1"))
    new = sheet(line("1", rows=(line("1.1", a="6"),), a="1"))
    found = compare(old, new)
    assert told(found) == [("indirect Line 1", "", None, None), ("changed Line 1 · Line 1.1", "a", "5", "6")]
    assert found.count == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [(line("2", "x", a="5"), line("7", "x", a="5")), (line("2", a="5"), line("7", a="5"))],
    ids=["by identity", "by equal content"],
)
def test_a_row_whose_key_alone_changed_is_renamed(old: Row, new: Row):
    assert told(compare(sheet(old), sheet(new))) == [("renamed Line 7", "", "Line 2", "Line 7")]


def test_a_row_of_another_identity_is_another_row_even_when_it_says_the_same():
    found = compare(sheet(line("1", "x", a="5")), sheet(line("1", "y", a="5")))
    assert [one.kind for one in found.differences] == [Kind.REMOVED, Kind.ADDED]


def test_two_rows_of_one_key_are_no_version():
    with pytest.raises(ValueError, match="Expected every row of PO-1 once, but 1 is there twice"):
        sheet(line("1", a="1"), line("1", a="2"))


def test_a_number_tells_how_much_it_rose_unless_its_unit_changed():
    def of(text: str, unit: str) -> Row:
        return sheet(Row("1", "Line", {"quantity": Field("quantity", text, Shape.NUMBER, unit)}))

    (rise,) = compare(of("230.000000", "EA"), of("235.000000", "EA")).differences
    assert (rise.delta, rise.unit) == (Decimal("5.000000"), "EA")
    (other,) = compare(of("230.000000", "EA"), of("230.000000", "KG")).differences
    assert (other.delta, other.was_unit, other.unit) == (None, "EA", "KG")


@pytest.mark.parametrize(
    ("old", "new", "is_clerical"),
    [
        ("Anneal at 845 °C, 60 min.", "Anneal  at 845 °C  60 min", True),
        ("Anneal at 845 °C", "Anneal at 84.5 °C", False),
        ("Anneal at 845 °C", "Anneal at -845 °C", False),
        ("limit < 5", "limit > 5", False),
        ("5 - 3", "5 + 3", False),
        ("as drawn", "as redrawn", False),
        ("at 5 mW", "at 5 MW", False),
        ("rate 5 %", "rate 5", False),
    ],
)
def test_only_spacing_and_marks_at_the_ends_of_words_are_clerical(old: str, new: str, is_clerical: bool):
    def of(text: str) -> Row:
        return sheet(Row("1", fields={"text": Field("text", text, Shape.TEXT)}))

    (found,) = compare(of(old), of(new)).differences
    assert found.is_clerical is is_clerical


def test_a_tick_falls_when_the_line_says_another_thing():
    def groups(quantity: str) -> list[str]:
        return [one.hash for one in compare(sheet(line("1", quantity="1")), sheet(line("1", quantity=quantity))).groups]

    assert groups("2") == groups("2")
    assert groups("2") != groups("3")


@settings(max_examples=60)
@given(st.text(alphabet="ab 1.,\n", max_size=60), st.text(alphabet="ab 1.,\n", max_size=60))
def test_the_pieces_of_a_text_are_the_old_and_the_new_one(old: str, new: str):
    pieces = in_words(old, new)
    assert "".join(one.text for one in pieces if one.kind is not Kind.ADDED) == old
    assert "".join(one.text for one in pieces if one.kind is not Kind.REMOVED) == new


def test_a_text_is_compared_word_by_word():
    assert in_words("anneal at 845 °C for 60 min", "anneal at 860 °C for 60 min") == [
        Piece(None, "anneal at "), Piece(Kind.REMOVED, "845"), Piece(Kind.ADDED, "860"), Piece(None, " °C for 60 min"),
    ]  # fmt: skip


def test_words_in_a_row_are_told_as_one_replacement():
    assert in_words("It stands either way, as said.", "It stands in any case, as said.") == [
        Piece(None, "It stands "), Piece(Kind.REMOVED, "either way"), Piece(Kind.ADDED, "in any case"), Piece(None, ", as said."),
    ]  # fmt: skip


def test_a_decimal_is_one_word():
    assert Piece(Kind.REMOVED, "42.5000") in in_words("price 42.5000 each", "price 42.7500 each")


def test_texts_that_share_little_are_told_whole():
    assert in_words("grind to size", "see drawing D-7") == [
        Piece(Kind.REMOVED, "grind to size"), Piece(Kind.ADDED, "see drawing D-7"),
    ]  # fmt: skip


def test_long_texts_are_compared_in_bounded_time():
    old = " ".join(f"word{number}" for number in range(30_000))
    pieces = in_words(old, old.replace("word15000 ", "other "))
    assert "".join(one.text for one in pieces if one.kind is not Kind.ADDED) == old


def test_a_difference_says_which_values_came_and_went():
    assert Difference(Kind.CHANGED, ("1",), "Line 1", "quantity", "quantity", "5", "6").key == "1/quantity"
