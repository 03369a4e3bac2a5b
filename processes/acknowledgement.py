"""What a supplier answers to an order: taken in from a message or the buyer's page, and kept as it came."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import select

from engine.act import Act
from engine.canonical import is_whole
from engine.database import LIMIT
from engine.errors import Conflict, Invalid
from engine.messages import Publication, publish
from processes.documents import plain
from records.acknowledgement import AckChannel, AckCode, AckResult, SupplierAcknowledgement, SupplierAcknowledgementLine
from records.amendment import AmendmentStatus, open_amendment_of
from records.purchase_order import PurchaseOrder, PurchaseOrderLine

NEEDS = {AckCode.IQ: "quantity", AckCode.IP: "unit_price", AckCode.DR: "promised_on"}
"""What a changed line must say."""

CENT = Decimal("0.01")


def acknowledge(
    act: Act, order: PurchaseOrder, *, result: str, message_id: str, lines: Sequence[Mapping[str, Any]] = (),
    reference: str = "", note: str = "", channel: str = "EDI", revision: int | None = None, charge: Decimal | None = None,
) -> Publication:  # fmt: skip
    """Take in a supplier's answer from outside; the same message_id twice is answered once.

    revision: which one it answers, None for the present one. charge: what the supplier asks for a cancellation.

    result: ACCEPT, ACCEPT_WITH_CHANGE or REJECT. lines: line_no, code (X12 668: IQ, IP, DR, IB, IR), and the quantity,
    unit_price or promised_on that the code needs. Raises: Invalid with every field that is wrong; Conflict STALE_VERSION when it
    answers another revision than the present one.
    """
    _refuse_stale(order, revision)
    wrong = dict(_problems(order, result, lines, channel))
    if charge is not None and not (0 <= charge < LIMIT and charge == charge.quantize(CENT)):
        wrong["charge"] = f"expected an amount of at least 0 with two decimals, but found {charge:f}"
    if wrong:
        raise Invalid(f"Expected an answer to {order.number}, but {len(wrong)} field(s) of it are wrong", wrong)
    variables = {
        "result": result, "reference": reference, "note": note, "channel": channel, "message": message_id,
        "lines": [dict(line) for line in lines], "charge": charge,
    }  # fmt: skip
    return publish(
        act, "supplier.ack", correlation_key=waiting_key(act, order), variables=variables, message_id=message_id
    )


def waiting_key(act: Act, order: PurchaseOrder) -> str:
    """Return under which key the answer is waited for: the revision's while its amendment is on its way, else the order's."""
    amendment = open_amendment_of(act.session, order)
    under_way = (AmendmentStatus.APPROVED, AmendmentStatus.SENT)
    return answer_key(order.number, order.revision) if amendment and amendment.status in under_way else order.number


def answer_key(number: str, revision: int) -> str:
    """Return the key under which the supplier's answer to one revision of an order is waited for."""
    return f"{number} rev {revision}"


def _refuse_stale(order: PurchaseOrder, revision: int | None) -> None:
    if revision is not None and revision != order.revision:
        raise Conflict(
            f"Expected an answer to revision {order.revision} of {order.number}, but it answers revision {revision}."
            " An acknowledgement counts for the revision that it names; ask the supplier to answer the present one.",
            code="STALE_VERSION", record=(order.record_type, order.id), keep=True,
        )  # fmt: skip


def keep(act: Act, order: PurchaseOrder, given: Mapping[str, Any]) -> SupplierAcknowledgement:
    """Write an answer down.

    A line that cannot be understood becomes a sentence of the comment, and the answer one with changes, so that a person
    looks at it and nothing is lost.
    """
    known = {line.line_no: line for line in order.lines}
    message_id = str(given.get("message") or act.id)
    before = act.session.scalar(
        select(SupplierAcknowledgement).where(
            SupplierAcknowledgement.order_id == order.id, SupplierAcknowledgement.message_id == message_id
        )
    )
    if before is not None:
        return before
    answer = SupplierAcknowledgement(
        order=order, order_id=order.id, order_revision=order.revision, received_at=act.now,
        channel=_channel(given.get("channel")), result=_result(given.get("result")), message_id=message_id,
        reference=str(given.get("reference") or "")[:200],
    )  # fmt: skip
    odd: list[str] = []
    for line in given.get("lines") or ():
        read = _read(line, known)
        if isinstance(read, str):
            odd.append(read)
        elif read is not None:
            answer.lines.append(read)
    if odd and answer.result is AckResult.ACCEPT:
        answer.result = AckResult.ACCEPT_WITH_CHANGE
    answer.comment = "\n".join(filter(None, [str(given.get("note") or ""), *odd]))[:4000]
    act.session.add(answer)
    act.session.flush()
    return answer


