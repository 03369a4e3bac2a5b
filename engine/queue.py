"""Carry jobs on PostgreSQL with procrastinate: workers on other machines hear of a job the moment its act commits.

The job table stays the truth. What procrastinate carries is "run job <id>", deferred on the act's own connection,
so a rollback takes it back and a commit releases it; carrying one twice does no harm, since a job is claimed before
it runs.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from procrastinate import App, PsycopgConnector, SyncPsycopgConnector
from procrastinate.connector import BaseConnector
from procrastinate.schema import SchemaManager
from sqlalchemy import Connection, Engine, inspect

from engine import worker
from engine.worker import worker_name

if TYPE_CHECKING:
    from engine.act import Act, Installation
    from engine.stored.job import Job

QUEUE = "lockstep"
RUN, ENQUEUE = "lockstep.run_job", "lockstep.enqueue_job"
POLL = 0.2
"""Seconds between two looks at the queue when a notification is missed."""

STALLED = 60.0
"""Seconds without a heartbeat after which a worker is taken for dead and what it held is carried again."""

AGAIN = 5.0
"""Seconds before a worker that lost its connection tries to listen again."""

TABLES = "procrastinate_"
"""What the names of procrastinate's tables begin with: they are its own, and no mapping of the house describes them."""

_log = logging.getLogger(__name__)


def install(connection: Connection) -> None:
    """Create procrastinate's tables in a PostgreSQL database that does not have them yet; migrations call this."""
    if connection.dialect.name == "postgresql" and not inspect(connection).has_table("procrastinate_jobs"):
        # Its functions contain percent signs, which the driver would take for parameters.
        connection.exec_driver_sql(SchemaManager.get_schema().replace("%", "%%"))


class Carrier:
    """Tells procrastinate of a job, on the connection of the act that promises it."""

    def __init__(self) -> None:
        self._app = App(connector=SyncPsycopgConnector())

    def carry(self, act: Act, job: Job) -> None:
        """Defer "run job <id>" now with the job's lock, or "enqueue it" at its time.

        A job that is planned for later must carry no lock: procrastinate would hold the lock until then.
        """
        driver = act.session.connection().connection.driver_connection
        if job.due_at > act.now:
            task = self._app.configure_task(ENQUEUE, queue=QUEUE, schedule_at=job.due_at, connection=driver)
            task.defer(job_id=job.id, lock=job.lock)
        else:
            task = self._app.configure_task(RUN, queue=QUEUE, lock=job.lock, priority=job.priority, connection=driver)
            task.defer(job_id=job.id)

    @contextmanager
    def listening(self, installation: Installation) -> Iterator[None]:
        """Run, while the block runs, the jobs that workers are told of."""
        listener = QueueWorker(installation)
        listener.start()
        try:
            yield
        finally:
            listener.stop()


class QueueWorker:
    """A thread that runs what procrastinate carries, for one installation on PostgreSQL."""

    def __init__(self, installation: Installation, *, concurrency: int = 1, name: str | None = None) -> None:
        self.installation = installation
        self.name = name or worker_name()
        self._concurrency = concurrency
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._ready = threading.Event()
        self._stop = threading.Event()

    def start(self, timeout: float = 10) -> None:
        """Begin to run, in a thread of its own, and return once it listens."""
        self._thread = threading.Thread(target=self._main, name=self.name, daemon=True)
        self._thread.start()
        self._ready.wait(timeout)

    def stop(self, timeout: float = 10) -> None:
        """Finish the job at hand and end the thread."""
        self._stop.set()
        if self._loop is not None and self._task is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._task.cancel)
        if self._thread is not None:
            self._thread.join(timeout)

    def _main(self) -> None:
        while not self._stop.is_set():
            try:
                asyncio.run(self._work())
            except asyncio.CancelledError:
                _log.info("queue worker %s stopped", self.name)
            except Exception:  # noqa: BLE001  the thread outlives whatever happens: a lost connection, a server that restarts
                _log.exception("queue worker %s stumbled", self.name)
                self._stop.wait(AGAIN)

    async def _work(self) -> None:
        app = make_app(self.installation, PsycopgConnector(conninfo=conninfo(self.installation.database)), self.name)
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        async with app.open_async():
            self._ready.set()
            await app.run_worker_async(
                queues=[QUEUE],
                name=self.name,
                concurrency=self._concurrency,
                fetch_job_polling_interval=POLL,
                delete_jobs="always",
                install_signal_handlers=False,
            )


def make_app(installation: Installation, connector: BaseConnector, name: str) -> App:
    """Return procrastinate's application with the tasks of the house; ``procrastinate worker`` may run it as well."""
    app = App(connector=connector)

    @app.task(name=RUN, queue=QUEUE)
    def run_job(job_id: str) -> None:
        worker.run_job(installation, job_id, worker=name)

    @app.task(name=ENQUEUE, queue=QUEUE)
    async def enqueue_job(job_id: str, lock: str | None) -> None:
        await run_job.configure(lock=lock).defer_async(job_id=job_id)

    @app.periodic(cron="* * * * *")
    @app.task(name="lockstep.rescue", queue=QUEUE, queueing_lock="lockstep.rescue", pass_context=False)
    async def rescue(timestamp: int) -> None:
        """Carry again what a dead worker held."""
        for stalled in await app.job_manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=STALLED):
            await app.job_manager.retry_job(stalled)

    return app


def conninfo(database: Engine) -> str:
    """Return the database's address as libpq reads it."""
    return database.url.set(drivername="postgresql").render_as_string(hide_password=False)
