"""Whether every file that is kept is still what its hash says: bundles of processes, versions of rule tables, attachments."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.content_check import as_bytes, check_bundles
from engine.verification import Break
from records.attachment import AttachmentContent
from rules.policy import table_hash
from rules.table_version import RuleTableVersion, in_use

AT_ONCE = 20
"""Files that are held in memory at a time."""


def altered_contents(session: Session) -> Iterator[Break]:
    """Yield every stored file that is not what its hash says, and every table in use whose content is gone."""
    yield from check_bundles(session)
    yield from _tables(session)
    attached = select(AttachmentContent.sha256, as_bytes(AttachmentContent.content))
    for digest, content in session.execute(attached.execution_options(yield_per=AT_ONCE)):
        if hashlib.sha256(bytes(content)).hexdigest() != digest:
            sentence = "Expected the file as it was attached, but its content was altered."
            yield Break(AttachmentContent.__tablename__, digest, None, sentence)


def _tables(session: Session) -> Iterator[Break]:
    kept = set()
    row = RuleTableVersion
    for name, digest, content in session.execute(
        select(row.name, row.hash, as_bytes(row.content)).order_by(row.name, row.hash)
    ):
        kept.add((name, digest))
        if table_hash(bytes(content)) != digest:
            sentence = "Expected the table as it was in use, but its content was altered."
            yield Break(row.__tablename__, f"{name}/{digest}", None, sentence)
    for name, told in in_use(session).items():
        if told and (name, told) not in kept:
            sentence = "Expected the content of the table that the chain tells of last, but it is not kept."
            yield Break(RuleTableVersion.__tablename__, f"{name}/{told}", None, sentence)
