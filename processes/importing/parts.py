"""Products become parts with revisions: the ERP keeps each revision as a product of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from engine.act import Act
from engine.canonical import content_hash
from processes.importing.bringing import Import, Item, Outcome, assign
from processes.importing.differences import differ
from processes.importing.doubts import NAMED_REVISION
from processes.importing.reading import Reading
from records.origin import Origin
from records.part import (
    DefinitionKind,
    OutsideProcess,
    Part,
    PartRevision,
    PartType,
    ProductDefinitionRef,
    RevisionStatus,
)
from records.units import UNITS


@dataclass(frozen=True, slots=True)
class Product:
    """One row of the ERP's products, read. rev: empty for a service, which has none."""

    cells: Reading
    native_id: str
    code: str
    part_no: str
    rev: str
    is_active: bool

    @property
    def rank(self) -> tuple[int, int, str]:
        """Where the revision stands among those of its part: ``-`` and NC before numbers before letters, A before AA."""
        if self.rev in ("-", "NC"):
            return (0, 0, "")
        return (1 if self.rev.isdecimal() else 2, len(self.rev), self.rev)


def bring_parts(run: Import) -> None:
    """Bring in outside processes, then parts, then their revisions with the documents that define them."""
    products = list(_products(run))
    run.bring("processes", _processes(run))
    run.bring("parts", _parts(run, products))
    run.bring("revisions", _revisions(run, products))


def _products(run: Import) -> Iterator[Product]:
    for family in run.families("products"):
        cells = run.reading("products", family.head)
        code, is_active = cells.needed("code", limit=40), cells.truth("is_active")
        if run.mapping.words["units"].get(cells.text("uom")) not in UNITS:
            cells.error("uom", "UNKNOWN_UNIT", "Expected a unit that the mapping file knows, but found another")
        part_no, rev = _split(run, code, cells)
        if not cells.is_good:
            run.leave_out("revisions" if rev else "parts")
            continue
        run.codes[cells.text("id")] = code
        if not rev:
            run.services[cells.text("id")] = code
        yield Product(cells, cells.text("id"), code, part_no, rev, is_active)


def _split(run: Import, code: str, cells: Reading) -> tuple[str, str]:
    """Return part number and revision of a product code."""
    if run.mapping.choose("types", cells.text("type")).get("type") == PartType.SERVICE:
        return code, ""
    for rule in run.mapping.choices["revisions"]:
        if match := rule.pattern.fullmatch(code):
            return match["part"], match["rev"]
    return code, run.default("no_revision")


def _processes(run: Import) -> Iterator[Item]:
    """Yield the outside processes that the mapping file describes."""
    seen: set[str] = set()
    rows = run.sheet("products").rows
    for rule in run.mapping.choices["processes"]:
        values = {name: value for name, value in rule.values.items() if name != "code"}
        code = str(rule.values.get("code", ""))
        if not code or code in seen or not rows:
            continue
        seen.add(code)
        yield _process(run, code, values)


def _process(run: Import, code: str, values: Mapping[str, Any]) -> Item:
    def insert(act: Act) -> OutsideProcess:
        found = act.session.scalar(select(OutsideProcess).where(OutsideProcess.code == code))
        process = found or OutsideProcess(code=code, **values)
        act.session.add(process)
        return process

    def update(_act: Act, process: OutsideProcess) -> Outcome:
        assign(process, values)
        return Outcome.CHANGED

    row = run.sheet("products").rows[0]
    return Item(OutsideProcess, "process", code, code, row, values, insert, update)


def _parts(run: Import, products: list[Product]) -> Iterator[Item]:
    newest: dict[str, Product] = {}
    active: set[str] = set()
    for product in products:
        best = newest.get(product.part_no)
        if best is None or product.rank > best.rank:
            newest[product.part_no] = product
        if product.is_active:
            active.add(product.part_no)
    for part_no, product in newest.items():
        yield _part(run, product, is_active=part_no in active)


def _part(run: Import, product: Product, *, is_active: bool) -> Item:
    cells = product.cells
    category, name = cells.text("category"), cells.text("name", limit=200)
    process = run.mapping.choose("processes", product.code).get("code") if not product.rev else None
    values: dict[str, Any] = {
        "part_no": product.part_no,
        "name": name,
        "description": cells.text("description"),
        "type": _type(run, cells),
        "base_uom": run.mapping.words["units"][cells.text("uom")],
        "commodity": run.mapping.choose("categories", category).get("commodity", ""),
        "criticality": run.mapping.choose("criticality", f"{category}: {name}").get("criticality", "STD"),
        "lot_control": "LOT" if cells.text("lot_control") else "NONE",
        "process_code": process,
        "is_active": is_active,
    }

    def insert(act: Act) -> Part:
        part = Part(**values, origin=Origin.ERP)
        act.session.add(part)
        return part

    def update(_act: Act, part: Part) -> Outcome:
        assign(part, values)
        return Outcome.CHANGED

    if product.rev:
        return Item(Part, "part", product.part_no, product.part_no, cells.row, values, insert, update)
    return Item(Part, "product", product.native_id, product.code, cells.row, values, insert, update)


