"""Operators move, add and cancel tokens: staged with what would happen, refused in words where it cannot be, told in the chain."""

from __future__ import annotations

import pytest

from engine import instances, modifying, worker
from engine.audit import chain_of
from engine.errors import Conflict, Invalid
from engine.modifying import EditKind, Staged, TokenEdit
from engine.registry import Work
from tests.engine.plant import Plant, approve, work
from tests.engine.spiff.diagrams import boundary, each, end, node, process, properties, service, start, sub, timer

FORK, JOIN = node("parallelGateway", "fork"), node("parallelGateway", "join")
PLANT = process(
    start(), FORK, approve("a", name="Approve"), boundary("late", "a", timer("duration", "PT1H")), work("b"), JOIN,
    work("c", extensions=properties(title='="Order " + number')), service("book"), work("d"),
    sub("box", start("i"), work("inside"), end("o"), flows="i > inside > o"),
    sub("many", each("=[1, 2]"), start("mi"), work("one"), end("mo"), flows="mi > one > mo"),
    end("x"), end(),
    flows="s > fork > a > join > c > book > d > box > many > e\nfork > b > join\nlate > x",
)  # fmt: skip


def token_at(plant: Plant, instance_id: str, element: str) -> int:
    with plant.reading() as session:
        found = modifying.movable_tokens(session, instances.find(session, instance_id))
        return next(one.token_id for one in found if one.element_id == element)


def moved(plant: Plant, instance_id: str, element: str, to: str) -> TokenEdit:
    return TokenEdit(EditKind.MOVE, token_at(plant, instance_id, element), to)


def stage(plant: Plant, instance_id: str, *edits: TokenEdit) -> Staged:
    with plant.reading() as session:
        return modifying.stage(session, instances.find(session, instance_id), edits)


def carry_out(plant: Plant, instance_id: str, *edits: TokenEdit, seen: str | None = None) -> None:
    with plant.acting("pat") as act:
        now = modifying.hash_of(act.session, instances.find(act.session, instance_id), edits)
        modifying.apply(act, instance_id, edits, reason="the form was wrong", seen_hash=seen or now)


def test_a_staged_move_says_what_ends_what_begins_and_what_is_missing(plant: Plant) -> None:
    plant.deploy(PLANT)
    instance_id = plant.start()
    found = stage(plant, instance_id, moved(plant, instance_id, "a", "c"))
    assert found.ends[0].startswith('task "Approve"')
    assert found.ends[1].startswith('timer "late", due')
    assert found.begins == ('task "c"',)
    assert found.missing == ('number, which "c" reads in the property title',)
    assert {task.element_id for task in plant.open(instance_id)} == {"a", "b"}
    with plant.reading() as session:
        edits = [moved(plant, instance_id, "a", "c")]
        given = modifying.stage(session, instances.find(session, instance_id), edits, values={"number": "7"})
    assert given.missing == ()
    assert given.hash != found.hash
    task = plant.task(instance_id, "a")
    carry_out(plant, instance_id, moved(plant, instance_id, "a", "c"), seen=found.hash)
    assert {task.element_id for task in plant.open(instance_id)} == {"b", "c"}
    assert plant.reread(task).closed_why == "ended by user:pat: the form was wrong"
    with plant.reading() as session:
        [row] = [row for row in chain_of(session, "instance", instance_id) if row.action == "TOKEN_MOVE"]
    assert (row.field, row.reason) == ("c", "the form was wrong")
    with pytest.raises(Conflict, match="stage the edits again"):
        carry_out(plant, instance_id, TokenEdit(EditKind.ADD, None, "d"), seen=found.hash)


def test_a_token_is_added_and_another_one_ends_and_work_is_foretold(plant: Plant) -> None:
    done: list[str] = []

    @plant.registry.job("book")
    def book(act: object, work: Work) -> None:
        done.append(work.element_id)

    plant.deploy(PLANT)
    instance_id = plant.start()
    assert stage(plant, instance_id, TokenEdit(EditKind.ADD, None, "book")).works == ('"book" is done by a worker',)
    both = (moved(plant, instance_id, "a", "join"), TokenEdit(EditKind.CANCEL, token_at(plant, instance_id, "b")))
    carry_out(plant, instance_id, *both)
    assert [task.element_id for task in plant.open(instance_id)] == ["c"]
    carry_out(plant, instance_id, TokenEdit(EditKind.ADD, None, "book"), TokenEdit(EditKind.ADD, None, "box"))
    worker.run_until_idle(plant.installation)
    assert done == ["book"]
    assert {task.element_id for task in plant.open(instance_id)} == {"c", "d", "inside"}
    carry_out(plant, instance_id, TokenEdit(EditKind.ADD, None, "inside"))
    assert len(plant.open(instance_id, "inside")) == 2
    carry_out(plant, instance_id, moved(plant, instance_id, "d", "inside"))
    assert [task.element_id for task in plant.open(instance_id)] == ["c", *["inside"] * 3]


