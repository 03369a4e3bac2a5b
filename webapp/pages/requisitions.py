"""Requisitions: the list, the form with lines and its live preview, the page of one; suggestions while typing."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from sqlalchemy import or_, select
from sqlalchemy.orm import Session, selectinload
from werkzeug.wrappers import Response as Answer

from engine.act import Act
from engine.database import is_id, new_id
from engine.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from processes import requisition_to_po, submission, withdrawal
from records.calendar import site_called
from records.cost_centre import CostCentre
from records.numbering import next_number
from records.part import Part, PartRevision, RevisionStatus
from records.person import User
from records.purchase_order import PurchaseOrder, PurchaseOrderLine
from records.requisition import Priority, Requisition, RequisitionLine, RequisitionStatus, requisition_hash
from records.sourcing import ExchangeRate
from records.supplier import CataloguePrice, Supplier
from records.units import UNITS
from webapp import approval_preview, both_sides, document_page, formats, listing, requisition_form, sheet, wording
from webapp.refusals import status_of
from webapp.requisition_form import Typed
from webapp.visit import acting, read_anew, reading, visitor

pages = Blueprint("requisitions", __name__)

Page = str | tuple[str, int] | Answer
EDITABLE = frozenset({RequisitionStatus.DRAFT, RequisitionStatus.RETURNED})
MOST_SUGGESTIONS = 12
LONGEST_REASON = 4000


@pages.get("/requisitions")
def index() -> str:
    """List requisitions, newest first."""
    page = look_up(*listing.search())
    return render_template("documents/requisitions.html", page=page, states=list(RequisitionStatus), may_ask=may_ask())


COLUMNS: dict[str, sheet.Column] = {
    "number": "number", "title": "title", "requester": "requester.name", "state": "status", "priority": "priority",
    "cost_centre": "cost_centre.code", "project": "project", "lines": lambda one: len(one.lines), "total": "total",
    "currency": "currency", "need_by": "need_by", "submitted_at": "submitted_at",
}  # fmt: skip


@sheet.offered(pages, "/requisitions")
def export() -> sheet.Sheet:
    """Hand out the requisitions that a search finds, the newest first."""
    return sheet.of_page("requisitions", sheet.whole(look_up), COLUMNS)


def look_up(query: str, state: str, after: str, *, limit: int = listing.LIMIT) -> listing.Listing:
    """Return a page of requisitions by number, title or requester, newest first."""
    wanted = select(Requisition).options(selectinload(Requisition.lines), selectinload(Requisition.requester))
    if query:
        found = listing.contains(query, Requisition.number, Requisition.title, User.name)
        wanted = wanted.join(User, Requisition.requester_id == User.id).where(found)
    if state:
        wanted = wanted.where(Requisition.status == state)
    return listing.newest_first(reading(), wanted, Requisition, query=query, state=state, after=after, limit=limit)


@pages.route("/requisitions/new", methods=["GET", "POST"])
def new() -> Page:
    """Show an empty form; on POST keep it as a draft, or submit it."""
    refuse_others()
    if request.method != "POST":
        return _show_form(None, requisition_form.with_line(requisition_form.typed_from(_first_values())), is_fresh=True)
    return _handle(None)


@pages.route("/requisitions/<record_id>/edit", methods=["GET", "POST"])
def edit(record_id: str) -> Page:
    """Show the form of a draft or returned requisition; on POST keep it, or submit it."""
    requisition = find(reading(), record_id)
    refuse_edit(requisition)
    if request.method != "POST":
        return _show_form(requisition, requisition_form.typed_of(requisition, wording.plain_number))
    return _handle(requisition)


@pages.post("/requisitions/<record_id>/withdraw")
def withdraw(record_id: str) -> Page:
    """Cancel a requisition that others still decide on; whoever was asked is told."""
    requisition = find(reading(), record_id)
    try:
        with acting() as act:
            stored = find(act.session, record_id)
            withdrawal.withdraw_requisition(act, stored, reason=request.form.get("reason", "")[:LONGEST_REASON])
    except Refused as refusal:
        return _show(find(read_anew(), record_id), refusal), status_of(refusal)
    flash(f"{requisition.number} is withdrawn. Whoever was asked is told.", "good")
    return redirect(url_for("requisitions.show", record_id=record_id), 303)


@pages.post("/requisitions/preview")
def preview() -> str:
    """Show totals, who will approve and what is wrong, for the form as it is typed; nothing is written."""
    typed_now = requisition_form.typed_from(request.form)
    return render_template("documents/requisition_preview.html", **_preview_values(typed_now))


@pages.get("/requisitions/<record_id>")
def show(record_id: str) -> str:
    """Show one requisition with everything around it."""
    return _show(find(reading(), record_id))


def _show(requisition: Requisition, refusal: Refused | None = None) -> str:
    session = reading()
    content = requisition.submitted_hash or requisition.approved_hash
    return render_template(
        "documents/requisition.html", document=requisition, beside=document_page.beside(session, requisition, content),
        orders=orders_of(session, requisition), may_edit=_may_edit(requisition), content_hash=content,
        tab=request.args.get("tab", "summary"), refusal=refusal, form=request.form,
        errors=refusal.fields if isinstance(refusal, Invalid) else {},
        may_withdraw=requisition.status in withdrawal.UNDECIDED and _is_own(requisition),
    )  # fmt: skip


@pages.get("/suggest/parts")
def suggest_parts() -> Response:
    """Suggest parts and services by number or name."""
    query = request.args.get("q", "").strip()[:60]
    wanted = select(Part).where(Part.is_active.is_(True), listing.contains(query, Part.part_no, Part.name))
    found = reading().scalars(
        wanted.options(selectinload(Part.revisions)).order_by(Part.part_no).limit(MOST_SUGGESTIONS)
    )
    return jsonify(items=[_part_item(part) for part in found])


@pages.get("/suggest/revisions")
def suggest_revisions() -> Response:
    """Suggest the revisions of a part, each with its state."""
    wanted = select(PartRevision).join(Part).where(Part.part_no == request.args.get("part", "").strip())
    found = reading().scalars(wanted.order_by(PartRevision.rev))
    items = [{"value": one.rev, "label": formats.words(one.status)} for one in found]
    return jsonify(items=items[:MOST_SUGGESTIONS])


@pages.get("/suggest/suppliers")
def suggest_suppliers() -> Response:
    """Suggest suppliers by number or name, those with a price for the part first."""
    query, part_no = request.args.get("q", "").strip()[:60], request.args.get("part", "").strip()
    prices = _prices(reading(), part_no, request.args.get("revision", "").strip())
    wanted = select(Supplier).where(
        Supplier.is_active.is_(True), listing.contains(query, Supplier.supplier_no, Supplier.name)
    )
    found = list(reading().scalars(wanted.order_by(Supplier.supplier_no).limit(200)))
    found.sort(key=lambda one: one.id not in prices)
    currency = request.args.get("currency", "")
    return jsonify(items=[_supplier_item(one, prices.get(one.id), currency) for one in found[:MOST_SUGGESTIONS]])


def _handle(requisition: Requisition | None) -> Page:
    """Do what the pressed button says: change the rows of the form, keep a draft, or submit."""
    typed_now = requisition_form.typed_from(request.form)
    if "add_line" in request.form:
        return _show_form(requisition, requisition_form.with_line(typed_now))
    if "remove_line" in request.form:
        return _show_form(requisition, requisition_form.without_line(typed_now, request.form["remove_line"]))
    is_submitted = request.form.get("way") == "submit"
    try:
        with acting() as act:
            stored = _store(act, requisition, typed_now)
            if is_submitted:
                submit(act, stored)
    except AlreadyWritten as refusal:
        made = find(read_anew(), request.form["form_id"])
        if made.requester_id == visitor().user_id and _is_the_same(made, typed_now):
            flash(f"{made.number} was written once; pressing twice writes nothing twice.", "good")
            return redirect(url_for("requisitions.show", record_id=made.id), 303)
        return _show_form(None, typed_now, refusal), status_of(refusal)
    except Refused as refusal:
        typed_now.errors = refusal.fields if isinstance(refusal, Invalid) else {}
        return _show_form(_again(requisition), typed_now, refusal), status_of(refusal)
    if stored.status == RequisitionStatus.RETURNED:
        return _back_to_task(stored)
    said = "is submitted; its page says whom it waits for" if is_submitted else "is kept as a draft"
    flash(f"{stored.number} {said}.", "good")
    return redirect(url_for("requisitions.show", record_id=stored.id), 303)


def _back_to_task(stored: Requisition) -> Answer:
    """Lead whoever corrected a returned requisition to the task that resubmits it."""
    mine = document_page.own_tasks(read_anew(), stored.record_type, stored.id)
    onward = "Say what you changed, and resubmit it here." if mine else "It is resubmitted in its task."
    flash(f"The changes of {stored.number} are kept. {onward}", "good")
    if mine:
        return redirect(url_for("review.show", task_id=mine[0].id), 303)
    return redirect(url_for("requisitions.show", record_id=stored.id), 303)


def _store(act: Act, requisition: Requisition | None, typed_now: Typed) -> Requisition:
    """Write the form into a new or a known requisition. Raises: Invalid; Conflict when somebody changed it meanwhile."""
    if requisition is None:
        return write_new(act, typed_now, form_id=request.form.get("form_id", ""))
    stored = find(act.session, requisition.id)
    refuse_edit(stored)
    if request.form.get("seen_hash") != requisition_hash(stored):
        raise Conflict(
            f"Expected {stored.number} as you opened it, but it was changed meanwhile. Your text is still here.",
            code=both_sides.CODE,
        )
    return rewrite(act, stored, typed_now)


class AlreadyWritten(Conflict):
    """The form was sent before: a double click, or a page that somebody went back to."""

    code = "ALREADY_WRITTEN"


def write_new(act: Act, typed_now: Typed, *, form_id: str = "") -> Requisition:
    """Write what was typed as a new draft of the visitor's. form_id: what the form was opened under; it counts once.

    Raises: Invalid; AlreadyWritten.
    """
    stored = blank(act.session)
    if is_id(form_id):
        stored.id = form_id
    stored.number = "(new)"
    with act.session.no_autoflush:
        requisition_form.fill(act.session, stored, typed_now, visitor().how)
        stored.number = next_number(act, "REQ", site=stored.site)
        # Whoever sends the same form at the same instant waited for that number, and sees here what the first one wrote.
        if act.session.scalar(select(Requisition.id).where(Requisition.id == stored.id)) is not None:
            raise AlreadyWritten(
                "Expected a form that was not sent yet, but this one was, and made a requisition. Your text is still here:"
                " send it again to ask for it a second time."
            )
        act.session.add(stored)
    act.session.flush()
    return stored


def rewrite(act: Act, stored: Requisition, typed_now: Typed) -> Requisition:
    """Write what was typed over a requisition that may be edited. Raises: Invalid."""
    with act.session.no_autoflush:
        requisition_form.fill(act.session, stored, typed_now, visitor().how)
    act.session.flush()
    return stored


def submit(act: Act, requisition: Requisition) -> None:
    """Start the process; what its first step would send back is said here at once. Raises: Invalid."""
    problems = submission.problems_of(act, requisition)
    if problems:
        raise Invalid(" ".join(problems), requisition_form.problems_as_fields(act, problems), code="NOT_READY")
    requisition_to_po.start(act, requisition)


def blank(session: Session) -> Requisition:
    """Return an empty requisition of the visitor, not stored yet."""
    site = site_called(session, session.get_one(User, visitor().user_id).site_code)
    return Requisition(site=site, site_id=site.id, requester_id=visitor().user_id, currency=site.currency)


def _is_the_same(made: Requisition, typed_now: Typed) -> bool:
    """Tell whether a stored requisition says what was typed."""
    session = reading()
    draft = blank(session)
    with session.no_autoflush:
        try:
            requisition_form.fill(session, draft, typed_now, visitor().how)
        except Invalid:
            return False
        pair = [requisition_form.typed_of(one, wording.plain_number) for one in (made, draft)]
        session.expunge(draft) if draft in session else None
    told = [(one.header, [line | {"id": ""} for line in one.lines]) for one in pair]
    return told[0] == told[1]


def _again(requisition: Requisition | None) -> Requisition | None:
    return find(read_anew(), requisition.id) if requisition is not None else None


def _show_form(
    requisition: Requisition | None, typed_now: Typed, refusal: Refused | None = None, *, is_fresh: bool = False
) -> str:
    session = reading()
    values = _preview_values(typed_now)
    if is_fresh:
        values["open_errors"] = {}
    centres = session.execute(
        select(CostCentre.code, CostCentre.name).where(CostCentre.is_active).order_by(CostCentre.code)
    )
    currencies = session.scalars(select(ExchangeRate.currency).distinct())
    site = site_called(session, session.get_one(User, visitor().user_id).site_code)
    return render_template(
        "documents/requisition_form.html", requisition=requisition, typed=typed_now, errors=typed_now.errors,
        refusal=refusal, centres=[(code, f"{code} {name}") for code, name in centres],
        currency_options=[(code, code) for code in sorted({site.currency, *currencies})],
        units=[(code, code) for code in sorted(UNITS)], priority_options=[(one.value, formats.words(one)) for one in Priority],
        seen_hash=_seen_hash(requisition, refusal), sides=_sides(requisition, typed_now, refusal),
        line_numbers=_line_numbers(requisition, typed_now), form_id=_form_id(requisition, refusal), **values,
    )  # fmt: skip


def _seen_hash(requisition: Requisition | None, refusal: Refused | None) -> str:
    """Return which content the form is about: the present one once the visitor was shown what the other kept."""
    if requisition is not None and (_is_stale(refusal) or not request.form.get("seen_hash")):
        return requisition_hash(requisition)
    return request.form.get("seen_hash", "")


def _sides(requisition: Requisition | None, typed_now: Typed, refusal: Refused | None) -> list[both_sides.Sides]:
    """Return where the visitor's text differs from what somebody else kept meanwhile."""
    if requisition is None or not _is_stale(refusal):
        return []
    kept = requisition_form.typed_of(requisition, wording.plain_number)
    return [*both_sides.of_fields(typed_now.header, kept.header), *both_sides.of_lines(typed_now.lines, kept.lines)]


