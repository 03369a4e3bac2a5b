"""The doors of boards: votes are their signers' own, and a change order is approved only as its functions voted (domain.md 4b SOD-8)."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Table

from records.board import Board, Membership
from records.board_rule import BoardRule
from records.vote import AGREEING, BoardSeat, Vote
from rules.doors import Door, Speech, fixed, never_deleted, quoted, words
from rules.guarded import ADDENDUM, CHANGE_ORDER, Document, table_of

AGREED = words(verdict.value for verdict in AGREEING)
APPROVALS = ((CHANGE_ORDER, "REVIEW", "APPROVED"), (ADDENDUM, "PROPOSED", "APPROVED"))
"""The moves that a board's votes open."""

SETTINGS = ("name", "classes", "chair_id", "keeper_role", "quorum_percent", "is_active")
PLACE = (
    "id",
    "board_id",
    "user_id",
    "function",
    "role",
    "weight",
    "has_veto",
    "deputy_id",
    "valid_from",
    "content_hash",
)
"""What an appointment says: it is never edited, only ended."""

RULE = (
    "id", "board_id", "function", "role", "rule", "needed", "has_veto", "classes", "valid_from", "content_hash", "signature_id",
)  # fmt: skip
"""What the signature of a board's own rule says: it is never edited, only ended."""


def board_doors(speech: Speech) -> Iterator[Door]:
    """Return every door of boards and their votes."""
    for document, before, after in APPROVALS:
        yield _as_voted(document, before, after, speech)
    yield _somebody_else_agreed(speech)
    yield _a_vote_is_its_signers(speech)
    yield _a_seat_is_written_before_anybody_votes()
    yield from never_deleted(table_of(Board))
    yield from fixed(table_of(Board), ("id", "code", "site_id"), speech)
    yield _settings_are_signed(speech)
    yield from never_deleted(table_of(Membership))
    yield from fixed(table_of(Membership), PLACE, speech)
    yield _ends_signed(table_of(Membership), "a place on a board", speech)
    yield from never_deleted(table_of(BoardRule))
    yield from _a_rule_is_signed_and_never_edited(speech)
    yield _ends_signed(table_of(BoardRule), "a rule of a board", speech)


def _as_voted(document: Document, before: str, after: str, speech: Speech) -> Door:
    """The table of votes may ask for more than one signature of a function: all, so many, or a weight; and a veto ends it."""
    table = document.table
    mine = (
        f"r.target_type = {quoted(table.name)} AND r.target_id = {speech.key(table.columns['id'], 'NEW.id')} "
        "AND r.target_hash = NEW.content_hash"
    )
    return Door(
        name=f"guard_{table.name}_as_its_board_voted", table=table, event="UPDATE", columns=("status",),
        refused_when=(
            f"OLD.status = {quoted(before)} AND NEW.status = {quoted(after)} AND EXISTS (SELECT 1 FROM board_requirement r "
            f"WHERE {mine} AND NOT {_agreed('r')})"
        ),
        sentence=f"UNSIGNED: Expected every function of the board to agree to this {table.name}, but one does not",
    )  # fmt: skip


def _agreed(requirement: str) -> str:
    standing = (
        "FROM board_vote v JOIN board_seat s ON s.id = v.seat_id JOIN signature g ON g.id = v.signature_id "
        f"WHERE s.requirement_id = {requirement}.id AND g.status = 'VALID' AND g.content_hash = {requirement}.target_hash"
    )
    missing = (
        f"SELECT 1 FROM board_seat o WHERE o.requirement_id = {requirement}.id AND NOT EXISTS (SELECT 1 {standing} "
        f"AND v.seat_id = o.id AND v.verdict IN {AGREED}) AND NOT EXISTS (SELECT 1 FROM conflict_of_interest c "
        f"WHERE c.target_id = {requirement}.target_id AND c.user_id = o.user_id) AND NOT EXISTS (SELECT 1 FROM board_membership p "
        "WHERE p.id = o.membership_id AND p.valid_to IS NOT NULL)"
    )
    weighed = f"(SELECT COALESCE(SUM(v.weight), 0) {standing} AND v.verdict IN {AGREED})"
    counted = f"(SELECT COUNT(*) {standing} AND v.verdict IN {AGREED})"
    return (
        f"((CASE {requirement}.rule WHEN 'ALL' THEN EXISTS (SELECT 1 {standing} AND v.verdict IN {AGREED}) "
        f"AND NOT EXISTS ({missing}) WHEN 'WEIGHT' THEN {weighed} >= {requirement}.needed "
        f"ELSE {counted} >= {requirement}.needed END) "
        f"AND NOT EXISTS (SELECT 1 {standing} AND v.verdict = 'reject' AND s.has_veto))"
    )