def variable(order: PurchaseOrder, answer: SupplierAcknowledgement) -> dict[str, Any]:
    """Return the variable ``acknowledgement``: the result and what would change, in sentences."""
    known = {line.line_no: line for line in order.lines}
    lines = sorted(answer.lines, key=lambda line: (line.line_no, line.code))
    changes = [{"sentence": _sentence(line, known[line.line_no])} for line in lines]
    if answer.comment:
        changes.append({"sentence": answer.comment})
    return {
        "id": answer.id,
        "result": answer.result.value,
        "reference": answer.reference,
        "changes": changes,
        "moves_dates": any(line.code is AckCode.DR for line in answer.lines),
    }


def _problems(
    order: PurchaseOrder, result: str, lines: Sequence[Mapping[str, Any]], channel: str
) -> Iterator[tuple[str, str]]:
    if result not in set(AckResult):
        yield "result", f"expected one of {', '.join(AckResult)}"
    if channel not in set(AckChannel):
        yield "channel", f"expected one of {', '.join(AckChannel)}"
    known = {line.line_no: line for line in order.lines}
    for index, line in enumerate(lines):
        read = _read(line, known)
        if isinstance(read, str):
            yield f"lines.{index}", read


def _read(given: Mapping[str, Any], known: Mapping[int, PurchaseOrderLine]) -> SupplierAcknowledgementLine | str | None:
    """Return the line, a sentence when it cannot be understood, or None when it is empty."""
    if not any(value not in (None, "") for value in given.values()):
        return None
    number, code = given.get("line_no"), str(given.get("code") or "IA")
    if not is_whole(str(number or "")) or int(str(number)) not in known:
        return f"expected a line of the order, but found {number}"
    if code not in set(AckCode):
        return f"line {number}: expected one of {', '.join(AckCode)}, but found {code}"
    line = SupplierAcknowledgementLine(line_no=int(str(number)), code=AckCode(code))
    try:
        line.quantity = _number(given.get("quantity"))
        line.unit_price = _number(given.get("unit_price"))
        line.promised_on = _day(given.get("promised_on"))
    except (ValueError, InvalidOperation, Invalid) as error:
        return f"line {number}: {error}"
    needed = NEEDS.get(line.code)
    if needed is not None and getattr(line, needed) is None:
        return f"line {number}: expected a {needed.replace('_', ' ')} with {code}, but there is none"
    return line


def _sentence(line: SupplierAcknowledgementLine, ordered: PurchaseOrderLine) -> str:
    about = f"Line {line.line_no}, {ordered.item}: "
    if line.code is AckCode.IQ and line.quantity is not None:
        return f"{about}{plain(line.quantity)} instead of {plain(ordered.quantity)} {ordered.uom}"
    if line.code is AckCode.IP and line.unit_price is not None:
        return f"{about}price {plain(line.unit_price)} instead of {plain(ordered.unit_price)}"
    if line.code is AckCode.DR and line.promised_on is not None:
        late = f", {(line.promised_on - ordered.need_by).days:+d} d" if ordered.need_by else ""
        return f"{about}delivery on {line.promised_on} instead of {ordered.need_by or 'no date'}{late}"
    words = {AckCode.IB: "on backorder", AckCode.IR: "rejected"}
    return f"{about}{words.get(line.code, 'accepted')}"


def _result(value: object) -> AckResult:
    """Return the result; an unknown word is an answer that a person has to look at."""
    return AckResult(str(value)) if value in set(AckResult) else AckResult.ACCEPT_WITH_CHANGE


def _channel(value: object) -> AckChannel:
    return AckChannel(str(value)) if value in set(AckChannel) else AckChannel.PAGE


def _number(value: object) -> Decimal | None:
    return None if value in (None, "") else Decimal(str(value))


def _day(value: object) -> dt.date | None:
    if value is None or isinstance(value, dt.date):
        return value
    return dt.date.fromisoformat(str(value)[:10]) if value else None
