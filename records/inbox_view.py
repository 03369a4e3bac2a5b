"""Saved views of an inbox: a box, a search, an order, a grouping and columns under one name, for oneself or shared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint, func, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine import inbox_order, inbox_query
from engine.act import Act
from engine.database import Base, Id, Instant, Listing, Versioned, is_id, new_id
from engine.errors import Conflict, Forbidden, Invalid, NotFound
from records.columns import Code, Login, Name, Text
from records.person import User

BOXES = ("mine", "groups", "snoozed")
"""Boxes that a view may look into."""

COLOURS = ("grey", "blue", "green", "amber", "red", "violet")
GROUPINGS = ("", "flow", "due", "party", "project")
COLUMNS = ("requester", "step", "party", "project", "flow", "amount", "created", "priority")
"""Business fields that a row may show beside its key, title and due date."""

USUAL_COLUMNS = ("requester", "step", "party", "amount")
EVERYBODY = "everybody"
LONGEST_NAME = 60
MOST = 40
"""Views of one person: more fit in no rail."""


class InboxView(Versioned, Base):
    """One saved view. shared_with: None for the owner alone, ``everybody``, or a role such as ``role:PUR_LEAD``.

    A view of somebody who left stays readable for those it is shared with; one of them may adopt it.
    """

    __tablename__ = "inbox_view"
    __table_args__ = (UniqueConstraint("owner_id", "name"),)

    id: Mapped[Id] = mapped_column(primary_key=True, default=new_id)
    owner_id: Mapped[Login] = mapped_column(ForeignKey("user_account.id"))
    name: Mapped[Name]
    colour: Mapped[Code]
    box: Mapped[Code]
    query: Mapped[Text]
    sort: Mapped[Name]
    grouping: Mapped[Code]
    columns: Mapped[Listing]
    shared_with: Mapped[Login | None] = mapped_column(index=True)
    created_at: Mapped[Instant]
    changed_at: Mapped[Instant]
    version: Mapped[int]


def save_view(act: Act, values: Mapping[str, Any]) -> InboxView:
    """Keep a view of the acting person. values: name, colour, box, query, sort, grouping, columns, shared_with.

    Raises: Invalid by field, also for a search that makes no sense; Conflict for a name that is taken.
    """
    owner_id = _person(act)
    held = act.session.scalar(select(func.count()).where(InboxView.owner_id == owner_id)) or 0
    if held >= MOST:
        raise Conflict(f"Expected at most {MOST} views, but you have {held}; delete one first")
    view = InboxView(owner_id=owner_id, created_at=act.now)
    _fill(act, view, values)
    act.session.add(view)
    act.session.flush()
    return view


def change_view(act: Act, view: InboxView, values: Mapping[str, Any]) -> InboxView:
    """Change a view. Raises: Forbidden to anybody but its owner; Invalid by field; Conflict for a name that is taken."""
    _refuse_other(act, view)
    _fill(act, view, values)
    act.session.flush()
    return view


def delete_view(act: Act, view: InboxView) -> None:
    """Delete a view. Raises: Forbidden to anybody but its owner."""
    _refuse_other(act, view)
    act.session.delete(view)


def adopt_view(act: Act, view: InboxView) -> InboxView:
    """Take over a view whose owner left. Raises: Conflict while the owner is still here, or when the name is taken."""
    owner = act.session.get_one(User, view.owner_id)
    if owner.is_active:
        raise Conflict(
            f"Expected the owner of the view to have left, but {owner.name} is still here; save a copy under your name",
            code="OWNER_IS_HERE",
        )
    _refuse_taken(act.session, view, _person(act), view.name)
    view.owner_id, view.changed_at = _person(act), act.now
    act.session.flush()
    return view


def find_view(session: Session, view_id: str, user_id: str, roles: Iterable[str]) -> InboxView:
    """Return a view that somebody may read: their own, or one that is shared with them. Raises: NotFound for any other."""
    view = session.get(InboxView, view_id) if is_id(view_id) else None
    if view is None or (view.owner_id != user_id and view.shared_with not in _shares(roles)):
        raise NotFound("Expected a view of yours, or one that is shared with you, but there is none at this address")
    return view


def views_of(session: Session, user_id: str, roles: Iterable[str]) -> list[InboxView]:
    """Return the views that somebody may read, their own ones first, then by name."""
    may_read = or_(InboxView.owner_id == user_id, InboxView.shared_with.in_(_shares(roles)))
    found = session.scalars(select(InboxView).where(may_read).order_by(InboxView.name, InboxView.id))
    return sorted(found, key=lambda view: view.owner_id != user_id)


def _shares(roles: Iterable[str]) -> list[str]:
    return [EVERYBODY, *(f"role:{role}" for role in roles)]


def _fill(act: Act, view: InboxView, values: Mapping[str, Any]) -> None:
    """Check and set the values. Raises: Invalid with a sentence for each field that does not fit."""
    given = {
        "name": " ".join(str(values.get("name", view.name or "")).split()),
        "colour": values.get("colour", view.colour or COLOURS[0]),
        "box": values.get("box", view.box or BOXES[0]),
        "query": str(values.get("query", view.query or "")).strip(),
        "sort": values.get("sort", view.sort) or "due",
        "grouping": values.get("grouping", view.grouping) or "",
        "columns": list(values.get("columns") or view.columns or USUAL_COLUMNS),
        "shared_with": values.get("shared_with", view.shared_with) or None,
    }
    wrong = dict(_problems(act, given))
    if wrong:
        raise Invalid(f"Expected a view that fits, but {len(wrong)} field(s) of it do not.", wrong)
    _refuse_taken(act.session, view, view.owner_id, given["name"])
    for name, value in given.items():
        setattr(view, name, value)
    view.changed_at = act.now


def _problems(act: Act, given: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    if not 1 <= len(given["name"]) <= LONGEST_NAME:
        yield "name", f"Expected a name of 1 to {LONGEST_NAME} characters, but it has {len(given['name'])}"
    for field, choices in (("colour", COLOURS), ("box", BOXES), ("grouping", GROUPINGS)):
        if given[field] not in choices:
            yield field, f"Expected one of {', '.join(filter(None, choices))}, but found {str(given[field])[:40]}"
    unknown = [str(one)[:40] for one in given["columns"] if one not in COLUMNS]
    if unknown or len(set(given["columns"])) < len(given["columns"]):
        yield (
            "columns",
            f"Expected some of {', '.join(COLUMNS)}, each once, but found {', '.join(unknown) or 'one again'}",
        )
    try:
        inbox_order.read(str(given["sort"]))
    except Invalid as refusal:
        yield "sort", refusal.message
    try:
        inbox_query.read(act.session, given["query"], now=act.now).understood()
    except Invalid as refusal:
        yield "query", refusal.message
    yield from _share_problems(act, given["shared_with"])


def _share_problems(act: Act, share: Any) -> Iterable[tuple[str, str]]:
    """A view is shared with people one belongs to: with everybody, or with a role that one holds."""
    directory = act.installation.directory
    held = directory.mandates(act.session, _person(act), at=act.now, flow="") if directory is not None else ()
    mine = {one.principal for one in held if one.on_behalf_of is None}
    if share is not None and share != EVERYBODY and share not in mine:
        yield "shared_with", f"Expected nobody, everybody or a role of yours, but found {str(share)[:60]}"


def _refuse_taken(session: Session, view: InboxView, owner_id: str, name: str) -> None:
    with session.no_autoflush:
        taken = session.scalar(select(InboxView.id).where(InboxView.owner_id == owner_id, InboxView.name == name))
    if taken is not None and taken != view.id:
        raise Conflict(f'Expected a name that none of your views has, but "{name}" is taken', code="NAME_TAKEN")


def _refuse_other(act: Act, view: InboxView) -> None:
    if view.owner_id != act.user_id:
        owner = act.session.get_one(User, view.owner_id)
        raise Forbidden(
            f"Expected {owner.name}, whose view it is, to change it; save a copy under your name instead",
            code="NOT_YOUR_VIEW",
        )


def _person(act: Act) -> str:
    if act.user_id is None:
        raise Forbidden(f"Expected a person to keep views, but {act.actor} is none")
    return act.user_id


def used_columns(view: InboxView | None, asked: Sequence[str] = ()) -> tuple[str, ...]:
    """Return what rows show: what was asked for in an address, else what the view says, else the usual."""
    chosen = [one for one in asked if one in COLUMNS] or (view.columns if view is not None else [])
    return tuple(chosen) or USUAL_COLUMNS
