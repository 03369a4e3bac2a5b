"""The link under which a supplier quotes without an account: derived from the invitation and a key that is in no database.

A link proves that its bearer got our mail. It opens one invitation, tells nothing of other suppliers, and is worth nothing once the
invitation's ``link_no`` counted up.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from base64 import urlsafe_b64encode
from pathlib import Path

from engine.act import Installation
from processes.checkpointing import key_folder
from records.quotation import Invitation

KEY_FILE = "quote_links.key"


def link_to(installation: Installation, invitation: Invitation) -> str:
    """Return the address for a mail: whole where the setting ``public_url`` says how the world reaches us, else its path."""
    address = str(installation.settings.get("public_url") or "").rstrip("/")
    return f"{address}/quotes/{invitation.id}/{proof_of(installation, invitation)}"


def proof_of(installation: Installation, invitation: Invitation) -> str:
    """Return the secret part of an invitation's link."""
    text = f"quote:{invitation.id}:{invitation.link_no}".encode()
    mac = hmac.new(_key(installation), text, hashlib.sha256).digest()
    return urlsafe_b64encode(mac[:24]).decode("ascii")


def opens(installation: Installation, invitation: Invitation, proof: str) -> bool:
    """Say whether the secret part of a link belongs to an invitation as it is now."""
    return hmac.compare_digest(proof_of(installation, invitation).encode(), proof.encode())


def _key(installation: Installation) -> bytes:
    """Return the key: made of the setting ``secret_key``, which web nodes and workers share, else of a file of this machine."""
    given = installation.settings.get("secret_key")
    if given:
        return hashlib.sha256(f"quote links:{given}".encode()).digest()
    return key_in(key_folder(installation), KEY_FILE)


def key_in(folder: Path, name: str) -> bytes:
    """Return the key in a file that only this user can read; it is made when it is not there."""
    path = folder / name
    try:
        return bytes.fromhex(path.read_text("ascii").strip())
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Written whole beside it and then linked to its name: of two who make it at once, both read the same key.
    partial = folder / f"{name}.{secrets.token_hex(8)}"
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(32))
    try:
        os.link(partial, path)
    except FileExistsError:
        pass
    finally:
        partial.unlink()
    return bytes.fromhex(path.read_text("ascii").strip())
