"""A signature ends by itself when its document leaves the content that was signed, whatever kind of document it is."""

from __future__ import annotations

import pytest

from records.signing import SIGNED_HASHES
from rules.guarded import DOCUMENTS


@pytest.mark.part11("11.70")
def test_every_kind_of_document_that_is_signed_to_move_ends_its_signatures_by_itself() -> None:
    signed = {one.table.name: one.signed_hash for one in DOCUMENTS if one.signed_moves}
    assert signed.items() <= SIGNED_HASHES.items()
    for kind, column in SIGNED_HASHES.items():
        assert column in next(one.table for one in DOCUMENTS if one.table.name == kind).columns
