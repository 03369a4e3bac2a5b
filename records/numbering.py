"""Document numbers: one gapless sequence per site and kind of document."""

from __future__ import annotations

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from engine.act import Act
from engine.database import Base
from records.calendar import Site
from records.columns import Code


class Sequence(Base):
    """The last number given out. It moves in the act that uses the number, so an act that fails leaves no gap."""

    __tablename__ = "number_sequence"

    site_code: Mapped[Code] = mapped_column(primary_key=True)
    kind: Mapped[Code] = mapped_column(primary_key=True)
    last: Mapped[int]


def next_number(act: Act, kind: str, *, site: Site) -> str:
    """Return the next number of a kind at a site, such as ``REQ-000017``.

    kind: REQ, PF (proposal of an order), PO (sites without an ERP), RCV, INSP, CERT, INV, DN (our debit notes). Acts that
    want one of the same sequence wait for each other.
    """
    return f"{kind}-{site.number_prefix}{_step(act, site.code, kind):06d}"


def _step(act: Act, site_code: str, kind: str) -> int:
    connection = act.session.connection()
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = dialect.insert(Sequence.__table__).values(site_code=site_code, kind=kind, last=1)
    stepped = row.on_conflict_do_update(
        index_elements=["site_code", "kind"], set_={"last": Sequence.__table__.c.last + 1}
    ).returning(Sequence.__table__.c.last)
    return int(connection.execute(stepped).scalar_one())
