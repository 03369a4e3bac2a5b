"""What is known of a supplier, on its page: write a screening, a sub-tier, a first article, a change or a re-check down, and sign."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from engine.act import Act
from engine.database import is_id
from engine.errors import Invalid, NotFound, Refused
from processes import supplier_records as records
from processes import supplier_standing as standing
from processes.supplier_watch import look
from records.part import OutsideProcess, Part, process_words
from records.signature import Meaning
from records.supplier import Supplier, SupplierApproval, SupplierSite, SupplierStatus
from records.supplier_knowledge import (
    ApprovalRecheck,
    ArticleCause,
    ArticleScope,
    ChangeKind,
    Declarant,
    RecheckStatus,
    ScreeningResult,
    SubTier,
    SubTierStatus,
)
from rules.supplier_facts import limits_for
from webapp import formats, typed
from webapp.pages import orders, suppliers
from webapp.refusals import status_of
from webapp.signing_form import errors_of, read_reason, read_signature, signing_values
from webapp.typed import Unreadable
from webapp.visit import acting, now, read_anew, reading, visitor

pages = Blueprint("supplier_records", __name__)

Page = str | tuple[str, int] | Answer
Found = TypeVar("Found", SubTier, ApprovalRecheck)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form. kind: text, date, textarea or select; options: (value, words) of a select."""

    name: str
    label: str
    kind: str = "text"
    needed: bool = False
    hint: str = ""
    options: Sequence[tuple[str, str]] = ()
    blank: str = "Choose…"
    longest: int = 200


@dataclass(frozen=True, slots=True)
class Form:
    """A form of one kind of record. lead: what follows from it; done: said when it is written."""

    title: str
    lead: str
    button: str
    fields: Sequence[Field]
    done: str
    roles: Sequence[str]


def words_of(kind: Any) -> list[tuple[str, str]]:
    """Return the values of a list of words with what people read."""
    return [(one.value, formats.words(one)) for one in kind]


@pages.route("/suppliers/<record_id>/screenings/new", methods=["GET", "POST"])
def screening(record_id: str) -> Page:
    """Write down what a look at the sanctions and export lists found."""

    def write(act: Act, supplier: Supplier, given: Mapping[str, Any]) -> None:
        seen = records.Screened(
            _word(ScreeningResult, given, "result"), given["source"], on=given["screened_on"], reference=given["reference"],
            note=given["note"],
        )  # fmt: skip
        records.screen(act, supplier, seen)

    days = limits_for(None)["screening_days"]
    form = Form(
        "Screening", f"A clear one is good for {days} days. A hit stops orders and shipments at once.", "Keep the screening",
        (
            Field("screened_on", "Day of the look", "date", needed=True),
            Field("result", "Result", "select", needed=True, options=words_of(ScreeningResult)),
            Field("source", "Lists or service", needed=True, hint="Such as the consolidated screening list."),
            Field("reference", "Number of the search"),
            Field("note", "What was found", "textarea", hint="Needed for anything that is not clear.", longest=4000),
        ),
        "The screening is kept.", records.SCREENERS,
    )  # fmt: skip
    return _form_page(record_id, form, write)


@pages.route("/suppliers/<record_id>/sub-tiers/new", methods=["GET", "POST"])
def sub_tier(record_id: str) -> Page:
    """Declare who performs a process for the supplier."""
    supplier = suppliers.find(reading(), record_id)

    def write(act: Act, found: Supplier, given: Mapping[str, Any]) -> None:
        approval = act.session.get(SupplierApproval, given["approval_id"]) if is_id(given["approval_id"]) else None
        known = None
        if given["sub_tier_supplier_no"]:
            known = _supplier_called(act.session, given["sub_tier_supplier_no"])
        declared = records.Declared(
            given["name"] or (known.name if known else ""), given["process_code"], _word(Declarant, given, "declarant"),
            on=given["declared_on"], spec=given["spec"] or None, address=given["address"], sub_tier_supplier=known,
            approval=approval, certificate_no=given["certificate_no"] or None, valid_to=given["valid_to"], note=given["note"],
        )  # fmt: skip
        records.declare_sub_tier(act, found, declared)

    form = Form(
        "Sub-tier", "Until quality has approved it, orders of this process wait at the gate and no pieces leave.", "Declare",
        (
            Field("process_code", "Process", "select", needed=True, options=_processes()),
            Field("declarant", "Who says so", "select", needed=True, options=words_of(Declarant)),
            Field("name", "Name of the sub-tier", hint="Empty where its number says it."),
            Field("sub_tier_supplier_no", "Its supplier number here", hint="Where it is a supplier of ours too."),
            Field("spec", "Only to this specification", longest=40),
            Field("approval_id", "Only under this scope", "select", options=_scopes(supplier), blank="Every scope"),
            Field("certificate_no", "Its certificate", longest=40),
            Field("valid_to", "Approved until, inclusive", "date"),
            Field("declared_on", "Declared on", "date"),
            Field("address", "Address"),
            Field("note", "Note", "textarea", longest=4000),
        ),
        "The sub-tier is declared. Supplier quality is told.", records.DECLARERS,
    )  # fmt: skip
    return _form_page(record_id, form, write)


