"""${message}"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rules.triggers import install_guard
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
    install_guard(op.get_bind())


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
    install_guard(op.get_bind())
