"""Genealogy of a lot: the graph and its table, the two reports, and all of it as files."""

from __future__ import annotations

import io
from typing import Any

import orjson
from flask import Blueprint, Response, render_template, request, send_file
from sqlalchemy import select

from engine.canonical import canonical, is_whole
from engine.errors import Invalid, NotFound
from processes import genealogy_sheet
from processes.genealogy_reports import provenance_of, transformation_of
from processes.genealogy_trace import DEPTH, MOST, SIZE, Direction, Trace, trace, trace_both
from records.lot import Lot, LotSource
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.receipt import Receipt
from records.supplier import Supplier
from webapp import trace_graph, trace_rows
from webapp.csv_file import csv_text
from webapp.pages import lots
from webapp.visit import reading

pages = Blueprint("traces", __name__)

CHUNK = 500
WAYS = {"both": "Both ways", "backward": "What it was made of", "forward": "Where it was used"}


@pages.get("/lots/<record_id>/trace")
def show(record_id: str) -> str:
    """Show what a lot was made of and where it went, as a graph and as a table."""
    session = reading()
    lot, way, depth = lots.find(session, record_id), asked_way(), asked_depth()
    found = follow(lot, way, depth=depth)
    many = len(found.nodes) > trace_graph.MANY
    grouped = request.args.get("alike", "one" if many else "each") == "one"
    drawing = trace_graph.draw(found, grouped=grouped)
    return render_template(
        "lots/trace.html", document=lot, found=found, drawing=drawing, way=way, ways=WAYS, depth=request.args.get("depth", ""),
        grouped=grouped, many=many, bought=bought(found), rows=trace_rows.rows_of(found), size=SIZE, certainty=trace_rows.certainty,
        operations=found.operations,
    )  # fmt: skip


@pages.get("/lots/<record_id>/provenance")
def show_provenance(record_id: str) -> str:
    """Show where everything in a lot was bought, with the supplier's approval as it stood then."""
    lot = lots.find(reading(), record_id)
    found = trace(reading(), lot, Direction.BACKWARD, size=MOST)
    return render_template("lots/provenance.html", document=lot, found=found, rows=provenance_of(reading(), found))


@pages.get("/lots/<record_id>/transformation")
def show_transformation(record_id: str) -> str:
    """Show every operation a lot went through: people, equipment, instruction, measured values."""
    lot = lots.find(reading(), record_id)
    found = trace(reading(), lot, Direction.BACKWARD, size=MOST)
    return render_template(
        "lots/transformation.html", document=lot, found=found, rows=transformation_of(reading(), found)
    )


@pages.get("/lots/<record_id>/<report>.<kind>")
def export(record_id: str, report: str, kind: str) -> Response:
    """Hand out the trace or a report as CSV, JSON or PDF."""
    lot = lots.find(reading(), record_id)
    if report not in trace_rows.REPORTS or kind not in ("csv", "json", "pdf"):
        raise NotFound("Expected trace, provenance or transformation as csv, json or pdf, but found something else.")
    title, found, rows = content(lot, report)
    name = f"{lot.number}-{report}.{kind}".replace("/", "_").replace('"', "")
    if kind == "pdf":
        columns = trace_rows.REPORTS[report].columns
        data = genealogy_sheet.report_pdf(lot, title=title, columns=columns, rows=rows, cut=found.cut)
        return send_file(io.BytesIO(data), mimetype="application/pdf", download_name=name, etag=False)
    text = as_json(lot, title, found, rows) if kind == "json" else as_csv(trace_rows.REPORTS[report].columns, rows)
    mimetype = "application/json" if kind == "json" else "text/csv; charset=utf-8"
    return Response(text, mimetype=mimetype, headers={"Content-Disposition": f'attachment; filename="{_ascii(name)}"'})


def content(lot: Lot, report: str) -> tuple[str, Trace, list[dict[str, Any]]]:
    """Return the title, the trace and the rows of a report."""
    session = reading()
    if report == "trace":
        found = follow(lot, asked_way(), depth=asked_depth(), size=MOST)
        return f"Trace of {lot.number}", found, trace_rows.plain_rows(found)
    found = trace(session, lot, Direction.BACKWARD, size=MOST)
    if report == "provenance":
        return (
            f"Provenance of {lot.number}",
            found,
            [trace_rows.bought_row(row) for row in provenance_of(session, found)],
        )
    made = [trace_rows.performed_row(row) for row in transformation_of(session, found)]
    return f"Transformation of {lot.number}", found, made


def follow(lot: Lot, way: str, *, depth: int, size: int = SIZE) -> Trace:
    """Return the trace that is asked for."""
    if way == "both":
        return trace_both(reading(), lot, depth=depth, size=size)
    return trace(reading(), lot, Direction(way.upper()), depth=depth, size=size)


def asked_way() -> str:
    """Return which way is asked for. Raises: Invalid."""
    way = request.args.get("direction", "both").lower()
    if way not in WAYS:
        raise Invalid("Expected both, backward or forward, but found something else", {"direction": "is unknown"})
    return way


def asked_depth() -> int:
    """Return how many steps are asked for. Raises: Invalid."""
    text = request.args.get("depth", "").strip()
    if not text:
        return DEPTH
    if not (is_whole(text, digits=3) and 0 < int(text) <= DEPTH):
        raise Invalid(f"Expected 1 to {DEPTH} steps, but found “{text[:20]}”", {"depth": f"1 to {DEPTH}"})
    return int(text)


Bought = tuple[Receipt, Supplier, PurchaseOrderLine]


def bought(found: Trace) -> dict[str, Bought]:
    """Return the receipt, supplier and order line of each lot in a trace that was received."""
    lots_found = [node.record for node in found.nodes if isinstance(node.record, Lot)]
    received = {lot.id: lot.source_id for lot in lots_found if lot.source is LotSource.RECEIPT and lot.source_id}
    wanted = (
        select(Receipt, Supplier, PurchaseOrderLine)
        .join(PurchaseOrderLine, Receipt.order_line_id == PurchaseOrderLine.id)
        .join(PurchaseOrder, PurchaseOrderLine.order_id == PurchaseOrder.id)
        .join(Supplier, PurchaseOrder.supplier_id == Supplier.id)
    )
    ids, by_receipt = sorted(set(received.values())), dict[str, Bought]()
    for begin in range(0, len(ids), CHUNK):
        for receipt, supplier, line in reading().execute(wanted.where(Receipt.id.in_(ids[begin : begin + CHUNK]))):
            by_receipt[receipt.id] = (receipt, supplier, line)
    return {lot_id: by_receipt[source] for lot_id, source in received.items() if source in by_receipt}


def as_csv(columns: dict[str, str], rows: list[dict[str, Any]]) -> str:
    """Return rows as CSV."""
    return csv_text(columns.values(), ([row[name] for name in columns] for row in rows))


def as_json(lot: Lot, title: str, found: Trace, rows: list[dict[str, Any]]) -> bytes:
    """Return rows as JSON, with what they are about."""
    whole = {
        "title": title,
        "lot": lot.number,
        "part_revision": lot.part_revision.number,
        "cut": found.cut,
        "rows": rows,
    }
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2, default=canonical)


def _ascii(name: str) -> str:
    return name.encode("ascii", "replace").decode().replace("?", "_")