@pages.route("/suppliers/<record_id>/first-articles/new", methods=["GET", "POST"])
def first_article(record_id: str) -> Page:
    """Decide about a first article."""
    supplier = suppliers.find(reading(), record_id)

    def write(act: Act, found: Supplier, given: Mapping[str, Any]) -> None:
        article = records.Article(
            _word(ArticleCause, given, "cause"), _word(ArticleScope, given, "scope"), part=_part(act.session, given),
            process_code=given["process_code"] or None, site=_site(found, given),
        )  # fmt: skip
        records.decide_article(act, found, article, reason=given["reason"])

    form = Form(
        "First article", "New lines then ask for its report, until the first delivery after this decision.", "Decide",
        (
            Field("cause", "Why", "select", needed=True, options=words_of(ArticleCause)),
            Field("scope", "What is asked for", "select", needed=True, options=words_of(ArticleScope)),
            Field("part_no", "Part", hint="A part, or else a process.", longest=40),
            Field("process_code", "Process", "select", options=_processes(), blank="None"),
            Field("site_id", "Only of this site", "select", options=_sites(supplier), blank="Every site"),
            Field("reason", "Reason", "textarea", needed=True, longest=4000),
        ),
        "The decision is kept with your name.", records.DECIDERS,
    )  # fmt: skip
    return _form_page(record_id, form, write)


@pages.route("/suppliers/<record_id>/changes/new", methods=["GET", "POST"])
def change(record_id: str) -> Page:
    """Write down that the supplier changed how it works."""
    supplier = suppliers.find(reading(), record_id)

    def write(act: Act, found: Supplier, given: Mapping[str, Any]) -> None:
        if given["effective_on"] is None:
            raise Invalid("Expected the day of the change, but there is none", {"effective_on": "is required"})
        changed = records.Changed(
            _word(ChangeKind, given, "kind"), given["statement"], given["effective_on"], noticed_on=given["noticed_on"],
            part=_part(act.session, given), process_code=given["process_code"] or None, site=_site(found, given),
        )  # fmt: skip
        records.note_change(act, found, changed)

    form = Form(
        "Change at the supplier", "A first article is decided about before the next order of what it touches.", "Keep the notice",
        (
            Field("kind", "What changes", "select", needed=True, options=words_of(ChangeKind)),
            Field("effective_on", "From", "date", needed=True),
            Field("noticed_on", "Told on", "date"),
            Field("part_no", "Only this part", longest=40),
            Field("process_code", "Only this process", "select", options=_processes(), blank="Every process"),
            Field("site_id", "Only this site", "select", options=_sites(supplier), blank="Every site"),
            Field("statement", "What the supplier says", "textarea", needed=True, longest=4000),
        ),
        "The notice is kept. Supplier quality is told.", records.DECLARERS,
    )  # fmt: skip
    return _form_page(record_id, form, write)


@pages.route("/suppliers/<record_id>/rechecks/<task_id>", methods=["GET", "POST"])
def recheck(record_id: str, task_id: str) -> Page:
    """Write down what the issuer of a certificate says of it."""
    task = _find(reading(), ApprovalRecheck, task_id)
    if task.approval.supplier_id != record_id:
        raise NotFound("Expected a re-check of this supplier at this address, but there is none.")
    number = task.approval.nadcap_certificate_no or task.approval.accreditation_no or ""

    def write(act: Act, found: Supplier, given: Mapping[str, Any]) -> None:
        stored = _find(act.session, ApprovalRecheck, task_id)
        records.recheck(act, stored, _word(RecheckStatus, given, "outcome"), note=given["note"])
        look(act, found)

    form = Form(
        f"Look {number} up again", f"For {task.approval.subject_words}, by {task.due_on}. Ask whoever issued it.", "Keep what was found",
        (
            Field(
                "outcome", "What the issuer says", "select", needed=True,
                options=[("CONFIRMED", "It is valid, with this scope"), ("REFUTED", "It is not, or with another scope")],
            ),
            Field("note", "What was found, and where", "textarea", needed=True, longest=4000),
        ),
        "What was found is kept with your name.", records.KEEPERS,
    )  # fmt: skip
    return _form_page(record_id, form, write)


