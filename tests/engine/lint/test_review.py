"""What a folder of files is told before it is deployed."""

from __future__ import annotations

from pathlib import Path

from engine.bundle import read_library
from engine.lint import LAWS, Severity, review
from engine.lint.material import gather
from engine.registry import Registry
from processes.bundle import bundle_files
from webapp.wiring import registry_of_flows

HOW_TO = Path(__file__).parent.parent.parent.parent / "docs" / "howto" / "check-and-deploy.md"


def test_every_law_is_explained() -> None:
    explained = HOW_TO.read_text("utf-8")
    assert [law.__name__ for law in LAWS if f"`{law.__name__}`" not in explained] == []


def test_the_shipped_files_are_left_alone() -> None:
    assert review(bundle_files(), registry_of_flows()) == []


def test_a_form_writes_the_variables_of_its_fields_and_lists() -> None:
    form = (
        b'{"id": "answer", "components": [{"type": "textfield", "key": "supplier.name"}, {"type": "group", "components": '
        b'[{"type": "number", "key": "size"}]}, {"type": "dynamiclist", "path": "lines", "components": '
        b'[{"type": "textfield", "key": "inner"}]}]}'
    )
    material = gather(read_library({"ask.answer.form": form}), Registry())
    assert material.form_fields == {"answer": {"supplier", "size", "lines"}}


def test_a_table_reads_the_inputs_of_the_decisions_it_requires() -> None:
    library = read_library(bundle_files())
    material = gather(library, Registry())
    assert {"amount", "criticality", "special_process"} <= set(material.decisions["approval_matrix"])


def test_a_file_that_cannot_be_read_is_an_error_with_its_line() -> None:
    [found] = review({"broken.bpmn": b"<bpmn:definitions>\n<oops"}, Registry())
    assert (found.severity, found.law, found.file) == (Severity.ERROR, "it_can_run", "broken.bpmn")
