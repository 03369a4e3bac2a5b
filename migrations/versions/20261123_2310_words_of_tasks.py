"""Words of free text beside the candidates of tasks, so that a search that finds nothing reads no task."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from engine import database

revision = "20261123_2310"
down_revision = "20261123_2300"
branch_labels = None
depends_on = None

AT_ONCE = 5_000
"""Tasks whose words are written together."""

TASKS = sa.table(
    "task",
    sa.column("id", database.IdType()),
    *(
        sa.column(name, sa.String())
        for name in ("state", "business_key", "record_number", "title", "party", "project", "name")
    ),
)
CANDIDATES = sa.table("task_candidate", sa.column("task_id", database.IdType()), sa.column("words", sa.String()))


def upgrade() -> None:
    op.add_column("task_candidate", sa.Column("words", sa.String(), nullable=False, server_default=""))
    connection = op.get_bind()
    write = sa.update(CANDIDATES).where(CANDIDATES.c.task_id == sa.bindparam("of")).values(words=sa.bindparam("said"))
    wanted = sa.select(TASKS).where(TASKS.c.state == "OPEN").order_by(TASKS.c.id).limit(AT_ONCE)
    rows = connection.execute(wanted).all()
    while rows:
        connection.execute(write, [{"of": row.id, "said": _words(row)} for row in rows])
        rows = connection.execute(wanted.where(TASKS.c.id > rows[-1].id)).all()


def _words(row: sa.Row[Any]) -> str:
    """Return what an open task is found by, as the house writes it: databases differ in what is lower case."""
    keys = [f"\x02{key}" for key in dict.fromkeys((row.business_key, row.record_number)) if key]
    said = dict.fromkeys((row.title, row.party, row.project, row.name))
    return "\n".join([*keys, *(word for word in said if word)]).lower()


def downgrade() -> None:
    op.drop_column("task_candidate", "words")
