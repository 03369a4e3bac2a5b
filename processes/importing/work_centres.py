"""Work centres, their machines, and how each part revision is made, as the ERP's routings say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from engine.act import Act
from processes.importing.bringing import Import, Item, Outcome, assign
from processes.importing.parts import members
from processes.importing.reading import Reading
from records.calendar import Site
from records.part import OutsideProcess, PartRevision
from records.resource import Resource, ResourceKind, WorkCentre
from records.routing import OperationKind, RoutingOperation, routing_of


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a routing that was read. process: of an outside operation, else empty."""

    op_no: int
    name: str
    centre: str
    process: str


def bring_routings(run: Import, site: Site) -> None:
    """Bring in work centres and the steps of every routing whose rows can all be read."""
    if "routings.steps" not in run.mapping.sections:
        return
    routings = list(_routings(run))
    centres = {step.centre: head for head, steps, _ in routings for step in steps if step.centre and not step.process}
    run.bring("work centres", (_centre(run, site, code, head) for code, head in centres.items()))
    run.bring("routings", (_routing(run, *routing) for routing in routings))


def process_of(run: Import, operation: str) -> str:
    """Return the outside process that an operation's name tells of, empty for one that is done here."""
    return str(run.mapping.choose("operations", operation).get("code", ""))


def process_is_special(act: Act, code: str) -> bool:
    """Return whether a process needs qualified people and approved sources."""
    return bool(act.session.scalar(select(OutsideProcess.is_special).where(OutsideProcess.code == code)))


def _routings(run: Import) -> Iterator[tuple[Reading, list[Step], str]]:
    makes = _made_by(run)
    taken: set[str] = set()
    for family in run.families("routings"):
        head = run.reading("routings", family.head)
        steps: list[Step] = []
        is_good = head.is_good
        for row in family.children(run.mapping["routings.steps"].column("id")):
            cells = run.reading("routings.steps", row)
            name = cells.needed("operation")
            steps.append(
                Step(op_no_of(cells), name, cells.text("work_centre", limit=40).upper(), process_of(run, name))
            )
            run.centres.setdefault(name, steps[-1].centre)
            is_good = is_good and cells.is_good
        product = next((made for bom in members(head.text("boms")) for made in makes.get(bom, ())), "")
        if not is_good or len({step.op_no for step in steps}) < len(steps):
            if is_good:
                head.error("name", "DOUBLE_STEP", "Expected each step of a routing once, but two have one number")
            run.leave_out("routings")
        elif head.truth("is_active") and steps and product and product not in taken:
            taken.add(product)
            yield head, steps, product


def op_no_of(cells: Reading) -> int:
    """Return the number of an operation; none is a problem."""
    number = cells.whole("op_no")
    if number <= 0:
        cells.error("op_no", "BAD_NUMBER", "Expected the number of an operation, above 0, but there is none")
    return number


def _made_by(run: Import) -> dict[str, list[str]]:
    """Return by the name of a bill of materials the native products it makes."""
    found: dict[str, list[str]] = {}
    for family in run.families("boms"):
        name = run.reading("boms", family.head).text("name")
        for row in family.children(run.mapping["boms.outputs"].column("id")):
            found.setdefault(name, []).append(run.reading("boms.outputs", row).text("product"))
    return found


def _centre(run: Import, site: Site, code: str, head: Reading) -> Item:
    values: dict[str, Any] = {"name": code.capitalize()}

    def insert(act: Act) -> WorkCentre:
        found = act.session.scalar(select(WorkCentre).where(WorkCentre.code == code))
        centre = found or WorkCentre(code=code, site_id=site.id, currency=run.default("currency"), **values)
        act.session.add(centre)
        return centre

    def update(_act: Act, centre: WorkCentre) -> Outcome:
        return Outcome.CHANGED if assign(centre, values) else Outcome.UNCHANGED

    return Item(WorkCentre, "work_centre", code, code, head.row, {"code": code, **values}, insert, update)


def _routing(run: Import, head: Reading, steps: list[Step], product: str) -> Item:
    def write(act: Act) -> PartRevision:
        known = run.known.get(("product", product))
        if known is None:
            head.error("boms", "UNKNOWN_PRODUCT", "Expected a product of this extract, but it was not brought in")
        revision = act.session.get_one(PartRevision, known.record_id if known else "")
        for former in routing_of(act.session, revision):
            act.session.delete(former)
        act.session.flush()
        for step in steps:
            special = process_is_special(act, step.process) if step.process else False
            act.session.add(
                RoutingOperation(
                    part_revision_id=revision.id, op_no=step.op_no, description=step.name, is_special=special,
                    kind=OperationKind.OUTSIDE if step.process else OperationKind.INTERNAL,
                    process_code=step.process or None, is_certificate_required=special,
                    work_centre_id=None if step.process else run.id_of("work_centre", step.centre),
                )
            )  # fmt: skip
        return revision

    def update(act: Act, _revision: PartRevision) -> Outcome:
        write(act)
        return Outcome.CHANGED

    content = {"product": product, "steps": [[step.op_no, step.name, step.centre, step.process] for step in steps]}
    return Item(PartRevision, "routing", head.text("id"), head.text("name")[:200], head.row, content, write, update)


def bring_machines(run: Import, names: dict[str, tuple[str, Reading]]) -> None:
    """Bring in the machines that work orders name. names: by code the work centre and where it was read."""
    run.bring("machines", (_machine(run, code, centre, cells) for code, (centre, cells) in names.items()))


def _machine(run: Import, code: str, centre: str, cells: Reading) -> Item:
    def insert(act: Act) -> Resource:
        found = act.session.scalar(select(Resource).where(Resource.code == code))
        machine = found or Resource(
            code=code, name=code, kind=ResourceKind.EQUIPMENT, work_centre_id=run.id_of("work_centre", centre)
        )
        act.session.add(machine)
        return machine

    def update(_act: Act, _machine: Resource) -> Outcome:
        return Outcome.UNCHANGED

    return Item(Resource, "machine", code, code, cells.row, {"code": code}, insert, update)