@pages.route("/suppliers/<record_id>/sub-tiers/<sub_tier_id>/stop", methods=["GET", "POST"])
def stop_sub_tier(record_id: str, sub_tier_id: str) -> Page:
    """Refuse a sub-tier, or write down that it is used no more."""
    found = _sub_tier(reading(), record_id, sub_tier_id)

    def write(act: Act, supplier: Supplier, given: Mapping[str, Any]) -> None:
        stored = _sub_tier(act.session, supplier.id, sub_tier_id)
        records.stop_sub_tier(act, stored, _word(SubTierStatus, given, "to"), reason=given["reason"])
        look(act, supplier)

    form = Form(
        f"Stop {found.name}", f"For {process_words(found.process_code)}. Refused, it holds orders until it is used no more.", "Stop",
        (
            Field(
                "to", "What happens", "select", needed=True,
                options=[("REFUSED", "Refused: it may not do it"), ("ENDED", "The supplier uses it no more")],
            ),
            Field("reason", "Reason", "textarea", needed=True, longest=4000),
        ),
        f"{found.name} is stopped.", records.KEEPERS,
    )  # fmt: skip
    return _form_page(record_id, form, write)


@pages.route("/suppliers/<record_id>/suspend", methods=["GET", "POST"])
def suspend(record_id: str) -> Page:
    """Suspend the whole supplier at once."""

    def write(act: Act, supplier: Supplier, given: Mapping[str, Any]) -> None:
        standing.suspend_supplier(act, supplier, reason=given["reason"])

    form = Form(
        "Suspend the supplier",
        "From now on nothing is issued to it, no pieces leave for it, and what waits for inspection is kept apart.", "Suspend",
        (Field("reason", "Reason", "textarea", needed=True, longest=4000),),
        "The supplier is suspended. It comes back by a new signature.", standing.KEEPERS,
    )  # fmt: skip
    return _form_page(record_id, form, write)


@pages.route("/suppliers/<record_id>/standing/<to>", methods=["GET", "POST"])
def grade(record_id: str, to: str) -> Page:
    """Make the supplier conditional or approved, with a signature."""
    orders.need(*standing.KEEPERS)
    supplier, wanted = suppliers.find(reading(), record_id), _standing(to)
    if request.method == "GET":
        return _show_grade(supplier, wanted)
    try:
        with acting() as act:
            found = suppliers.find(act.session, record_id)
            seen = request.form.get("seen_hash", "")
            standing.grade(act, found, wanted, read_signature(), reason=read_reason(), seen_hash=seen)
    except Refused as refusal:
        return _show_grade(suppliers.find(read_anew(), record_id), wanted, refusal), status_of(refusal)
    flash(f"{supplier.name} is {formats.words(wanted).lower()} now. What waited for it goes on.", "good")
    return redirect(url_for("suppliers.show", record_id=record_id), 303)


@pages.route("/suppliers/<record_id>/sub-tiers/<sub_tier_id>/approve", methods=["GET", "POST"])
def approve_sub_tier(record_id: str, sub_tier_id: str) -> Page:
    """Approve a sub-tier with a signature."""
    orders.need(*records.KEEPERS)
    found = _sub_tier(reading(), record_id, sub_tier_id)
    if request.method == "GET":
        return _show_sub_tier(found)
    try:
        with acting() as act:
            stored = _sub_tier(act.session, record_id, sub_tier_id)
            seen = request.form.get("seen_hash", "")
            records.approve_sub_tier(act, stored, read_signature(), seen_hash=seen, reason=read_reason())
            look(act, stored.supplier)
    except Refused as refusal:
        return _show_sub_tier(_sub_tier(read_anew(), record_id, sub_tier_id), refusal), status_of(refusal)
    flash(f"{found.name} is approved for {process_words(found.process_code)} and signed.", "good")
    return redirect(url_for("suppliers.show", record_id=record_id, tab="known"), 303)


def _show_grade(supplier: Supplier, to: SupplierStatus, refusal: Refused | None = None) -> str:
    title = f"Make {supplier.name} {formats.words(to).lower()}"
    facts = [("Now", formats.words(supplier.status)), ("From now on", formats.words(to))]
    return _show_signing(supplier, title, facts, standing.standing_hash(supplier, to), refusal, state=supplier.status)


def _show_sub_tier(found: SubTier, refusal: Refused | None = None) -> str:
    facts = [
        ("Process", f"{found.process_code} {found.spec or ''}".strip()), ("Sub-tier", found.name),
        ("Address", found.address or "not told"), ("Certificate", found.certificate_no or "none"),
        ("Until", str(found.valid_to or "open")), ("Declared by", formats.words(found.declarant)),
    ]  # fmt: skip
    digest = records.sub_tier_hash(found)
    return _show_signing(found.supplier, f"Approve {found.name}", facts, digest, refusal, state=found.status)


