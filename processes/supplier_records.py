"""Write down what is known of suppliers: screenings, changes, sub-tiers, first articles, re-checks; quality signs what permits.

A fact that comes from another system carries its event, and coming twice makes one row. Adapters may record facts; what permits or
decides is a person's, of quality (SUP-15: a buyer's word declares, it approves nothing).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Act
from engine.canonical import content_hash
from engine.database import new_id
from engine.errors import Conflict, Invalid
from engine.ports import SignatureRequest
from engine.signals import broadcast
from processes.goods_signature import role_for, sign
from processes.notices import tell_role
from processes.supplier_tasks import say_reviewed
from records.part import OutsideProcess, Part, process_words
from records.purchase_order import PurchaseOrderLine
from records.signature import Meaning
from records.supplier import Supplier, SupplierApproval, SupplierSite
from records.supplier_knowledge import (
    ApprovalRecheck,
    ArticleCause,
    ArticleScope,
    ChangeKind,
    Declarant,
    FirstArticleDecision,
    RecheckStatus,
    ScreeningResult,
    SubTier,
    SubTierStatus,
    SupplierChangeNotice,
    SupplierScreening,
    finish_recheck,
    move_sub_tier,
)

KEEPERS = ("SQ", "QA_ENG")
SCREENERS = ("SQ", "QA_ENG", "EXPORT")
DECLARERS = ("SQ", "QA_ENG", "BUYER", "PUR_LEAD", "PUR_MGR")
DECIDERS = ("SQ", "QA_ENG", "ENG_AUTH")


@dataclass(frozen=True, slots=True)
class Event:
    """Where a fact came from. system, event_id: the sender's; without an event id every call is a fact of its own."""

    system: str = "LOCKSTEP"
    event_id: str = ""

    def named(self) -> dict[str, str]:
        """Return the two columns."""
        return {"source_system": self.system or "LOCKSTEP", "source_event_id": self.event_id or new_id()}


HERE = Event()


@dataclass(frozen=True, slots=True)
class Screened:
    """One look at the lists. on: the day of the look, today for None."""

    result: ScreeningResult
    source: str
    on: dt.date | None = None
    reference: str = ""
    note: str = ""


def screen(act: Act, supplier: Supplier, seen: Screened, *, event: Event = HERE) -> SupplierScreening:
    """Write down what a look at the sanctions and export lists found (SUP-13); whoever waits for the supplier is asked again.

    Raises: Forbidden for anybody but quality, export control and adapters; Invalid for a day to come, without a source, or a hit
    without a note.
    """
    role_for(act, SCREENERS, to="write a screening down")
    known = _known(act.session, SupplierScreening, event)
    if isinstance(known, SupplierScreening):
        return known
    today = _today(act)
    on = seen.on or today
    wrong = {}
    if on > today:
        wrong["screened_on"] = f"is after {today}"
    if not seen.source.strip():
        wrong["source"] = "is required"
    if seen.result is not ScreeningResult.CLEAR and not seen.note.strip():
        wrong["note"] = "say what was found"
    if wrong:
        raise Invalid(
            "Expected a screening with its day, its source and, for a hit, what was found, but some is missing", wrong
        )
    made = SupplierScreening(
        supplier=supplier, supplier_id=supplier.id, screened_on=on, result=seen.result, source=seen.source.strip(),
        reference=seen.reference.strip(), note=seen.note.strip(), **event.named(),
    )  # fmt: skip
    act.session.add(made)
    act.session.flush()
    if made.result is not ScreeningResult.CLEAR:
        subject = f"{supplier.name}: the screening of {on} is {made.result.lower()}"
        for role in ("SQ", "PUR_MGR", "EXPORT"):
            tell_role(act, role, subject, key=f"screening:{made.id}", body=made.note, record=_record(supplier))
    _ask_again(act, supplier)
    return made


@dataclass(frozen=True, slots=True)
class Declared:
    """Who performs a process for a supplier. spec, approval, order_line: what it is limited to. by: who said so."""

    name: str
    process_code: str
    by: Declarant
    on: dt.date | None = None
    spec: str | None = None
    address: str = ""
    sub_tier_supplier: Supplier | None = None
    approval: SupplierApproval | None = None
    order_line: PurchaseOrderLine | None = None
    certificate_no: str | None = None
    valid_to: dt.date | None = None
    note: str = ""


