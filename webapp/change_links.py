"""Numbers of changes in a sentence become links to their pages."""

from __future__ import annotations

import re

from flask import url_for
from markupsafe import Markup, escape
from sqlalchemy import select

from records.change_order import ChangeOrder
from records.change_request import ChangeRequest
from webapp import visit

NUMBER = re.compile(r"\b(?:CO|EC|CR)-[A-Z0-9-]*\d\b")


def linked(text: str | None) -> Markup:
    """Return a sentence with each number of a change that there is as a link to its page."""
    found, at = Markup(), 0
    for match in NUMBER.finditer(text or ""):
        found += escape((text or "")[at : match.start()]) + _link(match.group())
        at = match.end()
    return found + escape((text or "")[at:])


def _link(number: str) -> Markup:
    kind, endpoint = (
        (ChangeRequest, "change_requests.show") if number.startswith("CR-") else (ChangeOrder, "changes.show")
    )
    known = visit.reading().scalar(select(kind.number).where(kind.number == number))
    if known is None:
        return escape(number)
    return Markup('<a href="{}">{}</a>').format(url_for(endpoint, record_id=number), number)
