"""Texts that do the work of a specification are found; commercial texts are left alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from engine.act import Act, Installation
from engine.errors import Effect
from rules.blurred_roles import judge_text, read_text
from tests.makers import (
    make_attachment,
    make_definition,
    make_part,
    make_process,
    make_requisition,
    make_requisition_line,
    make_revision,
    make_service,
)

WORK_INSTRUCTION = (
    "Clean all parts before loading. Load the parts into the furnace in a single layer so that nothing touches. "
    "Then anneal at 845 °C for 60 min in vacuum. Cool to below 65 °C before the door is opened and hold there until stable. "
    "Remove the parts with clean gloves only and place them on the marked trays. Mark each tray with the furnace number. "
    "Do not stack the trays. Call the shop if the chart shows a deviation of more than a few degrees. "
    "Send the chart together with the parts and keep a copy of it in the office for at least ten years after delivery. "
    "The parts must not be handled without gloves at any time during the whole of the work."
)

CLEAN = (
    "Bracket, titanium, machined",
    "Hex bolt M6 x 20 mm, zinc plated, box of 100",
    "Fuse 10 A, slow blow, 5 x 20 mm",
    "Drill bit, carbide, 6.5 mm",
    "Torque wrench 5-25 Nm, calibrated",
    "Set screw M4, stainless",
    "Deburring tool with 10 spare blades",
    "Adhesive, two components, 50 ml cartridge",
    "Heat treat per AMS 2759/3, condition H900, 845 °C",
    "Passivate per ASTM A967",
    "Resistor 10 kΩ, 1 %, 0805",
    "Sheet aluminium 6061-T6, 3 mm, 1000 x 2000 mm",
    "Delivery in two lots, first lot on 2026-12-18. Please confirm by mail.",
    "Price per 100 pieces. Minimum order 500 pieces.",
    "Replacement pump for line 3, as offered in quote Q-2211",
    "Calibration of torque wrench TW-12, certificate to ISO 17025",
    "Oven, bench top, up to 300 degrees, 230 V",
    "Cleaning of the compressor room, weekly, December",
    "Pressure gauge 0-100 psi",
    "Packing material, recycled cardboard, pallet of 200",
)
LABELLED = (
    ("Anneal at 845 °C for 60 min.", {"BLUR-P2"}),
    ("Drill 4 holes 6 mm through the flange", {"BLUR-P2"}),
    ("Bolts to be torqued to 25 Nm", {"BLUR-P2"}),
    ("Cure for 2 hours in the oven", {"BLUR-P2"}),
    ("Deburr all edges", {"BLUR-P2"}),
    ("Bake 190 °C", {"BLUR-P2"}),
    ("Bake at 180-190 °C", {"BLUR-P2"}),
    ("Bracket as per sketch", {"BLUR-P3"}),
    ("Cover, same as last time", {"BLUR-P3"}),
    ("Cover as discussed", {"BLUR-P3"}),
    ("Plate according to your e-mail of Monday", {"BLUR-P3"}),
    ("Bracket, 100 % inspected, no cracks allowed", {"BLUR-P4"}),
    ("Castings, reject if porosity is visible", {"BLUR-P4"}),
    ("Bracket. Clean the parts. Mark each part. Wash all parts twice. Dry the parts well.", {"BLUR-P1"}),
    ("Bracket. Clean the parts. Mark each part. Wash all parts twice.", set()),
    ("x" * 241, {"BLUR-P1"}),
    ("x" * 240, set()),
)


@pytest.fixture
def act(house: Installation) -> Iterator[Act]:
    with house.acting("user:rita") as opened:
        yield opened


def judged(act: Act, text: str, **fields: Any) -> list[tuple[str, Effect]]:
    revision = fields.pop("revision", None) or make_revision(act)
    line = make_requisition_line(act, make_requisition(act), revision, description=text, **fields)
    return [(finding.rule, finding.effect) for finding in judge_text(act.session, line)]


def test_a_work_instruction_for_a_special_process_is_refused(act: Act) -> None:
    make_process(act, "HEAT_TREAT")
    assert 600 <= len(WORK_INSTRUCTION) <= 700
    assert judged(act, WORK_INSTRUCTION, process_code="HEAT_TREAT") == [
        ("BLUR-P1", Effect.BLOCK),
        ("BLUR-P2", Effect.BLOCK),
    ]


def test_on_an_ordinary_part_it_waits(act: Act) -> None:
    assert judged(act, WORK_INSTRUCTION) == [("BLUR-P1", Effect.HOLD), ("BLUR-P2", Effect.HOLD)]


def test_on_a_critical_part_it_is_refused(act: Act) -> None:
    revision = make_revision(act, make_part(act, criticality="FLIGHT_SAFETY"))
    assert judged(act, "Deburr all edges", revision=revision) == [("BLUR-P2", Effect.BLOCK)]


@pytest.mark.parametrize("text", CLEAN)
def test_a_commercial_text_is_left_alone(text: str) -> None:
    read = read_text(text)
    assert (read.imperatives <= 3, read.parameters == 0 or read.has_specification) == (True, True)
    assert (read.words_of_mouth, read.has_criteria) == (0, False)


def test_twenty_clean_texts_have_no_finding(act: Act) -> None:
    assert len(CLEAN) == 20
    assert {text: found for text in CLEAN if (found := judged(act, text))} == {}


@pytest.mark.parametrize(("text", "expected"), LABELLED)
def test_labelled_texts_are_found_as_labelled(act: Act, text: str, expected: set[str]) -> None:
    assert {rule for rule, _ in judged(act, text)} == expected


def test_a_specification_on_the_line_or_in_the_text_says_how(act: Act) -> None:
    assert judged(act, "Anneal at 845 °C for 60 min", spec="PS-455", spec_rev="D") == []
    assert judged(act, "Anneal at 845 °C for 60 min per AMS 2759/3") == []


def test_an_inspection_plan_carries_the_criteria(act: Act) -> None:
    revision = make_revision(act)
    make_definition(act, revision, kind="INSPECTION_PLAN")
    act.session.refresh(revision, ["definitions"])
    assert judged(act, "Castings, reject if porosity is visible", revision=revision) == []


def test_a_service_is_for_something(act: Act) -> None:
    make_service(act, "SV-CLEAN", process=None)
    requisition = make_requisition(act)
    line = make_requisition_line(act, requisition, None, service_code="SV-CLEAN", cost_object=None)
    assert [finding.rule for finding in judge_text(act.session, line)] == ["BLUR-P5"]
    line.work_order_op = "WO-7001/30"
    assert judge_text(act.session, line) == []


def test_a_file_without_number_and_revision_is_uncontrolled(act: Act) -> None:
    requisition = make_requisition(act)
    line = requisition.lines[0]
    make_attachment(act, requisition)
    assert judge_text(act.session, line) == []
    make_attachment(act, requisition, content=b"%PDF-1.7 sketch", document_no="", document_rev="")
    (finding,) = judge_text(act.session, line)
    assert (finding.rule, finding.field, finding.owner) == ("BLUR-P3", "lines.1.description", "role:PUR_LEAD")
    assert (len(finding.judged_by), finding.row is not None) == (64, True)