def _is_stale(refusal: Refused | None) -> bool:
    return refusal is not None and refusal.code == both_sides.CODE


def _form_id(requisition: Requisition | None, refusal: Refused | None) -> str:
    """Return what a new form is opened under: kept while it is filled in, another one once it was sent."""
    if requisition is not None:
        return ""
    given = request.form.get("form_id", "")
    return given if is_id(given) and not isinstance(refusal, AlreadyWritten) else new_id()


def _line_numbers(requisition: Requisition | None, typed_now: Typed) -> list[int]:
    """Return the number each typed line has or will get."""
    known = {line.id: line.line_no for line in requisition.lines} if requisition else {}
    numbers, last = [], max(known.values(), default=0)
    for line in typed_now.lines:
        if line["id"] not in known:
            last += 1
        numbers.append(known.get(line["id"], last))
    return numbers


def _preview_values(typed_now: Typed) -> dict[str, Any]:
    """Return totals and plan of what was typed, as far as it can be read; on objects that are never stored."""
    session = reading()
    draft, errors = blank(session), {}
    draft.number = "(new)"
    with session.no_autoflush:
        try:
            requisition_form.fill(session, draft, typed_now, visitor().how)
        except Invalid as refusal:
            errors = refusal.fields
        sums = [
            line.amount if f"lines.{index}.quantity" not in errors else None for index, line in enumerate(draft.lines)
        ]
        plan = approval_preview.preview(session, draft) if draft.cost_centre and draft.lines else None
        total = draft.total if draft.lines else None
        values = {"sums": sums, "total": total, "currency": draft.currency, "plan": plan, "open_errors": errors}
        session.expunge(draft) if draft in session else None
    return values


