"""Files of what is known of suppliers: each row once, what does not fit told by row, a rehearsal that writes nothing."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import select

from engine.errors import Invalid
from processes.goods_files import Report, rehearse
from processes.supplier_files import KINDS, bring
from records.supplier_knowledge import ObservedStock, SubTier, SupplierChangeNotice, SupplierScreening
from tests import makers
from tests.story import Story

FILES = {
    "screenings": (
        SupplierScreening,
        (
            "event_id,supplier_no,result,source,screened_on\n"
            "e-1,S-1,CLEAR,Consolidated list,2026-11-20\n"
            "e-2,S-2,CLEAR,Consolidated list,2026-11-20\n"
            "e-3,S-1,MAYBE,Consolidated list,2026-11-20\n"
        ),
    ),
    "sub-tiers": (
        SubTier,
        "event_id;supplier_no;name;process_code\ne-1;S-1;Acme Plating;HEAT_TREAT\n;S-1;Acme;HEAT_TREAT\ne-3;S-1;Acme;MAGIC\n",
    ),
    "changes": (
        SupplierChangeNotice,
        (
            "event_id,supplier_no,kind,effective_on,statement\ne-1,S-1,PROCESS,2026-12-01,New furnace\n"
            "e-2,S-1,PROCESS,soon,New furnace\ne-3,S-1,PROCESS,,New furnace\n"
        ),
    ),
    "stock": (
        ObservedStock,
        (
            "system,native_id,supplier_no,location,work_order,quantity,observed_at\n"
            "WMS,1,S-1,QP-WIP,WO-W6,6,2026-11-22T14:00:00Z\n"
            "WMS,2,S-1,QP-WIP,WO-W6,six,2026-11-22T14:00:00Z\n"
            "WMS,3,S-1,QP-WIP,WO-W6,6,2026-11-22T14:00:00\n"
        ),
    ),
}


def take(story: Story, kind: str, *, is_dry: bool = False) -> Report:
    content = FILES[kind][1].encode()
    with story.installation.acting("adapter:erp") as act:
        return rehearse(act, partial(bring, kind=kind), content) if is_dry else bring(act, content, kind=kind)


@pytest.mark.parametrize("kind", list(FILES))
def test_a_file_is_taken_in_once_and_its_wrong_rows_are_told(story: Story, kind: str) -> None:
    def arrange(act: makers.Act) -> None:
        makers.make_process(act)
        makers.make_supplier(act, "S-1", is_screened=False)

    story.given(arrange)
    wanted = select(FILES[kind][0])
    before = story.read(lambda session: len(list(session.scalars(wanted))))
    rehearsed = take(story, kind, is_dry=True)
    assert story.read(lambda session: len(list(session.scalars(wanted)))) == before
    first, again = take(story, kind), take(story, kind)
    assert (rehearsed.rows, rehearsed.recorded, [row for row, _ in rehearsed.problems]) == (3, 1, [3, 4])
    assert (first.recorded, first.repeated) == (1, 0)
    assert (again.recorded, again.repeated) == (0, 1)
    assert story.read(lambda session: len(list(session.scalars(wanted)))) == before + 1


def test_every_kind_has_a_file_here() -> None:
    assert set(FILES) == set(KINDS)


def test_a_file_of_another_kind_is_refused(story: Story) -> None:
    with story.installation.acting("adapter:erp") as act, pytest.raises(Invalid, match="gossip"):
        bring(act, b"a,b\n", kind="gossip")
