"""A throw-away PostgreSQL that syncs every commit to disk, as a plant's does; the tests' one does not."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.postgres_server import find_binaries, server_user


@contextmanager
def durable_postgres(kept: Path | None = None) -> Iterator[str]:
    """Yield the URL of an empty database on a fresh cluster with PostgreSQL's own defaults for durability.

    kept: a folder in which the cluster stays; one that lies there already is used as it is.
    """
    folder = kept or Path(tempfile.mkdtemp(prefix="lockstep-benchmark-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    user = server_user()
    data = folder / "cluster"
    data.mkdir(mode=0o700, exist_ok=True)
    if user is not None:
        os.chown(data, user.pw_uid, user.pw_gid)
    binaries = find_binaries(folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])

    def run(*command: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [str(binaries.folder / command[0]), *command[1:]],
            cwd=data,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC", **binaries.environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
        )

    if not (data / "data").exists():
        run("initdb", "-D", str(data / "data"), "-U", "lockstep", "--auth=trust", "--encoding=UTF8").wait(60)
    settings = ("-c", "unix_socket_directories=", "-c", "listen_addresses=127.0.0.1")
    server = run("postgres", "-D", str(data / "data"), "-p", str(port), *settings)
    try:
        _await(data / "data" / "postmaster.pid")
        yield f"postgresql+psycopg://lockstep@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
        if kept is None:
            shutil.rmtree(folder, ignore_errors=True)


def _await(status: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        lines = status.read_text().splitlines() if status.exists() else []
        if len(lines) >= 8 and lines[7].strip() == "ready":
            return
        time.sleep(0.05)
    raise RuntimeError("Expected PostgreSQL to be ready within a minute, but it was not")
