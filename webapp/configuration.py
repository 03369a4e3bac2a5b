"""Settings of an installation: from the environment, over a file. What is missing has the default of whoever reads it.

A setting ``mail_folder`` is LOCKSTEP_MAIL_FOLDER in the environment and ``mail_folder = "…"`` in lockstep.toml (another file:
LOCKSTEP_CONFIGURATION). docs/howto/configure.md lists them all.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PREFIX = "LOCKSTEP_"
NOT_SETTINGS = frozenset({"configuration", "user"})


def settings_of(environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the settings that hold here. Values from the environment are text, values from the file as TOML types them.

    Raises: ValueError naming the file when it is there and cannot be read.
    """
    surroundings = os.environ if environment is None else environment
    path = Path(surroundings.get(f"{PREFIX}CONFIGURATION", "lockstep.toml"))
    return {**_from_file(path), **_from_environment(surroundings)}


def _from_file(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"Expected settings as TOML in {path}, but {error}") from error


def _from_environment(surroundings: Mapping[str, str]) -> dict[str, str]:
    named = {
        name.removeprefix(PREFIX).lower(): value for name, value in surroundings.items() if name.startswith(PREFIX)
    }
    return {name: value for name, value in named.items() if name not in NOT_SETTINGS}