ILLEGAL = {
    "into a sub-process that is not open": ("ADD", None, "inside", 'opened by a token at "box" itself'),
    "into one of several": ("ADD", None, "one", "done several times"),
    "at a start": ("ADD", None, "s", "choose the step behind it"),
    "at a boundary event": ("ADD", None, "late", "happens by itself"),
    "nowhere": ("ADD", None, "nothing", "is none"),
    "the last one": ("CANCEL", "c", None, "cancel the run"),
    "one of several": ("CANCEL", "one", None, "the last"),
    "what is gone": ("CANCEL", 999, None, "reload the page"),
    "into itself, once it is open": ("MOVE", "box", "inside", 'outside "box", but "inside" lies inside it'),
}


@pytest.mark.parametrize("case", ILLEGAL)
def test_what_is_not_legal_is_refused_in_words(small_plant: Plant, case: str) -> None:
    kind, at, element, why = ILLEGAL[case]
    small_plant.deploy(PLANT)
    instance_id = small_plant.start(number="7")
    first = (
        moved(small_plant, instance_id, "a", "c"),
        TokenEdit(EditKind.CANCEL, token_at(small_plant, instance_id, "b")),
    )
    carry_out(small_plant, instance_id, *first)
    if "one of several" in case or case == "into one of several":
        carry_out(small_plant, instance_id, TokenEdit(EditKind.ADD, None, "many"))
    if at == "box":
        carry_out(small_plant, instance_id, TokenEdit(EditKind.ADD, None, "box"))
    token_id = token_at(small_plant, instance_id, at) if isinstance(at, str) else at
    edit = TokenEdit(EditKind(kind), token_id, element)
    with pytest.raises(Conflict, match=why) as refused:
        stage(small_plant, instance_id, edit)
    assert refused.value.code == "NOT_LEGAL"
    with pytest.raises(Conflict, match=why):
        carry_out(small_plant, instance_id, edit)


def test_nothing_begins_in_what_another_edit_ends(small_plant: Plant) -> None:
    """It began in a sub-process that was gone: in an ad-hoc one a server error, in another one a token that nothing could wake."""
    small_plant.deploy(PLANT)
    instance_id = small_plant.start()
    carry_out(small_plant, instance_id, TokenEdit(EditKind.ADD, None, "box"))
    box = token_at(small_plant, instance_id, "box")
    edits = (TokenEdit(EditKind.ADD, None, "inside"), TokenEdit(EditKind.CANCEL, box))
    with pytest.raises(Conflict, match='"box" to stay open') as refused:
        stage(small_plant, instance_id, *edits)
    assert refused.value.code == "NOT_LEGAL"
    adhoc = sub("choices", work("one"), work("two"), kind="adHocSubProcess", extensions="<zeebe:adHoc />")
    small_plant.deploy(process(start(), adhoc, end(), flows="s > choices > e"))
    instance_id = small_plant.start("K-2")
    choices = token_at(small_plant, instance_id, "choices")
    edits = (TokenEdit(EditKind.ADD, None, "one"), TokenEdit(EditKind.CANCEL, choices))
    with pytest.raises(Conflict, match='"choices" to stay open'):
        stage(small_plant, instance_id, *edits)


def test_moving_wants_a_reason_and_offers_only_legal_places(small_plant: Plant) -> None:
    small_plant.deploy(PLANT)
    instance_id = small_plant.start()
    with small_plant.acting("pat") as act, pytest.raises(Invalid, match="reason"):
        modifying.apply(act, instance_id, [TokenEdit(EditKind.ADD, None, "d")], reason=" ", seen_hash="")
    with small_plant.reading() as session:
        offered = [element for element, _ in modifying.legal_places(session, instances.find(session, instance_id))]
    assert offered == ["fork", "a", "b", "join", "c", "book", "d", "box", "many", "x", "e"]
