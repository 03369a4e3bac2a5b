"""Where one goes after a small answer given beside the list: back beside the list, not to a page of its own."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

from flask import request, url_for

BESIDES = frozenset({"back", "next", "since", "tab", "task", "view"})
"""What an address of the inbox says of the review in it, not of the list."""


def keep_list(path: str) -> str:
    """Return the address of a review as it stands beside the list, when the visitor was there; any other address as it is."""
    came, asked = urlsplit(request.referrer or ""), urlsplit(path)
    first, _, task_id = asked.path.removeprefix("/").partition("/")
    if came.path != url_for("inbox.show") or first != "tasks" or "/" in task_id:
        return path
    place = {name: value for name, value in parse_qsl(came.query) if name not in BESIDES}
    given = {name: value for name, value in parse_qsl(asked.query) if name != "back"}
    values: dict[str, Any] = place | given | {"task": task_id}
    return url_for("inbox.show", **values)