def _type(run: Import, cells: Reading) -> PartType:
    kind = run.mapping.choose("types", cells.text("type")).get("type")
    if kind:
        return PartType(kind)
    return PartType.MAKE if cells.truth("is_made", otherwise=False) else PartType.BUY


def _revisions(run: Import, products: list[Product]) -> Iterator[Item]:
    definitions = _definitions(run)
    by_part: dict[str, list[Product]] = {}
    for product in products:
        if product.rev:
            by_part.setdefault(product.part_no, []).append(product)
    for part_no, family in by_part.items():
        part_id = run.id_of("part", part_no)
        family.sort(key=lambda product: product.rank)
        released = max((product for product in family if product.is_active), key=lambda found: found.rank, default=None)
        for product in family:
            if part_id is None:
                run.leave_out("revisions")
                continue
            status = _status(product, released)
            run.revision_statuses[product.native_id] = status
            yield _revision(run, product, part_id, status, definitions.get(product.native_id, []))


def _status(product: Product, released: Product | None) -> RevisionStatus:
    """Return the status of a revision: the newest active one is released, active older ones are superseded."""
    if product is released:
        return RevisionStatus.RELEASED
    return RevisionStatus.SUPERSEDED if product.is_active else RevisionStatus.OBSOLETE


def _revision(
    run: Import, product: Product, part_id: str, status: RevisionStatus, definitions: list[dict[str, str]]
) -> Item:
    def insert(act: Act) -> PartRevision:
        revision = PartRevision(part_id=part_id, rev=product.rev, status=_born(act, part_id, status), origin=Origin.ERP)
        act.session.add(revision)
        act.session.flush()
        act.session.add_all(
            ProductDefinitionRef(part_revision_id=revision.id, kind=DefinitionKind(given["kind"]), **_reference(given))
            for given in definitions
        )
        if revision.status is not status:
            item = f"{product.part_no}/{product.rev}"
            kept: dict[str, str | None] = {"status": revision.status.value, "item": item}
            differ(act, revision, kept, {"status": status.value, "item": item}, system=run.mapping.system)
        return revision

    def update(act: Act, revision: PartRevision) -> Outcome:
        theirs: dict[str, str | None] = {"status": status.value, "item": f"{product.part_no}/{product.rev}"}
        ours: dict[str, str | None] = {"status": revision.status.value, "item": revision.number}
        theirs |= {_path(given["kind"], given["native_id"]): given["content_hash"] for given in definitions}
        ours |= {_path(kept.kind, kept.native_id): kept.content_hash for kept in revision.definitions}
        noted = differ(act, revision, ours, theirs, system=run.mapping.system)
        return Outcome.CHANGED if noted is Outcome.UNCHANGED else noted

    content = {"part_no": product.part_no, "rev": product.rev, "status": status.value, "definitions": definitions}
    return Item(PartRevision, "product", product.native_id, product.code, product.cells.row, content, insert, update)


def _born(act: Act, part_id: str, status: RevisionStatus) -> RevisionStatus:
    """Return the status in which a new revision arrives: it waits for its change order where another one is released here."""
    others = select(PartRevision.id).where(
        PartRevision.part_id == part_id, PartRevision.status == RevisionStatus.RELEASED
    )
    is_second = status is RevisionStatus.RELEASED and act.session.scalars(others).first() is not None
    return RevisionStatus.IN_REVIEW if is_second else status


def _path(kind: str, native_id: str) -> str:
    return f"{kind}.{native_id}.definition"


def _reference(given: Mapping[str, str]) -> dict[str, str]:
    return {name: given[name] for name in ("system", "native_id", "native_rev", "content_hash")}


def _definitions(run: Import) -> dict[str, list[dict[str, str]]]:
    """Return, by native product id, the references to bills of material and routings that define it."""
    found: dict[str, list[dict[str, str]]] = {}
    made_by: dict[str, set[str]] = {}
    for family in run.families("boms"):
        head = run.reading("boms", family.head)
        reference = _defines(run, "BOM", head, family.rows)
        for row in family.children(run.mapping["boms.outputs"].column("id")):
            native = run.reading("boms.outputs", row).text("product")
            made_by.setdefault(head.text("name"), set()).add(native)
            found.setdefault(native, []).append(reference)
    for family in run.families("routings"):
        head = run.reading("routings", family.head)
        reference = _defines(run, "ROUTING", head, family.rows)
        for name in members(head.text("boms")):
            for native in sorted(made_by.get(name, ())):
                found.setdefault(native, []).append(reference)
    return found


def _defines(run: Import, kind: str, head: Reading, rows: tuple[Any, ...]) -> dict[str, str]:
    named = NAMED_REVISION.search(head.text("name"))
    return {
        "kind": kind,
        "system": run.mapping.system,
        "native_id": head.text("id"),
        "native_rev": named[1] if named else "",
        "content_hash": content_hash([dict(row.cells) for row in rows]),
    }


def members(text: str) -> list[str]:
    r"""Split a list that stands in one cell: joined by commas, a comma inside a member written as ``\,``."""
    return [member.replace("\\,", ",").replace('\\"', '"') for member in re.split(r"(?<!\\),", text) if member]
