"""Boards with their members, and meetings: the agenda, who is there, the votes with a live tally, the minutes."""

from __future__ import annotations

import datetime as dt
import io
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, send_file, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from engine.database import is_id
from engine.errors import Invalid, NotFound, Refused
from processes import board as voting
from processes import board_addenda, meetings
from processes import boards as keeping
from processes.minutes import minutes_pdf
from records.board import Board, boards_of
from records.board_rule import BoardRule, rules_at
from records.change_order import ChangeOrder, ChangeOrderAddendum
from records.meeting import AgendaItem, ItemStatus, Meeting, MeetingStatus, meetings_of
from records.roles import holds
from records.signature import Meaning
from records.signing import signatures_on
from records.vote import Verdict, conflicts_on, requirements_of, votes_on
from rules.board_seats import may_vote
from rules.board_votes import dissenting, tally_words
from rules.policy import table_called
from webapp import board_panel, change_page, formats, sheet
from webapp.pages import changes
from webapp.refusals import status_of
from webapp.signing_form import errors_of, read_signature, signing_values
from webapp.visit import acting, now, read_anew, reading, visitor

pages = Blueprint("boards", __name__)

Page = str | tuple[str, int] | Answer


@dataclass(frozen=True, slots=True)
class Asked:
    """A function that is asked about changes of some classes. words: when; own: the board's rule where it has one."""

    function: str
    classes: list[str]
    words: str
    own: BoardRule | None
    role: str
    rule: str
    needed: int
    has_veto: bool


change_page.PANELS["board"] = change_page.Panel("changes/board.html", board_panel.panel)


@pages.get("/boards")
def index() -> str:
    """List the boards with what waits for them."""
    session = reading()
    rows = [
        (board, meetings.waiting_for(session, board), meetings_of(session, board)[:5]) for board in boards_of(session)
    ]
    may_set_up = any(holds(session, visitor().user_id, role, at=now()) for role in keeping.KEEPERS)
    return render_template("boards/index.html", rows=rows, may_set_up=may_set_up)


@sheet.offered(pages, "/boards")
def export() -> sheet.Sheet:
    """Hand out the boards with what waits for them."""
    session = reading()
    rows = (
        (board.code, board.name, ", ".join(board.classes), board.is_active, len(waiting), ", ".join(one.number for one in waiting))
        for board in boards_of(session)
        for waiting in [meetings.waiting_for(session, board)]
    )  # fmt: skip
    return sheet.Sheet("boards", ("code", "name", "classes", "active", "waiting", "what_waits"), rows)


@pages.get("/boards/<record_id>")
def show(record_id: str) -> Page:
    """Show a board: its members, what each function has to agree to, its meetings."""
    return _board(find_board(reading(), record_id))


@pages.post("/boards/<record_id>/meetings")
def plan(record_id: str) -> Page:
    """Plan a meeting with everything that waits on its agenda."""
    try:
        with acting() as act:
            board = find_board(act.session, record_id)
            meeting = meetings.plan_meeting(
                act,
                board,
                starts_at=begins(board, request.form.get("starts_at", "")),
                place=request.form.get("place", ""),
            )
            meeting_id = meeting.id
    except Refused as refusal:
        return _board(find_board(read_anew(), record_id), refusal), status_of(refusal)
    return redirect(url_for("boards.meeting", record_id=meeting_id), 303)


@pages.post("/changes/<record_id>/conflict")
def declare_conflict(record_id: str) -> Page:
    """Declare, without a meeting, that one does not decide about a change."""
    try:
        with acting() as act:
            voting.declare_conflict(act, changes.find(act.session, record_id), reason=request.form.get("reason", ""))
    except NotFound:
        raise
    except Refused as refusal:
        return changes.show_again(changes.find(read_anew(), record_id), refusal, tab="route"), status_of(refusal)
    flash("Declared. You neither vote on it nor count.", "good")
    return redirect(url_for("changes.show", record_id=record_id, tab="route"), 303)


@pages.get("/meetings/<record_id>")
def meeting(record_id: str) -> str:
    """Show a meeting; ``item`` opens the ballot of an agenda item."""
    return _meeting(find_meeting(reading(), record_id))


@pages.get("/meetings/<record_id>/tally/<item_id>")
def tally(record_id: str, item_id: str) -> str:
    """Say how an item stands now; an open page asks for it by itself."""
    held = find_meeting(reading(), record_id)
    item = next((one for one in held.items if one.id == item_id), None)
    if item is None:
        raise NotFound("Expected an item of this meeting, but there is none.")
    return render_template("boards/tally.html", item=item, words=tally_words(meetings.standings_at(reading(), item)))


