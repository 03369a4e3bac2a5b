"""What it takes to use a page or an operation of the API, asked before its view runs or a body is read.

So a stranger is told that something is not theirs, and not what a form lacks. The laws of the records judge again, by what they
know: a right only narrows, it never lets anybody do what they refuse. ``page_rights`` and ``api.operation_rights`` name them all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import Forbidden
from processes import (
    agreements,
    approved_suppliers,
    boards,
    findings,
    genealogy_holds,
    legal_holding,
    matching,
    nonconformances,
    operating,
    outside_sources,
    resources,
    supplier_records,
    supplier_standing,
    supplier_stock,
    webhook_delivering,
)
from processes.goods_signature import BUYERS, CLERKS, DISPOSERS, INSPECTORS, PLANNERS, RECEIVERS, REVIEWERS, VERIFIERS
from processes.outside_away import NOTICERS
from records.invoice import HoldCode
from rules.duties import ADMINISTRATION
from webapp import impact_panel, readers, visit, wording, work_order_doors
from webapp.pages import change_requests

Wanted = Callable[[], Collection[str]]


@dataclass(frozen=True, slots=True)
class Right:
    """What it takes to use an endpoint.

    words: in words. is_open: it takes no account. roles: one of which it takes, asked for when needed since tables may say it.
    is_business: it takes some role that is not administration. judge: refuses by what the address names, such as a task.
    """

    words: str
    is_open: bool = False
    roles: Wanted | None = None
    is_business: bool = False
    judge: Callable[[Mapping[str, Any]], None] | None = None

    @property
    def takes_a_role(self) -> bool:
        """Whether people without any role are refused before anything is read."""
        return self.is_business or self.roles is not None

    def admits(self, held: Iterable[str]) -> bool:
        """Tell whether somebody with these role codes gets as far as the record's own laws."""
        codes = set(held)
        if self.is_business:
            return bool(codes - ADMINISTRATION - INTEGRATION)
        return self.roles is None or not codes.isdisjoint(self.roles())


INTEGRATION = frozenset({"INTEGRATION"})

OPEN = Right("whoever comes, without an account", is_open=True)
SIGNED_IN = Right("whoever is signed in")
CONCERNED = Right("whom the record concerns, as its own laws say")
OF_TASK = Right("who has to do with the task", judge=readers.of_task)
OF_DECISION = Right("who has to do with the task, or had when it came up", judge=readers.of_decision)
OF_DOCUMENT = Right("who may read the document", judge=readers.of_document)
OF_FILE = Right("who may read the document that the file belongs to", judge=readers.of_file)
OF_REMARK = Right("who may read the document that the remark is about", judge=readers.of_remark)
OF_QUOTES = Right("who may read what suppliers quote", judge=readers.of_request)
BUSINESS = Right("whoever has a part in the business; administrators have none (SOD-12)", is_business=True)


def one_of(*roles: str) -> Right:
    """Return the right that takes one of some roles."""
    return Right(f"holders of {' or '.join(roles)}", roles=lambda: roles)


def _as_said(words: str, roles: Wanted) -> Right:
    """Return the right that takes one of the roles that a table names."""
    return Right(words, roles=roles)


