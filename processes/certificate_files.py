"""Certificates from a CSV file that names their documents: each row once, what does not fit told by row and column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from sqlalchemy import select

from engine.act import Act
from engine.errors import Invalid
from processes.certification import Paper, present
from processes.goods_files import Report, day_in, line_in, number_in, rows_of, try_row
from records.certificate import Certificate, CertificateType
from records.outside import OutsideLink
from records.purchase_order import PurchaseOrderLine
from records.receipt import Receipt

COLUMNS = (
    "system", "event_id", "order", "line_no", "receipt", "outside_link", "type", "issuer", "file", "sha256", "reference", "spec",
    "spec_rev", "lots", "process_date", "quantity",
)  # fmt: skip
NEEDS = ("event_id", "order", "line_no", "type", "issuer", "file")

Documents = Callable[[str], bytes]
"""Returns the bytes of a document by the name that a row gives it. Raises: Invalid naming the column ``file``."""


def bring_certificates(act: Act, content: bytes, *, documents: Documents) -> Report:
    """Keep the certificate of every row with its document; a row that does not fit is told and leaves the others alone.

    Lots stand in one cell with spaces between them. Nothing is verified by it: that stays a person's signature. Raises: Invalid
    for a file that cannot be read.
    """
    report = Report()
    for number, row in rows_of(content, COLUMNS, NEEDS):
        report.rows += 1
        try_row(act, report, number, partial(_present, act, row, documents))
    return report


def _present(act: Act, row: Mapping[str, str], documents: Documents) -> bool:
    for name in NEEDS:
        if not row.get(name):
            raise Invalid(f"Expected something in the column {name}, but it is empty", {name: "is required"})
    line = line_in(act, row)
    receipt, link = _receipt(act, row, line), _link(act, row)
    paper = Paper(
        _type(row), row["issuer"], documents(row["file"]), _bare(row["file"]), event_id=row["event_id"],
        system=row.get("system") or "FILE", reference=row.get("reference", ""), spec=row.get("spec") or None,
        spec_rev=row.get("spec_rev") or None, lots=tuple(row.get("lots", "").split()), process_date=day_in(row, "process_date"),
        quantity=number_in(row, "quantity") if row.get("quantity") else None, sha256=row.get("sha256", "").lower() or None,
    )  # fmt: skip
    known = select(Certificate.id).where(
        Certificate.source_system == paper.system, Certificate.source_event_id == paper.event_id
    )
    is_new = act.session.scalar(known) is None
    present(act, line, paper, receipt=receipt, outside_link_id=link.id if link is not None else None)
    return is_new


def _receipt(act: Act, row: Mapping[str, str], line: PurchaseOrderLine) -> Receipt | None:
    if not row.get("receipt"):
        return None
    found = act.session.scalar(select(Receipt).where(Receipt.number == row["receipt"]))
    if found is None:
        raise Invalid(
            f"Expected a receipt of {line.number}, but found {row['receipt']!r:.40}", {"receipt": "is unknown"}
        )
    return found


def _link(act: Act, row: Mapping[str, str]) -> OutsideLink | None:
    if not row.get("outside_link"):
        return None
    found = act.session.scalar(select(OutsideLink).where(OutsideLink.number == row["outside_link"]))
    if found is None:
        raise Invalid(
            f"Expected a link of outside work, but found {row['outside_link']!r:.40}", {"outside_link": "is unknown"}
        )
    return found


def _type(row: Mapping[str, str]) -> CertificateType:
    if row["type"].upper() not in set(CertificateType):
        raise Invalid(
            f"Expected one of {', '.join(CertificateType)}, but found {row['type']!r:.20}", {"type": "is unknown"}
        )
    return CertificateType(row["type"].upper())


def _bare(name: str) -> str:
    """Return a document's name without the folders before it."""
    return name.replace("\\", "/").rpartition("/")[2]
