"""The secret of a webhook: made here, shown once, kept sealed; and the signature that it makes of a message.

It is sealed with a key that is in no database: made of the setting ``secret_key``, which web nodes and workers share, else of a file
of this machine. Signatures follow Standard Webhooks.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.act import Installation
from engine.errors import Conflict
from processes.checkpointing import key_folder
from processes.quote_links import key_in

PREFIX = "whsec_"
KEY_FILE = "webhooks.key"
NONCE = 12


def make() -> str:
    """Return a new secret."""
    return PREFIX + b64encode(secrets.token_bytes(32)).decode("ascii")


def seal(installation: Installation, webhook_id: str, secret: str) -> str:
    """Return a secret as the database keeps it; it can be opened for this webhook only."""
    nonce = secrets.token_bytes(NONCE)
    return b64encode(nonce + AESGCM(_key(installation)).encrypt(nonce, secret.encode(), webhook_id.encode())).decode()


def unseal(installation: Installation, webhook_id: str, sealed: str) -> str:
    """Return a secret. Raises: Conflict SECRET_LOST when it was sealed with another key."""
    raw = b64decode(sealed)
    try:
        return AESGCM(_key(installation)).decrypt(raw[:NONCE], raw[NONCE:], webhook_id.encode()).decode()
    except InvalidTag as error:
        raise Conflict(
            "Expected to read the secret of this webhook, but it was sealed with another key: set secret_key as it was, the same on every "
            "machine, or rotate the secret",
            code="SECRET_LOST",
        ) from error


def sign(secret: str, message_id: str, timestamp: int, body: str) -> str:
    """Return the signature of a message, ``v1,<base64>``."""
    signed = f"{message_id}.{timestamp}.{body}".encode()
    mac = hmac.new(b64decode(secret.removeprefix(PREFIX)), signed, hashlib.sha256).digest()
    return f"v1,{b64encode(mac).decode('ascii')}"


def _key(installation: Installation) -> bytes:
    given = installation.settings.get("secret_key")
    if given:
        return hashlib.sha256(f"webhooks:{given}".encode()).digest()
    return key_in(key_folder(installation), KEY_FILE)
