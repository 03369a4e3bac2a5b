"""Where a document was born: here, or in the ERP."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy.orm import Mapped

from records.columns import word


class Origin(StrEnum):
    """The system a document was made in.

    Never changes; only ERP documents may be inserted beyond their first status.
    """

    LOCKSTEP = "LOCKSTEP"
    ERP = "ERP"


class Originated:
    """A document that knows where it was born."""

    origin: Mapped[Origin] = word(Origin, "origin", default=Origin.LOCKSTEP)
