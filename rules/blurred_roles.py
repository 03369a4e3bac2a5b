"""Purchase orders used as work instructions, and work orders used as purchases (BLUR-P1 to P8, BLUR-W1 to W7).

``blurred_texts`` reads what a text does and this module gathers what the records show; what either means is the table
``blurred_roles.dmn``. The text of an order is judged with its line; the rest where the flow meets it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from engine.answers import of_each, once
from engine.errors import Effect, Finding
from engine.record import Record
from records.attachment import Attachment
from records.part import Criticality, DefinitionKind, ProductDefinitionRef
from records.purchase_order import OrderStatus, PurchaseOrder, PurchaseOrderLine
from records.requisition import RequisitionLine
from records.supplier import Supplier
from rules.blurred_texts import (
    Reading,
    cites_only_a_work_order,
    paragraph_key,
    read_purchase,
    read_text,
    sends_a_traveller,
)
from rules.policy import Judgement, table_called
from rules.quality import is_special
from rules.supplier_gate import Line, part_of, process_of

NOTHING: dict[str, Any] = {
    "length": 0, "imperatives": 0, "parameters": 0, "specification": False, "uncontrolled_documents": 0,
    "inspection_in_text": False, "inspection_plan": False, "service_without_object": False, "orders_with_paragraph": 0,
    "evidence": "NONE", "card_amount": Decimal(0),
}  # fmt: skip
OVER = (OrderStatus.CANCELLED, OrderStatus.REJECTED)
NEARLY = 8
"""Characters by which the same paragraph may differ in length, for commas and spaces."""

WAYS_OUT = {
    "P": "Name a specification or a controlled document, open a change request, or link the work order.",
    "W": "Raise a requisition, or link the line of the order that buys it; take price and supplier out of the work order.",
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the records show of one document. rule: whose sentence it is; sentence: what was expected, but found.

    old, new: the two values. field: where it stands.
    """

    kind: str
    sentence: str
    field: str = ""
    old: str | None = None
    new: str | None = None
    card_amount: Decimal = Decimal(0)


def judge_text(session: Session, line: Line) -> list[Finding]:
    """Return BLUR-P1 to BLUR-P6 on one line of a requisition or an order."""
    document = line.requisition if isinstance(line, RequisitionLine) else line.order
    read = read_text(line.description, site=document.site.code)
    orders = _orders_with(session, line) if read.is_technical and not (line.spec or read.has_specification) else []
    judgement = table_called("blurred_roles").judge(
        **NOTHING
        | {
            "critical": is_critical(session, line),
            "length": read.length,
            "imperatives": read.imperatives,
            "parameters": read.parameters,
            "specification": bool(line.spec) or read.has_specification,
            "uncontrolled_documents": read.words_of_mouth + _uncontrolled_files(session, line),
            "inspection_in_text": read.has_criteria,
            "inspection_plan": bool(line.spec) or read.has_specification or _has_plan(session, line),
            "service_without_object": line.service_code is not None and not (line.cost_object or line.work_order_op),
            "orders_with_paragraph": len(orders),
        }
    )
    return [_finding(line, judgement, number, read, orders) for number in range(len(judgement.rows))]


def judge_evidence(
    record: Record, found: Iterable[Evidence], *, is_critical: bool, owner: str = "role:PUR_LEAD"
) -> list[Finding]:
    """Return what the records show about a document, by the table. owner: whose turn it is."""
    findings = []
    for each in found:
        judgement = table_called("blurred_roles").judge(
            **NOTHING | {"critical": is_critical, "evidence": each.kind, "card_amount": each.card_amount}
        )
        findings += [
            Finding(
                str(row.outputs["rule"]), Effect(row.outputs["effect"]), each.sentence, record.record_type, record.id,
                field=each.field, old=each.old, new=each.new, owner=owner,
                way_out=WAYS_OUT[str(row.outputs["rule"])[5]], judged_by=judgement.hash, row=row.number,
            )
            for row in judgement.rows
        ]  # fmt: skip
    return findings


def read_operation(session: Session, text: str, *, number: str, site: str = "") -> list[Evidence]:
    """Return BLUR-W1 and BLUR-W4 on the text of an operation, or of a material line, of a work order.

    number: how people call it, ``WO-7001/30``.
    """
    read = read_purchase(text, suppliers=_supplier_names(session), site=site)
    found = []
    if read.supplier:
        found.append(
            Evidence(
                "SUPPLIER_AND_PRICE",
                f"Expected {number} to say what is done, but its text names {read.supplier} and a price: {text[:120]!r}.",
                field="description", new=text[:500],
            )
        )  # fmt: skip
    if read.has_material:
        found.append(
            Evidence(
                "MATERIAL_WITH_PRICE",
                f"Expected the material of {number} as a part with its lot, but the text buys it: {text[:120]!r}.",
                field="description", new=text[:500],
            )
        )  # fmt: skip
    return found


