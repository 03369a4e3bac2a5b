"""Contexts: DMN 1.5, 10.3.4.9, and Camunda 8's ``get or else`` and ``is defined``."""

from __future__ import annotations

from dmn.budget import Run
from dmn.functions.registry import built_in
from dmn.values import NullResult, Value, describe


@built_in("get value(m: context?, key: string)")
def get_value(run: Run, context: Value, key: str) -> Value:
    """Return the entry of a key."""
    if context is None or key not in context:
        raise NullResult(f"Expected an entry {key} in the context, but it has none", "property")
    return context[key]


@built_in("get entries(m: context)")
def get_entries(run: Run, context: dict[str, Value]) -> Value:
    """Return the entries as contexts of key and value."""
    run.allow_items(len(context))
    return [{"key": key, "value": value} for key, value in context.items()]


@built_in("context(entries: list)")
def context(run: Run, entries: list[Value]) -> Value:
    """Build a context from entries of key and value."""
    run.allow_items(len(entries))
    out: dict[str, Value] = {}
    for entry in entries:
        if type(entry) is not dict or "key" not in entry or "value" not in entry:
            raise NullResult("Expected entries with a key and a value, but one has none")
        if type(entry["key"]) is not str:
            raise NullResult(f"Expected a text as key, but got {describe(entry['key'])}")
        if entry["key"] in out:
            raise NullResult(f"Expected each key once, but {entry['key']} comes twice")
        out[entry["key"]] = entry["value"]
    return out


@built_in("context put(context: context, key: string, value: any?)")
@built_in("context put(context: context, keys: list, value: any?)")
def context_put(run: Run, context: dict[str, Value], key: Value, value: Value) -> Value:
    """Return the context with one entry set, at a key or at a path of keys."""
    run.allow_items(len(context) + 1)
    if type(key) is str:
        return {**context, key: value}
    if not key or any(type(part) is not str for part in key):
        raise NullResult("Expected texts as keys, but they are none")
    if len(key) == 1:
        return {**context, key[0]: value}
    inner = context.get(key[0])
    if type(inner) is not dict:
        raise NullResult(f"Expected a context at {key[0]}, but got {describe(inner)}", "property")
    return {**context, key[0]: context_put(run, inner, key[1:], value)}


@built_in("context merge(contexts: list)")
def context_merge(run: Run, contexts: list[Value]) -> Value:
    """Merge contexts; later entries win."""
    out: dict[str, Value] = {}
    for part in contexts:
        if type(part) is not dict:
            raise NullResult(f"Expected only contexts to merge, but got {describe(part)}")
        run.allow_items(len(out) + len(part))
        out.update(part)
    return out


@built_in("get or else(value: any?, default: any?)")
def get_or_else(run: Run, value: Value, default: Value) -> Value:
    """Return the value, or the default where it is null."""
    return default if value is None else value


@built_in("is defined(value: any?)")
def is_defined(run: Run, value: Value) -> Value:
    """Answer true: a value is there."""
    # Names and paths are answered by the compiler, which knows whether they are bound; a value always is.
    return True