def _first_values() -> dict[str, str]:
    """Return what an empty form starts with: the requester's own cost centre and the site's currency."""
    user = reading().get_one(User, visitor().user_id)
    site = site_called(reading(), user.site_code)
    return {"currency": site.currency, "priority": Priority.NORMAL, "cost_centre": user.cost_centre_code or ""}


def find(session: Session, record_id: str) -> Requisition:
    """Return a requisition. Raises: NotFound."""
    found = session.get(Requisition, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a requisition at this address, but there is none.")
    return found


def refuse_others() -> None:
    """Refuse a visitor who may not ask for a purchase. Raises: Forbidden."""
    if not may_ask():
        raise Forbidden("Expected somebody with the role Requester to ask for a purchase, but you do not hold it.")


def may_ask() -> bool:
    """Tell whether the visitor may ask for a purchase."""
    return visitor().holds("REQUESTER", "BUYER")


def _may_edit(requisition: Requisition) -> bool:
    return requisition.status in EDITABLE and _is_own(requisition)


def _is_own(requisition: Requisition) -> bool:
    """Tell whether the visitor answers for a requisition: its requester, or a buyer where that person cannot sign in."""
    if requisition.requester_id == visitor().user_id:
        return True
    requester = requisition.requester
    return not (requester.can_sign_in and requester.is_active) and visitor().holds("BUYER")


def refuse_edit(requisition: Requisition) -> None:
    """Refuse to edit somebody else's requisition, or one that is under way. Raises: Forbidden; Conflict."""
    if not _is_own(requisition):
        name = wording.person_name(requisition.requester_id)
        raise Forbidden(
            f"Expected {name}, who requested {requisition.number}, to change it, but you are somebody else."
        )
    if requisition.status not in EDITABLE:
        state = formats.words(requisition.status).lower()
        raise Conflict(
            f"Expected {requisition.number} to be a draft or returned, but it is {state}. Ask an approver to return it.",
            code="ILLEGAL_TRANSITION",
        )


def orders_of(session: Session, requisition: Requisition) -> list[PurchaseOrder]:
    """Return the orders that something of a requisition stands on."""
    wanted = (
        select(PurchaseOrder)
        .join(PurchaseOrderLine, PurchaseOrderLine.order_id == PurchaseOrder.id)
        .join(RequisitionLine, PurchaseOrderLine.requisition_line_id == RequisitionLine.id)
        .where(RequisitionLine.requisition_id == requisition.id)
    )
    return list(session.scalars(wanted.distinct()))


def _part_item(part: Part) -> dict[str, Any]:
    released = [one.rev for one in part.revisions if one.status is RevisionStatus.RELEASED]
    state = f"rev {released[-1]} released" if released else formats.words(part.type)
    fills = {
        "revision": released[-1] if released else "",
        "uom": part.base_uom,
        "process_code": part.process_code or "",
    }
    return {"value": part.part_no, "label": f"{part.name} · {state}", "fills": fills}


def _prices(session: Session, part_no: str, rev: str) -> dict[str, CataloguePrice]:
    """Return the lowest-quantity price of each supplier for a part revision or a service."""
    if not part_no:
        return {}
    wanted = select(CataloguePrice).outerjoin(PartRevision).outerjoin(Part).where(CataloguePrice.is_active.is_(True))
    of_part = (Part.part_no == part_no) & (PartRevision.rev == rev) if rev else Part.part_no == part_no
    wanted = wanted.where(or_(of_part, CataloguePrice.service_code == part_no))
    prices: dict[str, CataloguePrice] = {}
    for price in session.scalars(wanted.order_by(CataloguePrice.min_quantity)):
        prices.setdefault(price.supplier_id, price)
    return prices


def _supplier_item(supplier: Supplier, price: CataloguePrice | None, currency: str) -> dict[str, Any]:
    """Return a suggestion; it fills in the price only in the currency of the form, where the number means the same."""
    label = f"{supplier.name} · {formats.words(supplier.status).lower()}"
    if price is None:
        return {"value": supplier.supplier_no, "label": label, "fills": {}}
    shown = formats.money(price.unit_price, price.currency, visitor().how, unit_price=True)
    fills = {"estimated_price": wording.plain_number(price.unit_price)} if price.currency == currency else {}
    return {"value": supplier.supplier_no, "label": f"{label} · {shown}", "fills": fills}
