"""The plant's Ed25519 key: a file outside the database, readable by its owner alone. Old public keys stay, to verify.

In the folder lie ``checkpoint.key`` (the private key, PEM, mode 0600) and ``<id>.pub`` for every key it ever held (hex).
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from engine.errors import Conflict, NotFound

PRIVATE = "checkpoint.key"
DEFAULT = Path("var") / "keys"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, with its public half as text. It never shows the private half."""

    private: Ed25519PrivateKey

    def __repr__(self) -> str:
        return f"SigningKey({self.id})"

    @property
    def public_key(self) -> str:
        """The public key, 64 hex digits."""
        return self.private.public_key().public_bytes_raw().hex()

    @property
    def id(self) -> str:
        """The key's id."""
        return key_id(self.public_key)

    def sign(self, statement: bytes) -> str:
        """Return the signature of a statement, 128 hex digits."""
        return self.private.sign(statement).hex()


def key_id(public_key: str) -> str:
    """Return the id of a public key: the first 16 hex digits of the SHA-256 of its bytes."""
    return hashlib.sha256(bytes.fromhex(public_key)).hexdigest()[:16]


def is_signed(public_key: str, statement: bytes, signature: str) -> bool:
    """Say whether a signature is this key's on this statement; what is no key or no signature is not."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(bytes.fromhex(signature), statement)
    except (InvalidSignature, ValueError):
        return False
    return True


def make_key(folder: Path) -> SigningKey:
    """Make a new key and put it in the place of the one before, whose public half stays. Returns it.

    The private key is never readable by others, not even for a moment, and a crash leaves the old one or the new one.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = SigningKey(Ed25519PrivateKey.generate())
    (folder / f"{key.id}.pub").write_text(f"{key.public_key}\n", "ascii")
    content = key.private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    partial = folder / f"{PRIVATE}.{key.id}"
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / PRIVATE)
    return key


def load_key(folder: Path) -> SigningKey:
    """Return the key of a folder.

    Raises: NotFound when there is none; Conflict KEY_EXPOSED when others may read it, KEY_UNREADABLE when it is no such key.
    """
    path = folder / PRIVATE
    try:
        mode, content = stat.S_IMODE(path.stat().st_mode), path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"Expected the key that signs checkpoints in {path}, but there is none") from error
    except PermissionError as error:
        raise Conflict(
            f"Expected to read the key in {path}, but this account may not; run the worker as the file's owner",
            code="KEY_UNREADABLE",
        ) from error
    if mode & 0o077:
        raise Conflict(
            f"Expected the key in {path} to be readable by its owner alone, but its mode is {mode:04o}; set it to 0600, "
            "and make a new key if others may have read it: lockstep checkpoint new-key",
            code="KEY_EXPOSED",
        )
    try:
        private = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError) as error:
        raise _no_key(path) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise _no_key(path)
    return SigningKey(private)


def _no_key(path: Path) -> Conflict:
    return Conflict(f"Expected an Ed25519 key in {path}, but it holds something else", code="KEY_UNREADABLE")


def public_keys(folder: Path) -> Mapping[str, str]:
    """Return the public keys that lie in a folder, by id; a file that is named after another key is left out."""
    found = {}
    for path in sorted(folder.glob("*.pub")):
        text = path.read_text("ascii", errors="replace").strip()
        if is_public_key(text) and key_id(text) == path.stem:
            found[path.stem] = text
    return found


def is_public_key(text: str) -> bool:
    """Say whether a text can be a public key."""
    return len(text) == 64 and all(letter in "0123456789abcdef" for letter in text)