def declare_sub_tier(act: Act, supplier: Supplier, given: Declared, *, event: Event = HERE) -> SubTier:
    """Write down who performs a process for a supplier (SUP-08); until quality approves it, its special-process lines are held.

    Raises: Forbidden; Invalid naming the field.
    """
    role_for(act, DECLARERS, to="declare a sub-tier")
    known = _known(act.session, SubTier, event)
    if isinstance(known, SubTier):
        return known
    wrong = {}
    if not given.name.strip():
        wrong["name"] = "is required"
    if not _is_process(act.session, given.process_code):
        wrong["process_code"] = "is no outside process"
    if given.sub_tier_supplier is not None and given.sub_tier_supplier.id == supplier.id:
        wrong["sub_tier_supplier_no"] = "is the supplier itself"
    if given.approval is not None and given.approval.supplier_id != supplier.id:
        wrong["approval_id"] = "is another supplier's"
    if given.order_line is not None and given.order_line.order.supplier_id != supplier.id:
        wrong["order_line"] = "is another supplier's"
    if wrong:
        raise Invalid("Expected a sub-tier with a name and a process of ours, but some fields do not fit", wrong)
    made = SubTier(
        supplier=supplier, supplier_id=supplier.id, name=given.name.strip(), process_code=given.process_code,
        spec=given.spec or None, address=given.address.strip(), declarant=given.by, declared_on=given.on or _today(act),
        certificate_no=given.certificate_no or None, valid_to=given.valid_to, note=given.note.strip(),
        sub_tier_supplier_id=given.sub_tier_supplier.id if given.sub_tier_supplier else None,
        approval_id=given.approval.id if given.approval else None,
        order_line_id=given.order_line.id if given.order_line else None, **event.named(),
    )  # fmt: skip
    act.session.add(made)
    act.session.flush()
    subject = f"{supplier.name} has {process_words(made.process_code)} done by {made.name}: approve it or refuse it"
    tell_role(act, "SQ", subject, key=f"sub-tier:{made.id}", body=made.note, record=_record(supplier))
    return made


def approve_sub_tier(
    act: Act, sub_tier: SubTier, request: SignatureRequest, *, seen_hash: str, reason: str = ""
) -> SubTier:
    """Let a sub-tier do what it is declared for, signed by quality. Raises: Forbidden; Invalid; Conflict ILLEGAL_TRANSITION."""
    role = role_for(act, KEEPERS, to="approve a sub-tier")
    digest = sub_tier_hash(sub_tier)
    if seen_hash != digest:
        raise Invalid("Expected the sub-tier as you saw it, but it changed since; reload it", {"seen_hash": "is stale"})
    signature = sign(act, sub_tier, request, content_hash=digest, role=role, meanings=[Meaning.APPROVED], reason=reason)
    move_sub_tier(act, sub_tier, SubTierStatus.APPROVED, signature_id=signature.id, reason=reason or None)
    act.session.flush()
    _ask_again(act, sub_tier.supplier)
    return sub_tier


def stop_sub_tier(act: Act, sub_tier: SubTier, to: SubTierStatus, *, reason: str) -> SubTier:
    """Refuse a sub-tier, or write down that the supplier uses it no more (ENDED). Raises: Forbidden; Invalid without a reason."""
    role_for(act, KEEPERS, to="refuse or end a sub-tier")
    _require(reason)
    if to is SubTierStatus.APPROVED:
        raise Invalid("Expected a refusal or an end, but approving needs a signature", {"to": "needs a signature"})
    move_sub_tier(act, sub_tier, to, reason=reason.strip())
    act.session.flush()
    _ask_again(act, sub_tier.supplier)
    return sub_tier


def sub_tier_hash(sub_tier: SubTier) -> str:
    """Return the hash of what a signature on a sub-tier approves."""
    return content_hash(
        {
            "supplier": sub_tier.supplier.supplier_no,
            "name": sub_tier.name,
            "address": sub_tier.address,
            "process": sub_tier.process_code,
            "spec": sub_tier.spec,
            "approval": sub_tier.approval_id,
            "order_line": sub_tier.order_line_id,
            "certificate": sub_tier.certificate_no,
            "valid_to": sub_tier.valid_to.isoformat() if sub_tier.valid_to else None,
        }
    )


@dataclass(frozen=True, slots=True)
class Article:
    """What a first article is asked for. Exactly one of part and process_code."""

    cause: ArticleCause
    scope: ArticleScope
    part: Part | None = None
    process_code: str | None = None
    site: SupplierSite | None = None


