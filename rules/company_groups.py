"""Which roles the groups of a company's identity provider give, as the table ``company_groups.dmn`` says it."""

from __future__ import annotations

from collections.abc import Iterable

from rules.policy import table_called


def roles_of(groups: Iterable[str]) -> dict[tuple[str, str], str]:
    """Return (role, scope) to the first group, in their order, that gives it. Groups without a row give none."""
    table = table_called("company_groups")
    found: dict[tuple[str, str], str] = {}
    for group in groups:
        for row in table.judge(group=group).rows:
            found.setdefault((str(row.outputs["role"]), str(row.outputs["scope"])), group)
    return found
