"""Bundles are read once for each content."""

from __future__ import annotations

from engine.bundle import read_diagrams, read_library
from processes.bundle import bundle_files


def test_the_same_content_is_parsed_once_and_shared() -> None:
    files = bundle_files()
    assert read_diagrams(files) is read_diagrams(dict(reversed(files.items())))
    one, other = read_library(files), read_library(files)
    assert one.tables["approval_matrix"].model is other.tables["approval_matrix"].model


def test_changed_content_is_read_again() -> None:
    files = bundle_files()
    path = "rules/tables/approval_matrix.dmn"
    changed = files | {path: files[path].replace(b"[1000..10000)", b"[2000..10000)")}
    assert (
        read_library(changed).tables["approval_matrix"].model is not read_library(files).tables["approval_matrix"].model
    )