def decide_article(act: Act, supplier: Supplier, given: Article, *, reason: str) -> FirstArticleDecision:
    """Decide whether a first article is asked for, whole or in part (SUP-11); new lines then carry the FAI certificate.

    Raises: Forbidden for anybody but quality and engineering; Invalid naming the field.
    """
    role_for(act, DECIDERS, to="decide about a first article")
    _require(reason)
    if act.user_id is None:
        raise Invalid("Expected a person to decide about a first article, but a system asks")
    if (given.part is None) == (not given.process_code):
        raise Invalid("Expected a part or a process, but found both or neither", {"part_no": "one of the two"})
    _refuse_unknown(act.session, given.process_code)
    made = FirstArticleDecision(
        supplier=supplier, supplier_id=supplier.id, supplier_site_id=given.site.id if given.site else None,
        part_id=given.part.id if given.part else None, process_code=given.process_code or None, cause=given.cause,
        scope=given.scope, reason=reason.strip(), decided_on=_today(act), decided_by=act.user_id,
    )  # fmt: skip
    act.session.add(made)
    act.session.flush()
    _ask_again(act, supplier)
    return made


@dataclass(frozen=True, slots=True)
class Changed:
    """What a supplier says it changed."""

    kind: ChangeKind
    statement: str
    effective_on: dt.date
    noticed_on: dt.date | None = None
    part: Part | None = None
    process_code: str | None = None
    site: SupplierSite | None = None


def note_change(act: Act, supplier: Supplier, given: Changed, *, event: Event = HERE) -> SupplierChangeNotice:
    """Write down that a supplier changed how it works; quality is told, and a first article is decided about (SUP-11)."""
    role_for(act, DECLARERS, to="write down what a supplier changed")
    known = _known(act.session, SupplierChangeNotice, event)
    if isinstance(known, SupplierChangeNotice):
        return known
    if not given.statement.strip():
        raise Invalid("Expected what the supplier changed, but there is nothing", {"statement": "is required"})
    _refuse_unknown(act.session, given.process_code)
    made = SupplierChangeNotice(
        supplier=supplier, supplier_id=supplier.id, supplier_site_id=given.site.id if given.site else None,
        kind=given.kind, part_id=given.part.id if given.part else None, process_code=given.process_code or None,
        noticed_on=given.noticed_on or _today(act), effective_on=given.effective_on,
        statement=given.statement.strip(), **event.named(),
    )  # fmt: skip
    act.session.add(made)
    act.session.flush()
    subject = f"{supplier.name} changes its {made.kind.lower().replace('_', ' ')} from {made.effective_on}"
    tell_role(act, "SQ", subject, key=f"change:{made.id}", body=made.statement, record=_record(supplier))
    return made


def recheck(act: Act, task: ApprovalRecheck, to: RecheckStatus, *, note: str) -> ApprovalRecheck:
    """Write down what the issuer of a certificate says of it (SUP-05), by whom and when.

    Raises: Forbidden for anybody but quality; Invalid without a note; Conflict when it was done already.
    """
    role_for(act, KEEPERS, to="look a certificate up again")
    if to is RecheckStatus.DUE or not note.strip():
        raise Invalid("Expected what was found, and where, but there is nothing", {"note": "is required"})
    if task.status is not RecheckStatus.DUE:
        raise Conflict(
            f"Expected {task.number} to be due, but {task.done_by} did it on {task.done_on}", code="ILLEGAL_TRANSITION"
        )
    finish_recheck(act, task, to, done_on=_today(act), note=note.strip())
    act.session.flush()
    say_reviewed(act, task.id)
    _ask_again(act, task.approval.supplier)
    return task


def _is_process(session: Session, code: str) -> bool:
    return session.scalar(select(OutsideProcess.id).where(OutsideProcess.code == code)) is not None


def _refuse_unknown(session: Session, code: str | None) -> None:
    if code and not _is_process(session, code):
        raise Invalid(f"Expected an outside process, but found {code:.40}", {"process_code": "is no outside process"})


def _known(session: Session, mapped: type[SupplierScreening | SubTier | SupplierChangeNotice], event: Event) -> object:
    """Return what the same event made before, or None."""
    if not event.event_id:
        return None
    wanted = select(mapped).where(mapped.source_system == event.system, mapped.source_event_id == event.event_id)
    return session.scalars(wanted).first()


def _ask_again(act: Act, supplier: Supplier) -> None:
    """Let flows that wait at the gate for a supplier ask it again."""
    act.session.flush()
    broadcast(act, f"asl.changed.{supplier.id}", {})


def _today(act: Act) -> dt.date:
    calendar = act.installation.calendar
    zone = calendar.zone(act.session) if calendar is not None else dt.UTC
    return act.now.astimezone(zone).date()


def _require(reason: str) -> None:
    if not reason.strip():
        raise Invalid("Expected a reason, but there is none", {"reason": "is required"})


def _record(supplier: Supplier) -> tuple[str, str]:
    return supplier.record_type, supplier.id