@pages.post("/meetings/<record_id>/<step>")
def step(record_id: str, step: str) -> Page:
    """Do one step of a meeting: join, leave, open, close, sign, or what is done about one item."""
    try:
        with acting() as act:
            held = find_meeting(act.session, record_id)
            said = _do(act, held, step)
    except NotFound:
        raise
    except Refused as refusal:
        return _meeting(find_meeting(read_anew(), record_id), refusal), status_of(refusal)
    if said:
        flash(said, "good")
    return redirect(url_for("boards.meeting", record_id=record_id), 303)


@pages.get("/meetings/<record_id>/minutes.pdf")
def minutes(record_id: str) -> Answer:
    """Download the minutes."""
    held = find_meeting(reading(), record_id)
    content = minutes_pdf(reading(), held)
    return send_file(io.BytesIO(content), mimetype="application/pdf", download_name=f"{held.number}.pdf", etag=False)


def find_board(session: Session, record_id: str) -> Board:
    """Return a board. Raises: NotFound."""
    found = session.get(Board, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a board at this address, but there is none.")
    return found


def find_meeting(session: Session, record_id: str) -> Meeting:
    """Return a meeting. Raises: NotFound."""
    found = session.get(Meeting, record_id) if is_id(record_id) else None
    if found is None:
        raise NotFound("Expected a meeting at this address, but there is none.")
    return found


def _do(act: Any, held: Meeting, step: str) -> str:
    plain = {
        "join": meetings.attend,
        "leave": meetings.leave,
        "open": meetings.open_meeting,
        "close": meetings.close_meeting,
    }
    about_item = {"up": meetings.move_up, "off": meetings.take_off_agenda}
    if step in plain:
        plain[step](act, held)
        return ""
    if step == "sign":
        meetings.sign_minutes(act, held, read_signature(), seen_hash=request.form.get("seen_hash", ""))
        return "Signed. The minutes are final."
    if step == "cancel":
        meetings.cancel_meeting(act, held, reason=request.form.get("reason", ""))
        return "Called off. What was on its agenda waits for another meeting."
    if step == "add":
        meetings.add_to_agenda(act, held, target_called(act.session, request.form.get("target", "")))
        return ""
    item = _item(held)
    if step in about_item:
        about_item[step](act, item)
        return ""
    if step == "conflict":
        voting.declare_conflict(act, meetings.target_of(act.session, item), reason=request.form.get("reason", ""))
        return "Declared. You do not count for this item."
    if step == "vote":
        meetings.vote_in(act, item, _ballot(), read_signature())
        return "Voted and signed."
    raise NotFound("Expected a step of a meeting at this address, but there is none.")


def _ballot() -> voting.Ballot:
    form = request.form
    try:
        verdict = Verdict(form.get("verdict", ""))
    except ValueError as error:
        raise Invalid("Expected a vote, but none is chosen", {"verdict": "Choose your vote"}) from error
    return voting.Ballot(
        verdict,
        form.get("seen_hash", ""),
        form.get("text", "").strip()[:4000],
        form.get("condition", "").strip()[:4000],
    )


def _item(held: Meeting) -> AgendaItem:
    found = next((one for one in held.items if one.id == request.form.get("item")), None)
    if found is None:
        raise NotFound("Expected an item of this meeting, but there is none.")
    return found


def target_called(session: Session, record_id: str) -> voting.Decidable:
    """Return what may be decided, by id. Raises: NotFound."""
    found = None
    if is_id(record_id):
        found = session.get(ChangeOrder, record_id) or session.get(ChangeOrderAddendum, record_id)
    if found is None:
        raise NotFound("Expected a change order or an addendum, but there is none.")
    return found


def begins(board: Board, said: str) -> dt.datetime:
    """Return when a meeting begins, as somebody said it; without a zone it is the site's. Raises: Invalid."""
    try:
        local = dt.datetime.fromisoformat(said)
        return (local if local.tzinfo else local.replace(tzinfo=board.site.zone)).astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid(
            "Expected when it begins, but it is no time", {"starts_at": "Expected a day and a time"}
        ) from error


def _board(board: Board, refusal: Refused | None = None) -> str:
    session, me = reading(), visitor().user_id
    may_keep = holds(session, me, board.keeper_role, at=now())
    sits = any(me in (one.user_id, one.deputy_id) for one in board.members_at(now()))
    return render_template(
        "boards/show.html", board=board, members=board.members_at(now()), refusal=refusal, form=request.form, errors=errors_of(refusal),
        former=[one for one in board.members if not one.is_valid(now())], meetings=meetings_of(session, board),
        waiting=meetings.waiting_for(session, board), may_keep=may_keep, votes=_votes(session, board), table=table_called("board_votes"),
        signatures=signatures_on(session, board.record_type, board.id), may_plan=may_keep or me == board.chair_id or sits,
    )  # fmt: skip


def _votes(session: Session, board: Board) -> list[Asked]:
    """Return what may be asked about changes of a board's classes, as the table says and as the board's own rules say beside it."""
    everything = {"subject": "ORDER", "cost": Decimal("1e12"), "is_notifiable": True}
    own, found = rules_at(session, board, now()), dict[str, Asked]()
    for one in board.classes:
        for row in table_called("board_votes").judge(change_class=one, **everything).rows:
            name = str(row.outputs["function"])
            if name not in found:
                rule = own.pop(name, None)
                said = {
                    key: getattr(rule, key) if rule else row.outputs[key]
                    for key in ("role", "rule", "needed", "has_veto")
                }
                found[name] = Asked(name, [], row.words, rule, **said)
            found[name].classes.append(one)
    beside = [
        Asked(
            one.function, [each for each in one.classes if each in board.classes], "Asked beside the table.", one, role=one.role,
            rule=one.rule, needed=one.needed, has_veto=one.has_veto,
        )
        for one in own.values()
    ]  # fmt: skip
    return [*found.values(), *beside]


def _meeting(held: Meeting, refusal: Refused | None = None) -> str:
    session, me = reading(), visitor().user_id
    is_open = held.status is MeetingStatus.OPEN
    items = [_agenda_row(session, item) for item in held.agenda]
    chosen = request.form.get("item") or request.args.get("item", "")
    mine = next((row for row in items if row["item"].id == chosen and row["may_vote"]), None)
    listed = {item.target_id for item in held.agenda}
    ballots = (Meaning.APPROVED, Meaning.REJECTED, Meaning.REVIEWED)
    values = signing_values(session, *(ballots if mine is not None else ballots[:1]))
    members = held.board.members_at(held.closed_at or now())
    return render_template(
        "boards/meeting.html", meeting=held, items=items, mine=mine, refusal=refusal, form=request.form, errors=errors_of(refusal),
        is_open=is_open, is_chair=me == held.chair_id, is_present=held.is_present(me), verdicts=_verdicts(mine),
        members=members, may_join=meetings.may_attend(session, held, me, at=now()),
        others=[one for one in meetings.waiting_for(session, held.board) if one.id not in listed],
        signatures=signatures_on(session, held.record_type, held.id),
        to_sign=held.status is MeetingStatus.CLOSED and me == held.chair_id, content_hash=held.minutes_hash or "", **values,
    )  # fmt: skip


def _verdicts(mine: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Return what may be said about the chosen item: an addendum has no parts and no conditions."""
    is_addendum = mine is not None and isinstance(mine["target"], ChangeOrderAddendum)
    return [(one.value, formats.words(one)) for one in (board_addenda.VERDICTS if is_addendum else Verdict)]


def _agenda_row(session: Session, item: AgendaItem) -> dict[str, Any]:
    target = meetings.target_of(session, item)
    found = meetings.standings_at(session, item)
    hashed = item.target_hash or target.content_hash
    cast = [vote for vote in votes_on(session, target.id) if vote.target_hash == hashed]
    me = visitor().user_id
    voted = any(vote.voter_id == me for vote in cast)
    conflicts = conflicts_on(session, target.id)
    is_up = item.status is ItemStatus.OPEN and item.meeting.status is MeetingStatus.OPEN
    seats = [seat for one in requirements_of(session, target.id, hashed) for seat in one.seats]
    sits = may_vote(session, seats, me, {one.user_id for one in conflicts}, now=now())
    return {
        "item": item, "target": target, "standings": found, "tally": tally_words(found), "votes": cast, "hash": hashed,
        "against": set(dissenting(cast, item.outcome)),
        "conflicts": conflicts, "quorum": meetings.quorum_of(item.meeting, target, at=now()),
        "title": target.title if isinstance(target, ChangeOrder) else target.reason,
        "url": url_for("changes.show", record_id=target.id if isinstance(target, ChangeOrder) else target.change_order_id, tab="changes"),
        "may_vote": is_up and sits and item.meeting.is_present(me),
        "voted": voted,
    }  # fmt: skip