BUYING = one_of(*BUYERS)
BUYER = one_of("BUYER")
ANSWERED = one_of("BUYER", "PUR_LEAD")
CLERK = one_of(*CLERKS)
RELEASING = _as_said(
    "who releases some kind of hold of an invoice", lambda: {one for code in HoldCode for one in matching.releasers_of(code)}
)  # fmt: skip
RECEIVING = one_of(*RECEIVERS)
GOODS = one_of(*sorted({*RECEIVERS, *INSPECTORS, *DISPOSERS, *REVIEWERS, *BUYERS}))
INSPECTING = one_of(*INSPECTORS)
REVIEWING = one_of(*REVIEWERS)
CERTIFYING = one_of(*VERIFIERS, *RECEIVERS, "BUYER")
VERIFYING = one_of(*VERIFIERS)
SHORT_CLOSING = one_of(*PLANNERS)
PLANNING = one_of(*work_order_doors.PLANNERS, *work_order_doors.MAINTAINERS)
WORK = one_of(*work_order_doors.PLANNERS, *work_order_doors.MAINTAINERS, *work_order_doors.QUALITY)
OBSERVING = one_of("INTEGRATION", "PLANNER", "MAINT_PLANNER", "MAINT_MGR")
MIRRORING = one_of("INTEGRATION", *work_order_doors.PLANNERS, *work_order_doors.MAINTAINERS)
SKIPPING = one_of(*work_order_doors.SKIPPERS)
SIDES = one_of("PLANNER", "BUYER")
KEEPING_RESOURCES = one_of(*sorted({*resources.MACHINES, *resources.PEOPLE}))
RATING = one_of(*resources.RATES)
SHIPPING = one_of("SHIPPING")
OUTSIDE = one_of(*sorted({"PLANNER", "BUYER", "SHIPPING", "RECEIVING", *outside_sources.ROLES, *NOTICERS}))
RECALLING = one_of("PLANNER", "RECEIVING")
SOURCES = one_of(*outside_sources.ROLES)
LOSING = one_of("PLANNER")
SCREENING = one_of(*supplier_records.SCREENERS)
DECLARING = one_of(*supplier_records.DECLARERS)
FIRST_ARTICLES = one_of(*supplier_records.DECIDERS)
SUPPLIER_QUALITY = one_of(*sorted({*supplier_records.KEEPERS, *supplier_standing.KEEPERS, *approved_suppliers.KEEPERS}))
STOCK = one_of(*supplier_stock.REPORTERS)
LOT_QUALITY = one_of(*genealogy_holds.QUALITY)
REPORTING_LOTS = one_of("PLANNER", "RECEIVING", "SHIPPING", "INTEGRATION")
DISPOSING = one_of(*nonconformances.DISPOSERS)
AGREEING = one_of(*sorted(agreements.KEEPERS))
ASKING = one_of("REQUESTER", "BUYER")
OVERSEEING = one_of(*sorted(findings.OVERSEERS))
SPECIALISTS = one_of(*change_requests.SPECIALISTS)
DECIDING_IMPACT = one_of(*impact_panel.DECIDES)
SETTING_UP_BOARDS = one_of(*boards.KEEPERS)
PLACING = _as_said("who places legal holds", lambda: legal_holding.signers_of(legal_holding.PLACE))
LIFTING = _as_said("who lifts legal holds", lambda: legal_holding.signers_of(legal_holding.LIFT))
HELPING = one_of(*operating.HELPERS)
ENGINEERING = one_of("PROCESS_ENGINEER")
ADMIN = one_of("ADMIN")
SHIPPED = one_of("SHIPPING", "INTEGRATION")
TELLING_RUNS = one_of("INTEGRATION", "ADMIN")
INTEGRATING = one_of("INTEGRATION")
KEEPING_WEBHOOKS = one_of(*sorted(webhook_delivering.KEEPERS))


def each(right: Right, names: str) -> dict[str, Right]:
    """Return one right for each of some endpoints, named in one text."""
    return dict.fromkeys(names.split(), right)


def need(right: Right | None, path: Mapping[str, Any]) -> None:
    """Refuse the visitor who lacks a right. path: the values of the address. Raises: Forbidden NOT_AUTHORISED; NotFound."""
    if right is None:
        return
    if right.takes_a_role and not right.admits(_held()):
        raise Forbidden(
            f"Expected {_in_words(right)} to do this, but you hold none of these roles.", code="NOT_AUTHORISED"
        )
    if right.judge is not None:
        right.judge(path)


def _held() -> set[str]:
    """Return the codes of the roles that the visitor holds, those of an absent or lending person too."""
    who, house = visit.visitor(), visit.installation()
    own = {role.partition("@")[0] for role in who.roles}
    if house.directory is None:
        return own
    mandates = house.directory.mandates(visit.reading(), who.user_id, at=visit.now(), flow="")
    lent = {
        one.principal.removeprefix("role:").partition("@")[0] for one in mandates if one.principal.startswith("role:")
    }
    return own | lent


def _in_words(right: Right) -> str:
    if right.roles is None:
        return "somebody with a part in the business"
    return " or ".join(wording.principal_words(f"role:{role}") for role in sorted(right.roles()))
