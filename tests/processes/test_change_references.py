"""What defines a released revision comes and goes by a signed change order alone, row by row as its board read it."""

from __future__ import annotations

from typing import Any

import pytest

from engine.act import Act, Installation
from engine.audit import chain_of
from engine.errors import Conflict, Invalid, RuleViolation
from engine.verification import verify
from processes import change_addenda, change_orders
from processes.change_references import add_reference, remove_reference
from processes.change_values import record_called, rows_named
from records.change_request import OrderClass
from records.part import DefinitionKind, PartRevision, ProductDefinitionRef, RevisionStatus
from rules.change_control import items_of
from tests.changes import opened, signed
from tests.makers import make_part, make_revision
from tests.processes.test_change_orders import sign_addendum

GIVEN: dict[str, Any] = {"kind": DefinitionKind.BOM, "system": "PLM", "native_id": "BOM-2", "content_hash": "b" * 64}


def released(act: Act, **fields: Any) -> tuple[PartRevision, ProductDefinitionRef]:
    """Have a released revision with a bill of material that came with it."""
    revision = make_revision(
        act, make_part(act, "P-900", **fields), "B", status="DRAFT", origin="LOCKSTEP", released_at=None
    )
    bill = ProductDefinitionRef(
        part_revision=revision, part_revision_id=revision.id, kind=DefinitionKind.BOM, system="PLM", native_id="BOM-1",
        native_rev="3", content_hash="a" * 64,
    )  # fmt: skip
    act.session.add(bill)
    act.session.flush()
    first = opened(act, effectivity_kind="NEXT_BUILD")
    change_orders.add_item(act, first, make_revision(act, revision.part, "A"), revision)
    change_orders.apply(act, signed(act, first))
    assert revision.status is RevisionStatus.RELEASED
    return revision, bill


def documents(revision: PartRevision) -> list[str]:
    return sorted(one.native_id for one in revision.definitions)


def test_a_bill_of_material_is_exchanged_as_the_board_signed_it_and_the_way_back_is_signed_too(
    plant: Installation,
) -> None:
    with plant.acting("user:ella") as act:
        revision, bill = released(act)
        with pytest.raises(RuleViolation, match="was inserted"), act.attempt():
            act.session.add(ProductDefinitionRef(part_revision_id=revision.id, **GIVEN))
        with pytest.raises(RuleViolation, match="was deleted"), act.attempt():
            act.session.delete(bill)
        order = opened(act, effectivity_kind="DATE", effectivity_value="2026-12-01")
        remove_reference(act, order, bill)
        items = add_reference(act, order, revision, **GIVEN)
        assert {item.column_name for item in items} == {
            "part_revision_id", "kind", "system", "native_id", "native_rev", "content_hash",
        }  # fmt: skip
        named = rows_named(act.session, items_of(act.session, order))
        assert sorted((name, str(what), str(kind)) for name, what, kind in named) == [
            ("P-900/B BOM BOM-1", "DELETE", "C4"),
            ("P-900/B BOM BOM-2", "INSERT", "C4"),
        ]
        with pytest.raises(RuleViolation, match="was deleted"), act.attempt():
            act.session.delete(bill)
        signed(act, order)
        used = change_orders.apply(act, order)
        assert (documents(revision), all(item.applied_at for item in used)) == (["BOM-2"], True)
        assert change_orders.apply(act, order) == []
        ends = [event.field for event in chain_of(act.session, bill.record_type, bill.id) if event.action == "DELETE"]
        assert "content_hash" in ends
        back = change_addenda.propose_way_back(act, order, reason="The plate is late", seats=["ENG_AUTH"])
        sign_addendum(act, back)
        change_addenda.apply_addendum(act, back)
        act.session.refresh(revision, ["definitions"])
        assert [(one.native_id, one.native_rev, one.content_hash) for one in revision.definitions] == [
            ("BOM-1", "3", "a" * 64)
        ]
        assert record_called(act.session, "P-900/B BOM BOM-1") is revision.definitions[0]
    with plant.reading() as session:
        assert [str(one) for one in verify(session)] == []


def test_a_document_that_may_not_come_or_go_is_refused_with_its_reason(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        revision, bill = released(act)
        order, draft = opened(act), make_revision(act, revision.part, "C", status="DRAFT", released_at=None)

        def refused(kind: type[Exception], words: str, **fields: Any) -> None:
            given = {"order": order, "revision": revision} | GIVEN | fields
            with pytest.raises(kind, match=words), act.attempt():
                add_reference(act, given.pop("order"), given.pop("revision"), **given)

        refused(Invalid, "hash of its content", content_hash="soon")
        refused(Invalid, "does not fit", native_id=" ")
        refused(Conflict, "written directly until then", revision=draft)
        refused(Conflict, "is there already", native_id="BOM-1")
        shallow = opened(act, OrderClass.C3)
        refused(Conflict, "Expected a change order of class C4", order=shallow)
        assert (
            add_reference(act, opened(act, OrderClass.C3, type="DOCUMENT"), revision, **GIVEN)[0].change_class == "C3"
        )
        refused(Conflict, r"already changes it\. Wait")
        change_orders.add_edit(act, order, bill, "content_hash", "c" * 64)
        other = opened(act)
        with pytest.raises(Conflict, match="already changes it"), act.attempt():
            remove_reference(act, other, bill)


def test_what_was_changed_since_the_board_read_it_is_not_taken_away(plant: Installation) -> None:
    with plant.acting("user:ella") as act:
        revision, bill = released(act)
        order = opened(act)
        made = remove_reference(act, order, bill)
        with pytest.raises(Conflict, match="already changes it"), act.attempt():
            change_orders.add_edit(act, opened(act), bill, "native_rev", "9")
        made.old_text = (made.old_text or "").replace('"3"', '"2"')
        signed(act, order)
        with pytest.raises(Conflict, match="takes away as it was signed, but it is another"), act.attempt():
            change_orders.apply(act, order)
        assert documents(revision) == ["BOM-1"]