def _somebody_else_agreed(speech: Speech) -> Door:
    table = CHANGE_ORDER.table
    key = speech.key(table.columns["id"], "NEW.id")
    # Whoever signs for the originator is not somebody else: persons count, those who are stood in for among them.
    originators = (
        "t.signer_id <> NEW.opened_by AND COALESCE(t.on_behalf_of_id, t.signer_id) <> NEW.opened_by "
        "AND NOT EXISTS (SELECT 1 FROM change_order_request q JOIN change_request p ON p.id = q.change_request_id "
        "WHERE q.change_order_id = NEW.id AND p.originator IN (t.signer_id, t.on_behalf_of_id))"
    )
    return Door(
        name="guard_change_order_has_another_approver", table=table, event="UPDATE", columns=("status",),
        refused_when=(
            "OLD.status = 'REVIEW' AND NEW.status = 'APPROVED' AND NOT EXISTS (SELECT 1 FROM approval_slot s JOIN signature t "
            f"ON t.id = s.signature_id WHERE s.record_type = {quoted(table.name)} AND s.record_id = {key} "
            f"AND s.record_hash = NEW.content_hash AND t.status = 'VALID' AND {originators})"
        ),
        sentence="SOD-8: Expected somebody beside the originator to approve this change order, but nobody else did",
    )  # fmt: skip


def _a_vote_is_its_signers(speech: Speech) -> Door:
    table = table_of(Vote)
    signed = (
        "SELECT 1 FROM signature g WHERE g.id = NEW.signature_id AND g.status = 'VALID' AND g.signer_id = NEW.voter_id "
        "AND g.record_type = NEW.target_type AND g.record_id = NEW.target_id AND g.content_hash = NEW.target_hash "
        f"AND ((g.meaning = 'APPROVED') = (NEW.verdict IN {AGREED}))"
    )
    # By the appointment, by an absence of whoever sits there, a chain of them among them, or by what that person lent.
    absent = "FROM absence a WHERE a.starts_at <= NEW.cast_at AND a.ends_at > NEW.cast_at AND a."
    stands_in = (
        "(s.deputy_id = NEW.voter_id OR (EXISTS (SELECT 1 "
        f"{absent}user_id = s.user_id) AND EXISTS (SELECT 1 {absent}deputy_id = NEW.voter_id)) "
        "OR EXISTS (SELECT 1 FROM delegation l WHERE l.from_user_id = s.user_id AND l.to_user_id = NEW.voter_id "
        "AND l.role = s.role AND l.valid_from <= NEW.cast_at AND l.valid_to > NEW.cast_at))"
    )
    seated = (
        "SELECT 1 FROM board_seat s JOIN board_requirement r ON r.id = s.requirement_id WHERE s.id = NEW.seat_id "
        "AND r.target_type = NEW.target_type AND r.target_id = NEW.target_id AND r.target_hash = NEW.target_hash "
        "AND r.function = NEW.function AND s.weight = NEW.weight "
        f"AND (s.user_id IS NULL OR s.user_id = NEW.voter_id OR (s.user_id = NEW.on_behalf_of_id AND {stands_in}))"
    )
    in_conflict = (
        "SELECT 1 FROM conflict_of_interest c WHERE c.target_id = NEW.target_id "
        "AND (c.user_id = NEW.voter_id OR c.user_id = NEW.on_behalf_of_id)"
    )
    order, addendum = CHANGE_ORDER.table, ADDENDUM.table
    open_for_votes = (
        f"(CASE NEW.target_type WHEN {quoted(order.name)} THEN EXISTS (SELECT 1 FROM {order.name} o "
        f"WHERE o.id = {speech.id_of(order.columns['id'], 'NEW.target_id')} AND o.status = 'REVIEW' "
        f"AND o.content_hash = NEW.target_hash) WHEN {quoted(addendum.name)} THEN EXISTS (SELECT 1 FROM {addendum.name} o "
        f"WHERE o.id = {speech.id_of(addendum.columns['id'], 'NEW.target_id')} AND o.status = 'PROPOSED' "
        "AND o.content_hash = NEW.target_hash) ELSE 1 = 0 END)"
    )
    return Door(
        name="guard_board_vote_is_its_signers", table=table, event="INSERT",
        refused_when=f"NOT EXISTS ({signed}) OR NOT EXISTS ({seated}) OR EXISTS ({in_conflict}) OR NOT {open_for_votes}",
        sentence=(
            "UNSIGNED: Expected a vote with its voter's own valid signature on the content that is up for decision, from a seat of "
            "the board without a conflict of interest, but it is not"
        ),
    )  # fmt: skip


