"""Walk the genealogy, forward to what was made of a lot and backward to what it was made of.

Nodes are lots and work orders. One recursive statement reaches every node once, whatever the number of ways to it; what was
reversed is not walked, and a lot that went into named lots of a work order is not taken for part of its other products.
"""

from __future__ import annotations

from sqlalchemy import bindparam, text
from sqlalchemy.orm import Session

from engine.database import IdType

LIVE = """e.reverses_id IS NULL AND NOT EXISTS (SELECT 1 FROM genealogy_edge b WHERE b.reverses_id = e.id)"""


def is_reachable(session: Session, start: str, target: str) -> bool:
    """Whether a node can be reached forward from another, over every step that stands."""
    session.flush()
    statement = text(
        f"""WITH RECURSIVE reached(node) AS (
              SELECT e.to_node FROM genealogy_edge e WHERE e.from_node = :start AND e.to_node IS NOT NULL AND {LIVE}
              UNION
              SELECT e.to_node FROM reached r JOIN genealogy_edge e ON e.from_node = r.node
               WHERE e.to_node IS NOT NULL AND {LIVE})
            SELECT 1 FROM reached WHERE node = :target LIMIT 1"""  # noqa: S608  # constants of this module
    ).bindparams(bindparam("start", type_=IdType()), bindparam("target", type_=IdType()))
    return start == target or session.execute(statement, {"start": start, "target": target}).first() is not None
