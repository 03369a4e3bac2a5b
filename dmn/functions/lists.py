"""Lists: DMN 1.5, 10.3.4.4."""

from __future__ import annotations

from decimal import Decimal
from functools import cmp_to_key

from dmn.budget import Run
from dmn.functions.registry import built_in, open_built_in
from dmn.operators import integer_of
from dmn.values import Function, NullResult, Value, compare, describe, equal


@built_in("list contains(list: list, element: any?)")
def list_contains(run: Run, items: list[Value], element: Value) -> Value:
    """Tell whether a list has an element equal to a value."""
    run.spend(len(items))
    return any(equal(item, element, run) is True for item in items)


@built_in("count(list: list)", variadic=True)
def count(run: Run, items: list[Value]) -> Value:
    """Count the elements."""
    return Decimal(len(items))


def _extreme(items: list[Value], sign: int, what: str) -> Value:
    if not items:
        raise NullResult(f"Expected at least one element for {what}, but the list is empty")
    best = items[0]
    if len(items) == 1 and compare(best, best) is None:
        raise NullResult(f"Expected values that can be ordered for {what}, but got {describe(best)}")
    for item in items[1:]:
        order = compare(item, best)
        if order is None:
            raise NullResult(f"Expected values of one ordered kind for {what}, but got {describe(item)}")
        if order * sign > 0:
            best = item
    return best


@built_in("min(list: list)", variadic=True)
def minimum(run: Run, items: list[Value]) -> Value:
    """Return the least element."""
    run.spend(len(items))
    return _extreme(items, -1, "min")


@built_in("max(list: list)", variadic=True)
def maximum(run: Run, items: list[Value]) -> Value:
    """Return the greatest element."""
    run.spend(len(items))
    return _extreme(items, 1, "max")


def _decided(items: list[Value], decisive: bool) -> bool | None:
    if any(item is decisive for item in items):
        return decisive
    if any(type(item) is not bool for item in items):
        return None
    return not decisive


@built_in("all(list: list)", variadic=True)
def all_true(run: Run, items: list[Value]) -> Value:
    """Tell whether all elements are true; null where one is no boolean and none is false."""
    run.spend(len(items))
    return _decided(items, False)


@built_in("any(list: list)", variadic=True)
def any_true(run: Run, items: list[Value]) -> Value:
    """Tell whether some element is true; null where one is no boolean and none is true."""
    run.spend(len(items))
    return _decided(items, True)


@built_in("sublist(list: list, start position: number, length: number =)")
def sublist(run: Run, items: list[Value], start: Value, length: Value = None) -> Value:
    """Return a part of a list; positions count from 1, negative ones from the end."""
    position = integer_of(start, "start position")
    if position == 0 or abs(position) > len(items):
        raise NullResult(f"Expected a start position within the list (1 to {len(items)}), but got {position}")
    begin = position - 1 if position > 0 else len(items) + position
    if length is None:
        return items[begin:]
    wanted = integer_of(length, "length")
    if wanted < 1 or begin + wanted > len(items):
        raise NullResult(f"Expected a length within the list, but got {wanted}")
    return items[begin : begin + wanted]


@open_built_in("append(list: list, item: any?)")
def append(run: Run, arguments: list[Value]) -> Value:
    """Append any number of elements to the list that comes first."""
    if not arguments:
        raise NullResult("Expected a list and elements to append, but got no argument")
    items = arguments[0] if type(arguments[0]) is list else [arguments[0]]
    if arguments[0] is None:
        raise NullResult("Expected a list to append to, but got null")
    run.allow_items(len(items) + len(arguments))
    return [*items, *arguments[1:]]


@open_built_in("concatenate(list: list)")
def concatenate(run: Run, arguments: list[Value]) -> Value:
    """Join lists."""
    out: list[Value] = []
    if not arguments:
        raise NullResult("Expected lists to concatenate, but got no argument")
    for argument in arguments:
        if argument is None:
            raise NullResult("Expected only lists to concatenate, but got null")
        items = argument if type(argument) is list else [argument]
        run.allow_items(len(out) + len(items))
        out.extend(items)
    return out


@open_built_in("union(list: list)")
def union(run: Run, arguments: list[Value]) -> Value:
    """Join lists and keep each value once."""
    return _distinct(run, concatenate(run, arguments))


@built_in("distinct values(list: list)")
def distinct_values(run: Run, items: list[Value]) -> Value:
    """Keep each value once, at its first place."""
    return _distinct(run, items)


