"""``lockstep tasks``: an inbox in the terminal."""

from __future__ import annotations

from typing import Any

import click

from engine import inbox
from records.roles import user_called
from webapp.cli.house import House, as_json, in_the_name_of, refusals_told, show_json


@click.command("tasks")
@click.option("--box", type=click.Choice(inbox.BOXES), default="groups", show_default=True)
@click.option("--query", default="", help='As in the inbox: "flow:requisition_to_po due<3d amount>5000".')
@click.option("--sort", type=click.Choice(list(inbox.SORTS)), default="due", show_default=True)
@click.option("--limit", type=click.IntRange(1, inbox.MAX_LIMIT), default=50, show_default=True)
@click.option("--after", help="Where the page before ended (its next).")
@in_the_name_of
@as_json
@click.pass_obj
@refusals_told
def tasks_command(house: House, /, user: str, is_json: bool, **wanted: Any) -> None:
    """List what waits for somebody, as their inbox shows it.

    \b
    Example:
      lockstep tasks --as max --box groups --query "amount>5000"
    """
    with house.open() as installation, installation.reading() as session:
        user_called(session, user)
        page = inbox.page(session, user, **wanted)
        rows = [_plain(item) for item in page.items]
    if is_json:
        show_json({"items": rows, "next": page.next, "as_of": page.as_of.isoformat()})
        return
    columns = ("key", "title", "amount", "party", "due", "state")
    shown = [tuple(str(row[column] or "") for column in columns) for row in rows]
    house.show_rows(columns, shown, none=f"Nothing waits for {user} in {wanted['box']}.")
    if page.next:
        house.says.print(f"more: --after {page.next}", markup=False)


def _plain(item: inbox.Item) -> dict[str, Any]:
    task = item.task
    return {
        "id": task.id if task else None,
        "key": item.business_key,
        "flow": item.flow,
        "title": (task.title or task.name) if task else None,
        "amount": str(task.amount) if task and task.amount is not None else None,
        "party": task.party if task else None,
        "due": task.due_at.isoformat() if task and task.due_at else None,
        "state": task.state if task else item.instance.status if item.instance else None,
        "on_behalf_of": item.on_behalf_of,
    }
