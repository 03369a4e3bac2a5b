"""However many lines a document has, what they refer to and what is asked about each of them takes as many statements."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.act import Installation
from engine.answers import of_each, once
from engine.errors import Conflict
from records.part import Part, RevisionStatus
from records.requisition import Requisition, RequisitionLine
from tests.engine.plant import statements
from tests.makers import D, make_id, make_part, make_requisition, make_revision, make_supplier

NUMBERS = [f"P-{turn}" for turn in range(12)]


@pytest.fixture
def requisition_id(installation: Installation) -> str:
    """Write a requisition of twelve lines, each for a part of its own."""
    with installation.acting("system:test") as act:
        rows = [(make_revision(act, make_part(act, number)), D(1), "2.00") for number in NUMBERS]
        made = make_requisition(act, *rows)
        for line in made.lines:
            line.supplier = make_supplier(act)
        return made.id


def test_what_many_lines_refer_to_is_loaded_together(installation: Installation, requisition_id: str) -> None:
    with installation.reading() as session:
        lines = session.get_one(Requisition, requisition_id).lines
        with statements(installation.database) as sent:
            found = [line.part_revision.part.part_no for line in lines if line.part_revision]
            assert [line.supplier is not None for line in lines] == [True] * 12
            assert [line.service for line in lines] == [None] * 12
        assert (found, len(sent)) == (NUMBERS, 9)


def test_the_lists_of_many_rows_are_loaded_together(installation: Installation, requisition_id: str) -> None:
    with installation.acting("system:test") as act:
        make_revision(
            act,
            act.session.scalars(select(Part).where(Part.part_no == NUMBERS[3])).one(),
            "C",
            status=RevisionStatus.DRAFT,
        )
    with installation.reading() as session:
        parts = session.scalars(select(Part).where(Part.part_no.in_(NUMBERS)).order_by(Part.part_no)).all()
        with statements(installation.database) as sent:
            revisions = {part.part_no: [one.rev for one in part.revisions] for part in parts}
        assert len(sent) == 3
        assert revisions == {number: ["B"] for number in NUMBERS} | {NUMBERS[3]: ["B", "C"]}


def test_a_reference_is_followed_as_it_is_when_it_is_asked_for(installation: Installation, requisition_id: str) -> None:
    with installation.acting("system:test") as act:
        first, second, *_ = act.session.get_one(Requisition, requisition_id).lines
        assert first.part_revision
        second.part_revision_id = first.part_revision_id
        assert second.part_revision is first.part_revision


def test_a_question_is_asked_once_until_something_is_written(installation: Installation, requisition_id: str) -> None:
    asked: list[str] = []

    def ask(session: Session) -> str:
        return once(session, "title", lambda: asked.append("") or session.get_one(Requisition, requisition_id).title)

    with installation.acting("system:test") as act:
        before = ask(act.session)
        assert (ask(act.session), len(asked)) == (before, 1)
        act.session.get_one(Requisition, requisition_id).title = "Brackets"
        assert (ask(act.session), len(asked)) == ("Brackets", 2), "what waits is written before anything is asked"
        act.session.execute(select(Requisition).where(Requisition.id == requisition_id).with_for_update())
        ask(act.session)
        assert len(asked) == 3, "whoever locks a row wants to know it as it is now"
        with pytest.raises(Conflict), act.attempt():
            _go_wrong(ask(act.session))
        asked.clear()
        ask(act.session)
        assert len(asked) == 1, "what was answered in a savepoint may be gone with it"


def _go_wrong(title: str) -> None:
    raise Conflict(f"Expected nothing, but {title} went wrong")


def test_a_question_about_a_line_is_asked_about_every_line(installation: Installation, requisition_id: str) -> None:
    asked: list[int] = []

    def ask(lines: list[RequisitionLine]) -> dict[str, int]:
        asked.append(len(lines))
        return {line.id: line.line_no for line in lines if line.line_no != 5}

    with installation.reading() as session:
        lines = session.get_one(Requisition, requisition_id).lines
        told = [of_each(session, line, "number", ask, otherwise=0) for line in lines]
        assert (told, asked) == ([1, 2, 3, 4, 0, *range(6, 13)], [12])
        draft = RequisitionLine(id=make_id(), line_no=7, quantity=D(1))
        assert (of_each(session, draft, "number", ask, otherwise=0), asked) == (7, [12, 1])


def test_who_asks_one_by_one_is_not_searched_for_company_each_time(
    installation: Installation, requisition_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with installation.reading() as session:
        lines = session.get_one(Requisition, requisition_id).lines
        states, looked = session.identity_map.all_states, []
        monkeypatch.setattr(session.identity_map, "all_states", lambda: looked.append(1) or states())
        for line in lines:
            assert line.supplier
            session.expire(line, ["supplier"])
            session.expunge(line.supplier)
        assert 0 < len(looked) < len(lines)