def _distinct(run: Run, items: list[Value]) -> list[Value]:
    out: list[Value] = []
    seen: set[tuple[type, Value]] = set()
    complex_items: list[Value] = []
    for item in items:
        run.spend()
        kind = type(item)
        if item is None or kind in (Decimal, str, bool):
            if (kind, item) not in seen:
                seen.add((kind, item))
                out.append(item)
            continue
        run.spend(len(complex_items))
        if not any(equal(item, other, run) is True for other in complex_items):
            complex_items.append(item)
            out.append(item)
    return out


@built_in("duplicate values(list: list)")
def duplicate_values(run: Run, items: list[Value]) -> Value:
    """Return the values that come more than once."""
    run.spend(len(items) ** 2 // 10)
    once = _distinct(run, items)
    return [item for item in once if sum(equal(item, other, run) is True for other in items) > 1]


@built_in("insert before(list: list, position: number, newItem: any?)")
def insert_before(run: Run, items: list[Value], position: Decimal, item: Value) -> Value:
    """Return the list with one more element at a position."""
    index = _index(items, position)
    run.allow_items(len(items) + 1)
    return [*items[:index], item, *items[index:]]


@built_in("remove(list: list, position: number)")
def remove(run: Run, items: list[Value], position: Decimal) -> Value:
    """Return the list without the element at a position."""
    index = _index(items, position)
    run.spend(len(items))
    return [*items[:index], *items[index + 1 :]]


def _index(items: list[Value], position: Decimal) -> int:
    index = integer_of(position, "position")
    if index == 0 or abs(index) > len(items):
        raise NullResult(f"Expected a position within the list (1 to {len(items)}), but got {index}")
    return index - 1 if index > 0 else len(items) + index


@built_in("list replace(list: list, position: number, newItem: any?)")
@built_in("list replace(list: list, match: function, newItem: any?)")
def list_replace(run: Run, items: list[Value], where: Value, item: Value) -> Value:
    """Replace the element at a position, or those for which the function answers true."""
    run.spend(len(items))
    if type(where) is Decimal:
        index = _index(items, where)
        return [*items[:index], item, *items[index + 1 :]]
    out = []
    for old in items:
        verdict = _called(run, where, [old, item])
        if type(verdict) is not bool:
            raise NullResult(f"Expected the match function to give a boolean, but got {describe(verdict)}")
        out.append(item if verdict else old)
    return out


def _called(run: Run, function: Function, arguments: list[Value]) -> Value:
    if len(function.parameters) != len(arguments):
        raise NullResult(
            f"Expected a function of {len(arguments)} parameters, but {function!r} has {len(function.parameters)}"
        )
    run.enter()
    try:
        return function.invoke(run, arguments)
    finally:
        run.leave()


@built_in("reverse(list: list)")
def reverse(run: Run, items: list[Value]) -> Value:
    """Return the list from its end."""
    run.spend(len(items))
    return items[::-1]


@built_in("index of(list: list, match: any?)")
def index_of(run: Run, items: list[Value], match: Value) -> Value:
    """Return the positions of a value, from 1."""
    run.spend(len(items))
    return [Decimal(index) for index, item in enumerate(items, 1) if equal(item, match, run) is True]


@built_in("flatten(list: list)")
def flatten(run: Run, items: list[Value]) -> Value:
    """Return the elements of all nested lists in one."""
    out: list[Value] = []
    stack = [iter(items)]
    while stack:
        for item in stack[-1]:
            run.spend()
            if type(item) is list:
                stack.append(iter(item))
                break
            out.append(item)
            if len(out) > run.budget.items:
                run.allow_items(len(out))
        else:
            stack.pop()
    return out


@built_in("sort(list: list, precedes: function =)")
def sort(run: Run, items: list[Value], precedes: Value = None) -> Value:
    """Sort by a function that tells which of two comes first, or by value; equal elements keep their order."""

    def by_function(one: Value, other: Value) -> int:
        if _called(run, precedes, [one, other]) is True:
            return -1
        return 1 if _called(run, precedes, [other, one]) is True else 0

    def by_value(one: Value, other: Value) -> int:
        run.spend()
        order = compare(one, other)
        if order is None:
            raise NullResult(
                f"Expected values of one ordered kind to sort, but got {describe(one)} and {describe(other)}"
            )
        return order

    return sorted(items, key=cmp_to_key(by_value if precedes is None else by_function))


@built_in("partition(list: list, size: number)")
def partition(run: Run, items: list[Value], size: Decimal) -> Value:
    """Cut a list into lists of a size; the last may be shorter."""
    width = integer_of(size, "size")
    if width < 1:
        raise NullResult(f"Expected a size of at least 1, but got {width}")
    run.spend(len(items))
    return [items[begin : begin + width] for begin in range(0, len(items), width)]


@built_in("is empty(list: list)")
def is_empty(run: Run, items: list[Value]) -> Value:
    """Tell whether a list has no elements."""
    return not items
