"""What the pages say about attached files: which are taken, and who looks for harm in them."""

from __future__ import annotations

from records import attachment, scanning
from webapp.visit import installation

MOST_IN_A_REQUEST = 8
"""Megabytes that a page takes in one request, whatever the setting allows other ways."""


def scan_words() -> str:
    """Say who looks for harm in attached files here."""
    scanner = scanning.scanner_of(installation())
    if scanner is None:
        return "No scanner is set up here: files are checked for their kind and size, not for harm."
    return f"Every file is scanned by {scanner.name} before it is taken."


def limit_words() -> str:
    """Say what is taken."""
    megabytes = min(attachment.largest_of(installation()) // (1024 * 1024), MOST_IN_A_REQUEST)
    return f"PDF, picture, STEP, CSV, text, ZIP, Word or Excel; at most {megabytes} MB. {scan_words()}"
