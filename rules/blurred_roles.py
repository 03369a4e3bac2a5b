"""Purchase orders used as work instructions (BLUR-P1 to BLUR-P5): what a line's text does that a specification should do.

The detectors count; what their counts mean is the table ``blurred_roles.dmn``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.errors import Effect, Finding
from records.attachment import Attachment
from records.part import Criticality, DefinitionKind
from records.purchase_order import PurchaseOrderLine
from records.requisition import RequisitionLine
from rules.policy import Judgement, table_called
from rules.quality import is_special
from rules.supplier_gate import Line, part_of, process_of

ORDERS = (
    "anneal apply assemble bake blast bond bore braze clean coat cool cure cut deburr degrease dip drill dry ensure etch fit grind "
    "harden heat hold inspect install lap load machine make mark mask measure mill mount passivate perform pickle place plate polish "
    "press quench ramp ream remove repeat rinse sand seal set soak solder spray stamp strip tap temper tighten torque treat trim "
    "turn verify wash weld wipe"
)
PROCESS_VERBS = (
    "anneal age bake braze cure deburr drill etch grind harden heat passivate quench ream solder tap temper torque weld"
)
SENTENCE_ENDS = re.compile(r"[.;!?](?=\s|$)|\n+|(?:^|\s)\d+[.)]\s")
BULLET = re.compile(r"^[\s\-*•–]*(?:step\s+\d+\s*:?|then|next|first|finally|please|and)?[\s,:]*", re.IGNORECASE)
MUST = re.compile(r"\b(?:must|shall|has to|have to|is to be|are to be|do not|don't)\b", re.IGNORECASE)
NUMBER = r"(?<![\w.,–-])[+-]?\d+(?:[.,]\d+)?\s*"
"""A number that is not the end of a range: ``0-100 psi`` says what a gauge shows, not how something is made."""

STRONG_UNIT = r"(?:(?:°|º|deg(?:rees?)?\.?)\s*[CFK]\b|℃|℉|minutes?\b|mins?\b|psi\b|k?N\s?[·*]?\s?m\b|in[\s-]?lbs?\b|ft[\s-]?lbs?\b|mbar\b)"
STRONG_UNITS = re.compile(NUMBER + STRONG_UNIT, re.IGNORECASE)
WEAK_UNITS = re.compile(rf"{NUMBER}(?:A\b|A/dm|[µμ]m\b|mm\b|V\b|bar\b)|\d\s*[–-]\s*\d+(?:[.,]\d+)?\s*{STRONG_UNIT}")
"""Sizes, ratings and ranges: parameters only in a sentence that says what to do."""

AN_OBJECT = r"(?=\s+(?:at|to|the|all|both|each|every|holes?|edges?|threads?|for|with|per|until|before|after|in|\d))"
VERB = re.compile(
    rf"\b(?:{PROCESS_VERBS.replace(' ', '|')}){AN_OBJECT}"
    rf"|\b(?:annealed|baked|brazed|cured|deburred|drilled|etched|hardened|heated|quenched|tempered|torqued)\s+(?:at|to|for|until)\b",
    re.IGNORECASE,
)
SPECIFICATION = re.compile(
    r"\b(?:AMS|ASTM|ASME|MIL-[A-Z]+|ISO|EN|DIN|SAE|NAS|BAC|BMS|PS|WPS|QQ-[A-Z]|AWS|NADCAP|ANSI)[\s-]?[A-Z]{0,4}[\s-]?\d[\w./-]*",
    re.IGNORECASE,
)
WORD_OF_MOUTH = re.compile(
    r"\b(?:as|per|see|according to|acc\.? to)\s+(?:the\s+|your\s+|our\s+|my\s+|attached\s+)*"
    r"(?:sketch|e-?mails?|phone\s?call|telephone|conversation|discussion|discussed|agreed (?:by|on|with)|last time|before|usual|fax)\b",
    re.IGNORECASE,
)
CRITERIA = re.compile(
    r"\b(?:inspect(?:ed)?\s+(?:for|to|at|all|each|every|\d)|(?:100\s?%|visual(?:ly)?)\s+(?:inspect\w*|check\w*)|AQL\s*\d|"
    r"(?:accept|reject)(?:ed|able)?\s+(?:if|when|only)|no\s+(?:visible\s+)?(?:cracks?|burrs?|scratches|porosity|pits|dents)\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text says, counted."""

    length: int
    imperatives: int
    parameters: int
    has_specification: bool
    words_of_mouth: int
    has_criteria: bool


