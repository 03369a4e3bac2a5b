"""Attached files: what they are is told by their content, and their names can do no harm."""

from __future__ import annotations

import io
import sys
import zipfile
from types import SimpleNamespace

import pytest

from engine.errors import Conflict, Invalid
from records.attachment import MAGIC, check_kind, largest_of, safe_name
from records.scanning import Command, scan

PDF, PNG = b"%PDF-1.7\n%%EOF", b"\x89PNG\r\n\x1a\n" + b"\0" * 20


def archive(*names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as written:
        for name in names:
            written.writestr(name, "x")
    return made.getvalue()


WORD = archive("[Content_Types].xml", "word/document.xml")
EXCEL = archive("[Content_Types].xml", "xl/workbook.xml")


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.pdf", PDF), ("a.PNG", PNG), ("a.txt", "grün".encode()), ("a.csv", b"a;b"), ("a.docx", WORD), ("a.xlsx", EXCEL),
     ("a.zip", WORD), ("a.zip", archive("a.txt")), ("a.step", b"ISO-10303-21;")],
)  # fmt: skip
def test_what_is_what_its_name_says_is_taken(name: str, content: bytes) -> None:
    assert check_kind(name, content) == MAGIC["." + name.rpartition(".")[2].lower()][0]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.png", PDF, "to be a PNG picture, as its name says, but its content is a PDF"),
        ("a.pdf", PNG, "to be a PDF, as its name says, but its content is a PNG picture"),
        ("a.pdf", b"MZ\x90\0", "but its content is a program for Windows"),
        ("a.txt", b"<!DOCTYPE html><script>", "but its content is a web page"),
        ("a.csv", b"a\0b", "but its content is something that is not taken"),
        ("a.txt", b"#!/bin/sh", "but its content is a script"),
        ("a.docx", EXCEL, "to be a Word document, as its name says, but its content is an Excel workbook"),
        ("a.docx", archive("a.txt"), "but its content is a ZIP archive"),
        ("a.docx", b"PK\x03\x04broken", "but its content is a broken archive"),
        ("a.xlsx", archive("[Content_Types].xml", "xl/workbook.xml", "xl/vbaProject.bin"), "without macros"),
        ("a.exe", b"MZ", "ending in one of .csv .docx"),
        ("a.png", b"", "it is empty"),
    ],
)
def test_a_file_that_lies_about_its_kind_is_refused_with_what_was_expected(
    name: str, content: bytes, words: str
) -> None:
    with pytest.raises(Invalid, match=words) as refused:
        check_kind(name, content)
    assert words in refused.value.fields["file"]


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("C:\\tmp\\drawing.pdf", "drawing.pdf"), ("../../etc/a.txt", "a.txt"), ("in\u202efdp.exe\u202c.txt", "infdp.exe.txt"),
        ("a\r\nb.txt", "ab.txt"), ('a"b<c>.txt', "a_b_c_.txt"), ("شهادة.pdf", "شهادة.pdf"), (f"{'x' * 300}.pdf", f"{'x' * 196}.pdf"),
    ],
)  # fmt: skip
def test_a_name_shows_and_saves_as_what_it_is(given: str, safe: str) -> None:
    assert safe_name(given) == safe


def installed(**settings: str) -> SimpleNamespace:
    return SimpleNamespace(settings=settings, extras={})


def test_the_largest_file_is_a_setting() -> None:
    assert largest_of(installed(largest_attachment="2")) == 2 * 1024 * 1024
    assert largest_of(installed(largest_attachment="many")) == largest_of(installed()) == 20 * 1024 * 1024
    with pytest.raises(Invalid, match="Expected at most 2 bytes"):
        check_kind("a.txt", b"abc", largest=2)


def test_a_scanner_is_off_until_one_is_set_up_and_refuses_what_it_finds_or_cannot_look_at() -> None:
    assert scan(installed(), "a.txt", b"x").by is None
    look = "import sys; text = sys.stdin.buffer.read(); print('Eicar found'); sys.exit(1 if b'EICAR' in text else 2 if b'?' in text else 0)"
    house = installed(scan_command=f'{sys.executable} -c "{look}"')
    found = scan(house, "a.txt", b"clean")
    assert found.by == sys.executable.rpartition("/")[2]
    with pytest.raises(Invalid, match="says: Eicar found") as harmful:
        scan(house, "a.txt", b"EICAR")
    assert harmful.value.code == "HARMFUL"
    with pytest.raises(Conflict, match="nothing was attached, try again later"):
        scan(house, "a.txt", b"?")
    with pytest.raises(Conflict, match="did not answer"):
        Command(("/nowhere/clamdscan",)).harm_in("a.txt", b"x")
