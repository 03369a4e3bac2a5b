"""A look for harm in files before they are taken: a port, off until an installation names a program.

The setting ``scan_command`` is the program and its arguments, such as ``clamdscan --no-summary -``: it reads the file from its
standard input and ends with 0 when it found nothing, with 1 when it found harm. Anything else means that it could not look, and
then nothing is taken.
"""

from __future__ import annotations

import hashlib
import shlex
import subprocess  # nosec B404  the administrator names the program, and no shell reads it
from dataclasses import dataclass
from typing import Protocol

from engine.act import Installation
from engine.errors import Conflict, Invalid

SECONDS = 60
"""How long a look may take."""
SCANNER = "scanner"
"""Where an installation holds another scanner than the command, by ``Installation.extras``."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """That somebody looked. sha256: of what. by: the scanner's name, or None where none is set up."""

    sha256: str
    by: str | None


class Scanner(Protocol):
    """Looks for harm in a file."""

    @property
    def name(self) -> str:
        """What the file's row says looked at it."""

    def harm_in(self, file_name: str, content: bytes) -> str:
        """Return in words what is harmful, nothing when nothing is. Raises: Conflict when it cannot look."""


@dataclass(frozen=True, slots=True)
class Command:
    """A program that reads the file from its standard input."""

    words: tuple[str, ...]

    @property
    def name(self) -> str:
        """The program."""
        return self.words[0].rsplit("/", 1)[-1]

    def harm_in(self, file_name: str, content: bytes) -> str:
        """Run the program. Raises: Conflict SCANNER_UNAVAILABLE."""
        try:
            ended = subprocess.run(self.words, input=content, capture_output=True, timeout=SECONDS, check=False)  # nosec B603  # noqa: S603  an administrator names the program
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _unavailable(self.name, file_name) from error
        if ended.returncode == 0:
            return ""
        if ended.returncode == 1:
            return (ended.stdout or ended.stderr).decode("utf-8", "replace").strip()[:300] or "it found harm"
        raise _unavailable(self.name, file_name)


def scanner_of(installation: Installation) -> Scanner | None:
    """Return what looks for harm here, or None where nothing is set up."""
    held: Scanner | None = installation.extras.get(SCANNER)
    words = tuple(shlex.split(str(installation.settings.get("scan_command") or "")))
    return held or (Command(words) if words else None)


def scan(installation: Installation, file_name: str, content: bytes) -> Scanned:
    """Let the scanner look, before an act opens if possible: it may take its time.

    Raises: Invalid when the file is harmful; Conflict SCANNER_UNAVAILABLE when the scanner cannot look.
    """
    digest, scanner = hashlib.sha256(content).hexdigest(), scanner_of(installation)
    if scanner is None:
        return Scanned(digest, None)
    harm = scanner.harm_in(file_name, content)
    if harm:
        message = f"Expected {file_name:.80} to be harmless, but {scanner.name} says: {harm}"
        raise Invalid(message, {"file": message}, code="HARMFUL")
    return Scanned(digest, scanner.name)


def _unavailable(name: str, file_name: str) -> Conflict:
    return Conflict(
        f"Expected {name} to look at {file_name:.80} before it is taken, but it did not answer; nothing was attached, try again later",
        code="SCANNER_UNAVAILABLE",
    )