def _a_seat_is_written_before_anybody_votes() -> Door:
    table = table_of(BoardSeat)
    return Door(
        name="guard_board_seat_comes_before_its_votes", table=table, event="INSERT",
        refused_when=(
            "NEW.user_id IS NOT NULL AND EXISTS (SELECT 1 FROM board_vote v JOIN board_requirement r "
            "ON r.target_id = v.target_id AND r.target_hash = v.target_hash WHERE r.id = NEW.requirement_id)"
        ),
        sentence="APPEND_ONLY: Expected no new seat for a content that people have voted on, but one was inserted",
    )  # fmt: skip


def _signed(table: Table, column: str, speech: Speech) -> str:
    """Return SQL that says that a column of the new row names no valid approval of that very row."""
    return (
        f"NOT EXISTS (SELECT 1 FROM signature g WHERE g.id = NEW.{column} AND g.status = 'VALID' AND g.meaning = 'APPROVED' "
        f"AND g.record_type = {quoted(table.name)} AND g.record_id = {speech.key(table.columns['id'], 'NEW.id')}"
    )


def _settings_are_signed(speech: Speech) -> Door:
    table = table_of(Board)
    touched = (*SETTINGS, "content_hash", "signature_id")
    changed = " OR ".join(speech.differ(f"OLD.{one}", f"NEW.{one}") for one in touched)
    again = f"OLD.signature_id IS NOT NULL AND NOT ({speech.differ('OLD.signature_id', 'NEW.signature_id')})"
    unsigned = f"{_signed(table, 'signature_id', speech)} AND g.content_hash = NEW.content_hash)"
    return Door(
        name="guard_board_settings_are_signed", table=table, event="UPDATE", columns=touched,
        refused_when=f"({changed}) AND (({again}) OR {unsigned})",
        sentence="UNSIGNED: Expected the settings of a board to change under a new signature of its keeper, but there is none",
    )  # fmt: skip


def _a_rule_is_signed_and_never_edited(speech: Speech) -> Iterator[Door]:
    table = table_of(BoardRule)
    yield Door(
        name="guard_board_rule_begins_signed", table=table, event="INSERT",
        refused_when=f"{_signed(table, 'signature_id', speech)} AND g.content_hash = NEW.content_hash)",
        sentence="UNSIGNED: Expected a rule of a board to begin under a signature of its keeper, but there is none",
    )  # fmt: skip
    yield Door(
        name="guard_board_rule_never_edited", table=table, event="UPDATE", columns=RULE,
        refused_when=" OR ".join(speech.differ(f"OLD.{one}", f"NEW.{one}") for one in RULE),
        sentence="UNCONTROLLED_CHANGE: Expected a rule of a board to end and another to begin, but it was edited",
    )  # fmt: skip


def _ends_signed(table: Table, what: str, speech: Speech) -> Door:
    return Door(
        name=f"guard_{table.name}_ends_signed", table=table, event="UPDATE", columns=("valid_to", "end_signature_id"),
        refused_when=(
            f"({speech.differ('OLD.valid_to', 'NEW.valid_to')} OR {speech.differ('OLD.end_signature_id', 'NEW.end_signature_id')}) "
            f"AND (OLD.valid_to IS NOT NULL OR NEW.valid_to IS NULL OR {_signed(table, 'end_signature_id', speech)}))"
        ),
        sentence=f"UNSIGNED: Expected {what} to end once, under a signature, but it is not signed, or it ended already",
    )  # fmt: skip
