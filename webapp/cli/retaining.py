"""``lockstep retention`` lists the records that are past their time; it deletes nothing."""

from __future__ import annotations

import click

from processes.retention import past_their_time
from webapp.cli.house import House, as_json, refusals_told, show_json


@click.command("retention")
@click.option("--free", is_flag=True, help="Only those on which no legal hold stands.")
@as_json
@click.pass_obj
@refusals_told
def retention_command(house: House, free: bool, is_json: bool) -> None:
    """List the records whose retention is over, and the legal holds that keep them all the same.

    How long each kind is kept stands in rules/tables/retention.dmn. Nothing is deleted: what becomes of them is for people to say.

    \b
    Example:
      lockstep retention --free --json
    """
    with house.open() as installation, installation.reading() as session:
        past = [one for one in past_their_time(session, now=installation.clock()) if not (free and one.hold)]
    if is_json:
        show_json(
            [
                {
                    "record_type": one.record_type, "record_id": one.record_id, "number": one.number, "status": one.status,
                    "class": one.retention.name, "last_entry_at": one.last_entry_at.isoformat(),
                    "kept_until": one.kept_until.isoformat(), "hold": one.hold or None,
                }
                for one in past
            ]
        )  # fmt: skip
        return
    rows = [
        (one.number, one.record_type, one.status, one.kept_until.isoformat(), one.hold and f"{one.hold} stands")
        for one in past
    ]
    house.show_rows(("number", "record", "state", "kept until", "hold"), rows, none="Nothing is past its time")