def read_text(text: str) -> Reading:
    """Count what a line's text does. Pure; works on any text."""
    sentences = [part.strip() for part in SENTENCE_ENDS.split(text) if part and part.strip()]
    return Reading(
        length=len(text),
        imperatives=sum(_gives_an_order(sentence) for sentence in sentences),
        parameters=sum(_parameters(sentence) for sentence in sentences),
        has_specification=SPECIFICATION.search(text) is not None,
        words_of_mouth=len(WORD_OF_MOUTH.findall(text)),
        has_criteria=CRITERIA.search(text) is not None,
    )


def judge_text(session: Session, line: Line) -> list[Finding]:
    """Return BLUR-P1 to BLUR-P5 on one line of a requisition or an order."""
    part, read = part_of(line), read_text(line.description)
    judgement = table_called("blurred_roles").judge(
        critical=is_special(session, process_of(line))
        or (part is not None and part.criticality is not Criticality.STD),
        length=read.length,
        imperatives=read.imperatives,
        parameters=read.parameters,
        specification=bool(line.spec) or read.has_specification,
        uncontrolled_documents=read.words_of_mouth + _uncontrolled_files(session, line),
        inspection_in_text=read.has_criteria,
        inspection_plan=bool(line.spec) or read.has_specification or _has_plan(line),
        service_without_object=line.service_code is not None and not (line.cost_object or line.work_order_op),
    )
    return [_finding(line, judgement, number, read) for number in range(len(judgement.rows))]


def _gives_an_order(sentence: str) -> bool:
    first = re.match(r"[A-Za-z]+", BULLET.sub("", sentence, count=1))
    begins = first is not None and first.group().lower() in ORDERS.split() and len(sentence.split()) > 2
    return begins or MUST.search(sentence) is not None


def _parameters(sentence: str) -> int:
    verbs = len(VERB.findall(sentence))
    weak = len(WEAK_UNITS.findall(sentence)) if verbs else 0
    return verbs + len(STRONG_UNITS.findall(sentence)) + weak


def _uncontrolled_files(session: Session, line: Line) -> int:
    owner = line.order_id if isinstance(line, PurchaseOrderLine) else line.requisition_id
    files = session.scalars(select(Attachment).where(Attachment.owner_id.in_([line.id, owner])))
    return sum(not (file.document_no and file.document_rev) for file in files)


def _has_plan(line: Line) -> bool:
    revision = line.part_revision
    return revision is not None and any(
        definition.kind is DefinitionKind.INSPECTION_PLAN for definition in revision.definitions
    )


def _finding(line: Line, judgement: Judgement, index: int, read: Reading) -> Finding:
    row = judgement.rows[index]
    rule = str(row.outputs["rule"])
    document = line.requisition if isinstance(line, RequisitionLine) else line.order
    sentences = {
        "BLUR-P1": f"a short commercial text, but it has {read.length} characters and {read.imperatives} orders",
        "BLUR-P2": f"a specification to say how it is made, but the text has {read.parameters} process parameters or verbs and names none",
        "BLUR-P3": "documents with number and revision, but something without them is referred to",
        "BLUR-P4": "inspection criteria in a plan or specification, but they stand only in the text",
        "BLUR-P5": "a work order operation, an asset or a cost object for the service, but there is none",
    }
    return Finding(
        rule,
        Effect(row.outputs["effect"]),
        f"Expected {sentences[rule]} (line {line.line_no} of {document.number}).",
        document.record_type,
        document.id,
        field=f"lines.{line.line_no}.description",
        owner="role:PUR_LEAD",
        way_out="Name a specification or a controlled document, open a change request, or link the work order.",
        judged_by=judgement.hash,
        row=row.number,
    )