def _show_signing(
    supplier: Supplier,
    title: str,
    facts: Sequence[tuple[str, str]],
    digest: str,
    refusal: Refused | None,
    *,
    state: str,
) -> str:
    return render_template(
        "documents/supplier_sign.html", document=supplier, title=title, state=state, facts=facts, content_hash=digest, refusal=refusal,
        form=request.form, errors=errors_of(refusal), **signing_values(reading(), Meaning.APPROVED),
    )  # fmt: skip


def _form_page(record_id: str, form: Form, write: Callable[[Act, Supplier, Mapping[str, Any]], None]) -> Page:
    """Show a form; on POST write what was typed down and go back to the supplier."""
    orders.need(*form.roles)
    if request.method == "GET":
        return _show_form(suppliers.find(reading(), record_id), form)
    try:
        given = _read(form)
        with acting() as act:
            supplier = suppliers.find(act.session, record_id)
            write(act, supplier, given)
            look(act, supplier)
    except Refused as refusal:
        return _show_form(suppliers.find(read_anew(), record_id), form, refusal), status_of(refusal)
    flash(form.done, "good")
    return redirect(url_for("suppliers.show", record_id=record_id, tab="known"), 303)


def _show_form(supplier: Supplier, form: Form, refusal: Refused | None = None) -> str:
    today = now().astimezone(visitor().how.zone).date().isoformat()
    return render_template(
        "documents/supplier_record_form.html", document=supplier, shape=form, refusal=refusal, form=request.form,
        errors=errors_of(refusal), today=today,
    )  # fmt: skip


def _read(form: Form) -> dict[str, Any]:
    """Return what was typed, days as days. Raises: Invalid with a sentence by field."""
    given: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for field in form.fields:
        text = request.form.get(field.name, "")
        try:
            given[field.name] = _day(text) if field.kind == "date" else typed.words(text, longest=field.longest)
        except Unreadable as error:
            errors[field.name] = str(error)
            continue
        if field.needed and not given[field.name]:
            errors[field.name] = (
                "Expected a choice, but nothing is chosen" if field.options else "Expected this, but it is empty"
            )
    if errors:
        raise Invalid("Expected a form that is filled in, but some fields do not fit yet", errors)
    return given


def _day(text: str) -> dt.date | None:
    return typed.day(text) if text.strip() else None


def _word(kind: Any, given: Mapping[str, Any], name: str) -> Any:
    try:
        return kind(given[name])
    except ValueError as error:
        raise Invalid(f"Expected one of {', '.join(kind)}", {name: "Expected one of the choices"}) from error


def _find(session: Session, kind: type[Found], record_id: str) -> Found:
    found = session.get(kind, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a record of this supplier at this address, but there is none.")
    return found


def _sub_tier(session: Session, record_id: str, sub_tier_id: str) -> SubTier:
    found = _find(session, SubTier, sub_tier_id)
    if found.supplier_id != record_id:
        raise NotFound("Expected a sub-tier of this supplier at this address, but there is none.")
    return found


def _standing(to: str) -> SupplierStatus:
    if to.upper() not in standing.SIGNED:
        raise NotFound("Expected conditional or approved at this address, but it is another word.")
    return SupplierStatus(to.upper())


def _supplier_called(session: Session, number: str) -> Supplier:
    found = session.scalar(select(Supplier).where(Supplier.supplier_no == number))
    if found is None:
        raise Invalid(f"Expected a supplier called {number}, but there is none", {"sub_tier_supplier_no": "is unknown"})
    return found


def _part(session: Session, given: Mapping[str, Any]) -> Part | None:
    if not given["part_no"]:
        return None
    found = session.scalar(select(Part).where(Part.part_no == given["part_no"]))
    if found is None:
        raise Invalid(f"Expected a part called {given['part_no']}, but there is none", {"part_no": "is unknown"})
    return found


def _site(supplier: Supplier, given: Mapping[str, Any]) -> SupplierSite | None:
    found = next((site for site in supplier.sites if site.id == given["site_id"]), None)
    if given["site_id"] and found is None:
        raise Invalid(f"Expected a site of {supplier.name}, but found another", {"site_id": "is not its site"})
    return found


def _processes() -> list[tuple[str, str]]:
    found = reading().scalars(select(OutsideProcess).order_by(OutsideProcess.code))
    return [(one.code, f"{one.code}: {one.name}") for one in found]


def _sites(supplier: Supplier) -> list[tuple[str, str]]:
    return [(site.id, site.name or site.code) for site in supplier.sites]


def _scopes(supplier: Supplier) -> list[tuple[str, str]]:
    return [(row.id, f"{row.subject_words} until {row.valid_to}") for row in supplier.approvals]
