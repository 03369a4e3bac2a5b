"""Saved views of the cast: what their leads look at first, shared with those who work beside them."""

from __future__ import annotations

from typing import Any

from engine.act import Installation
from records.inbox_view import EVERYBODY, USUAL_COLUMNS, save_view

VIEWS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("lena", {"name": "Due this week", "colour": "red", "query": "due<7d", "grouping": "due", "shared_with": EVERYBODY}),
    ("lena", {"name": "Above 2,000", "colour": "blue", "query": "amount>2000", "sort": "amount", "grouping": "party"}),
    ("max", {"name": "Above 10,000", "colour": "violet", "query": "amount>10000", "sort": "amount", "shared_with": "role:PUR_MGR"}),
    ("bea", {"name": "From the ERP", "colour": "amber", "query": "from:erp", "grouping": "party", "shared_with": "role:BUYER"}),
)  # fmt: skip
"""Whose view, and what it keeps."""


def keep_views(installation: Installation) -> None:
    """Save the views, each in the name of whoever uses it."""
    for owner_id, values in VIEWS:
        with installation.acting(f"user:{owner_id}") as act:
            save_view(act, {"box": "groups", "sort": "due", "columns": list(USUAL_COLUMNS)} | values)