def read_invoice_text(text: str, *, number: str, names_an_order: bool) -> list[Evidence]:
    """Return BLUR-W3 on what a supplier's invoice cites. names_an_order: whether a line of it is on an order's line."""
    if names_an_order or not cites_only_a_work_order(text):
        return []
    return [
        Evidence(
            "WORK_ORDER_AS_ORDER",
            f"Expected {number} to name our purchase order, but it cites only a work order: {text[:120]!r}.",
            field="reference", new=text[:500],
        )
    ]  # fmt: skip


def read_message(text: str, *, number: str, is_linked: bool = False, site: str = "") -> list[Evidence]:
    """Return BLUR-W3 on a message to a supplier: a traveller sent without the order. is_linked: attached to a linked line."""
    if is_linked or not sends_a_traveller(text, site=site):
        return []
    return [
        Evidence(
            "WORK_ORDER_AS_ORDER",
            f"Expected the supplier to get an order, but {number} sends a traveller in its place: {text[:120]!r}.",
            field="text", new=text[:500],
        )
    ]  # fmt: skip


def sends_document(kind: str, *, number: str, to: str, is_linked: bool) -> list[Evidence]:
    """Return BLUR-W3 on a work order's document that is to go to a supplier; one that a linked order line carries may.

    kind: ``traveller`` or ``work order``. Source: domain.md 1.16.
    """
    if is_linked:
        return []
    sentence = f"Expected an order to go to {to}, but the {kind} of {number} was to go there as the order."
    return [Evidence("WORK_ORDER_AS_ORDER", sentence, field="document", old="purchase order", new=kind)]


def costs_without_order(number: str, amount: Decimal, currency: str, *, has_order: bool) -> list[Evidence]:
    """Return BLUR-W2: outside cost on a work order that has neither an order line nor a contract."""
    if has_order or amount == 0:
        return []
    sentence = (
        f"Expected an order or a contract behind the outside cost of {number}, but {amount:,.2f} {currency} has none."
    )
    return [Evidence("COST_WITHOUT_ORDER", sentence, field="cost", new=f"{amount:.2f}")]


def leaves_without_link(number: str, supplier: str, *, has_link: bool) -> list[Evidence]:
    """Return BLUR-W5: an operation whose work centre is a supplier, with no link when parts are to leave."""
    if has_link:
        return []
    sentence = f"Expected a linked order line before parts of {number} leave for {supplier}, but there is none."
    return [Evidence("SUPPLIER_WITHOUT_LINK", sentence, field="link", new=supplier)]


def stock_without_link(number: str, location: str, at_location: Decimal, at_supplier: Decimal) -> list[Evidence]:
    """Return BLUR-W6: more pieces of a work order at a supplier's location than its links say.

    at_location: as stock shows; at_supplier: the balance of the links AT_SUPPLIER.
    """
    if at_location <= at_supplier:
        return []
    linked, seen = (f"{each.normalize():,f}" for each in (at_supplier, at_location))
    sentence = f"Expected {linked} pieces of {number} at {location} by its links, but {seen} are there."
    return [
        Evidence(
            "STOCK_WITHOUT_LINK",
            sentence,
            field="quantity",
            old=f"{at_supplier:,.2f}",
            new=f"{at_location:,.2f}",
        )
    ]


def card_purchases(number: str, amounts: Sequence[Decimal], currency: str) -> list[Evidence]:
    """Return BLUR-W7 evidence: card purchases on one maintenance work order, which the table compares with its limit."""
    whole = sum(amounts, Decimal(0))
    sentence = f"Expected an order behind what {number} buys, but {len(amounts)} card purchases add up to {whole:,.2f} {currency}."
    return (
        [Evidence("CARD_PURCHASES", sentence, field="cost", new=f"{whole:.2f}", card_amount=whole)] if amounts else []
    )


def moves_without_operation(
    order: PurchaseOrder, *, shipped: Decimal, returned: Decimal, has_operation: bool
) -> list[Evidence]:
    """Return BLUR-P7: parts went out for an order and came back, and no operation of a work order is linked to it."""
    if has_operation or shipped <= 0 or returned <= 0:
        return []
    sentence = (
        f"Expected an operation of a work order for the work {order.number} buys, but {shipped:,.2f} pcs moved out and "
        f"{returned:,.2f} back without one."
    )
    return [
        Evidence(
            "WORK_WITHOUT_OPERATION",
            sentence,
            field="work_order_op",
            old=f"{shipped:,.2f}",
            new=f"{returned:,.2f}",
        )
    ]


