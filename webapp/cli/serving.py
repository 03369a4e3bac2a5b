"""``lockstep serve`` and ``lockstep worker``: what keeps running."""

from __future__ import annotations

import errno
import gc
import ipaddress
import os
import secrets
import signal
import threading
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import click
from waitress.server import create_server

from engine.act import Installation
from engine.worker import at_work
from records.demo_people import PASSWORD
from webapp.app import create_app
from webapp.cli import nothing_collected
from webapp.cli.house import House, refusals_told
from webapp.cli.plant import demo_logins, migrate_if_behind, settle_if_empty
from webapp.long_poll import Places, places_of

FIRST_PORT, LAST_PORT = 8000, 8099
THREADS = 8
CONNECTIONS = 800
"""Open at once, most of them idle: a browser keeps up to six for two minutes. Within the 1024 files that a process may usually open."""
SECRET = Path("var") / "secret_key"


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), envvar="PORT", help="Else the first free one from 8000.")
@click.option("--demo", is_flag=True, help="Migrate, and settle the demo plant in an empty database.")
@click.option("--no-worker", is_flag=True, help="Run no jobs and fire no timers here; lockstep worker does elsewhere.")
@click.pass_obj
@refusals_told
def serve_command(house: House, host: str, port: int | None, demo: bool, no_worker: bool) -> None:
    """Serve the pages and the API, and run jobs and timers beside them.

    \b
    Example:
      lockstep serve --port 8080
      lockstep --database postgresql://lockstep@db/lockstep serve --host 0.0.0.0 --no-worker
    """
    if demo:
        migrate_if_behind(house)
    with house.open() as installation:
        if demo:
            settle_if_empty(house, installation)
        with nothing_collected():
            app = create_app(installation, secret_key=_secret_key(installation))
        server = _listen(app, host, port)
        _greet(house, installation, f"http://{_shown(host)}:{server.effective_port}")
        for wish in (signal.SIGTERM, signal.SIGINT):
            signal.signal(wish, partial(_end, places_of(app)))
        spare_what_stays()
        with nullcontext() if no_worker else at_work(installation):
            server.run()


@click.command("worker")
@click.option(
    "--poll",
    type=click.FloatRange(0.05, 3600),
    default=1.0,
    show_default=True,
    help="Seconds between looks at an idle table.",
)
@click.pass_obj
@refusals_told
def worker_command(house: House, poll: float) -> None:
    """Run jobs and fire timers, on as many machines as wanted.

    \b
    Example:
      lockstep --database postgresql://lockstep@db/lockstep worker
    """
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda _signal, _frame: stopped.set())
    signal.signal(signal.SIGINT, lambda _signal, _frame: stopped.set())
    with house.open() as installation, at_work(installation, poll=poll) as runner:
        types = ", ".join(installation.registry.job_types) or "no job type"
        house.says.print(f"{runner.worker} serves {types}", markup=False)
        spare_what_stays()
        stopped.wait()


def spare_what_stays() -> None:
    """Take what is loaded (code, mappings, definitions, templates) out of the collector's reach, since it stays as long as the program.

    Otherwise a request that makes thousands of rows pays for walking all of it: 0.2 to 0.3 s were measured in the impact of a change.
    """
    gc.collect()
    gc.freeze()


def _listen(app: Any, host: str, port: int | None) -> Any:
    """Return a server on the wanted port, or on the first free one."""
    for candidate in (port,) if port else range(FIRST_PORT, LAST_PORT + 1):
        try:
            return create_server(
                app, host=host, port=candidate, threads=THREADS, ident=None, connection_limit=CONNECTIONS, asyncore_use_poll=True,
            )  # fmt: skip
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    wanted = f"port {port}" if port else f"a free port from {FIRST_PORT} to {LAST_PORT}"
    raise click.ClickException(f"Expected {wanted} on {host}, but it is taken. Choose another one: --port, or PORT=")


def _secret_key(installation: Installation) -> str:
    """Return the key that signs cookies and forms: the setting, else a file that only this user can read."""
    given = installation.settings.get("secret_key")
    if given:
        return str(given)
    SECRET.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(SECRET, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return SECRET.read_text("ascii").strip()
    with os.fdopen(handle, "w") as file:
        key = secrets.token_hex(32)
        file.write(key)
    return key


def _shown(host: str) -> str:
    """Return the name under which a browser finds what listens on ``host``; a name stays as it is."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return "localhost" if address.is_loopback or address.is_unspecified else host


def _greet(house: House, installation: Installation, url: str) -> None:
    house.shows.print(f"\n  Lockstep  [bold]{url}[/bold]\n")
    logins = demo_logins(installation)
    if not logins:
        return
    width = max(len(one.id) for one in logins)
    for one in logins:
        house.shows.print(f"  {one.id:<{width}}  {one.name}, {one.title.lower()}", markup=False)
    house.shows.print(f"\n  Everybody's password is [bold]{PASSWORD}[/bold]. Stop with Ctrl+C.\n")


def _end(places: Places, _signal: int, _frame: FrameType | None) -> None:
    places.ended.set()
    raise SystemExit(0)