def changes_only_text(number: str, changes: Sequence[tuple[str, str | None, str | None]]) -> list[Evidence]:
    """Return BLUR-P8: an amendment that changes nothing but technical text. changes: (column, old, new) of each."""
    texts = [(old or "", new or "") for column, old, new in changes if column == "description"]
    if not texts or len(texts) < len(changes):
        return []
    if not any(read_text(new).is_technical or read_text(old).is_technical for old, new in texts):
        return []
    sentence = f"Expected a specification to change, but {number} changes nothing except technical text."
    return [
        Evidence("TECHNICAL_AMENDMENT", sentence, field="description", old=texts[0][0][:500], new=texts[0][1][:500])
    ]


def is_critical(session: Session, line: Line) -> bool:
    """Whether a line buys a special process, or is about a part that is not of standard criticality."""
    part = part_of(line)
    return is_special(session, process_of(line)) or (part is not None and part.criticality is not Criticality.STD)


def _supplier_names(session: Session) -> list[str]:
    return list(session.scalars(select(Supplier.name).order_by(Supplier.name)))


def _uncontrolled_files(session: Session, line: Line) -> int:
    return of_each(session, line, "uncontrolled_files", lambda lines: _loose_files(session, lines), otherwise=0)


def _loose_files(session: Session, lines: Sequence[Line]) -> dict[str, int]:
    """Return how many files without number or revision hang on each line or on its document."""
    owners = {line.id: line.order_id if isinstance(line, PurchaseOrderLine) else line.requisition_id for line in lines}
    wanted = select(Attachment.owner_id, Attachment.document_no, Attachment.document_rev)
    files = session.execute(wanted.where(Attachment.owner_id.in_([*owners, *set(owners.values())]))).all()
    loose = Counter(file.owner_id for file in files if not (file.document_no and file.document_rev))
    return {line_id: loose[line_id] + loose[owner] for line_id, owner in owners.items()}


def _has_plan(session: Session, line: Line) -> bool:
    return of_each(session, line, "inspection_plan", lambda lines: _planned(session, lines), otherwise=False)


def _planned(session: Session, lines: Sequence[Line]) -> dict[str, bool]:
    """Return the lines whose part revision has an inspection plan."""
    revisions = {line.id: line.part_revision_id for line in lines if line.part_revision_id is not None}
    wanted = select(ProductDefinitionRef.part_revision_id).where(
        ProductDefinitionRef.part_revision_id.in_(sorted(set(revisions.values()))),
        ProductDefinitionRef.kind == DefinitionKind.INSPECTION_PLAN,
    )
    known = set(session.scalars(wanted.distinct()))
    return {line_id: revision in known for line_id, revision in revisions.items()}


def _orders_with(session: Session, line: Line) -> list[str]:
    """Return the numbers of the orders that carry the paragraph of a line, its own order first."""
    key, text = paragraph_key(line.description), line.description
    document = line.requisition if isinstance(line, RequisitionLine) else line.order
    wanted = (
        select(PurchaseOrderLine.description, PurchaseOrder.id, PurchaseOrder.po_no, PurchaseOrder.proposal_no)
        .join(PurchaseOrder, PurchaseOrder.id == PurchaseOrderLine.order_id)
        .where(PurchaseOrder.status.not_in(OVER), PurchaseOrder.id != document.id)
        .where(func.length(PurchaseOrderLine.description).between(len(text) - NEARLY, len(text) + NEARLY))
    )
    asked = ("paragraphs as long as", len(text), document.id)
    others = {
        row.id: row.po_no or row.proposal_no
        for row in once(session, asked, lambda: session.execute(wanted).all())
        if paragraph_key(row.description) == key
    }
    own = [document.number] if isinstance(line, PurchaseOrderLine) else []
    return [*own, *sorted(others.values())]


def _finding(line: Line, judgement: Judgement, index: int, read: Reading, orders: Sequence[str]) -> Finding:
    row = judgement.rows[index]
    rule = str(row.outputs["rule"])
    document = line.requisition if isinstance(line, RequisitionLine) else line.order
    sentences = {
        "BLUR-P1": f"a short commercial text, but it has {read.length} characters and {read.imperatives} orders",
        "BLUR-P2": f"a specification to say how it is made, but the text has {read.parameters} process parameters or verbs and names none",
        "BLUR-P3": "documents with number and revision, but something without them is referred to",
        "BLUR-P4": "inspection criteria in a plan or specification, but they stand only in the text",
        "BLUR-P5": "a work order operation, an asset or a cost object for the service, but there is none",
        "BLUR-P6": f"a specification for what is asked again and again, but {', '.join(orders)} carry the same technical paragraph",
    }
    return Finding(
        rule,
        Effect(row.outputs["effect"]),
        f"Expected {sentences[rule]} (line {line.line_no} of {document.number}).",
        document.record_type,
        document.id,
        field=f"lines.{line.line_no}.description",
        new=line.description[:500],
        owner="role:PUR_LEAD",
        way_out=WAYS_OUT["P"],
        judged_by=judgement.hash,
        row=row.number,
    )
