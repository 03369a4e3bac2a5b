"""Files that belong to a document, kept under the hash of their content."""

from __future__ import annotations

import hashlib

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine.act import Act
from engine.database import Base, Instant
from engine.errors import Invalid, NotFound
from engine.record import Record
from records.columns import Code, Hash, Login, Name

LARGEST = 20 * 1024 * 1024
"""The largest file that is taken, in bytes."""

MAGIC: dict[str, tuple[str, tuple[bytes, ...]]] = {
    ".pdf": ("application/pdf", (b"%PDF-",)),
    ".png": ("image/png", (b"\x89PNG\r\n\x1a\n",)),
    ".jpg": ("image/jpeg", (b"\xff\xd8\xff",)),
    ".jpeg": ("image/jpeg", (b"\xff\xd8\xff",)),
    ".tif": ("image/tiff", (b"II*\x00", b"MM\x00*")),
    ".tiff": ("image/tiff", (b"II*\x00", b"MM\x00*")),
    ".zip": ("application/zip", (b"PK\x03\x04",)),
    ".docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", (b"PK\x03\x04",)),
    ".xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", (b"PK\x03\x04",)),
    ".stp": ("model/step", (b"ISO-10303-21",)),
    ".step": ("model/step", (b"ISO-10303-21",)),
    ".txt": ("text/plain", ()),
    ".csv": ("text/csv", ()),
}
"""File endings that are taken, with their media type and how such a file begins; none means UTF-8 text."""


class AttachmentContent(Base):
    """The bytes of a file, once whatever number of documents carry it."""

    __tablename__ = "attachment_content"

    sha256: Mapped[Hash] = mapped_column(primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    stored_at: Mapped[Instant]


class Attachment(Record, Base):
    """A file of a document. document_no, document_rev: of a controlled document; empty for anything else (BLUR-P3).

    scanned_by: what looked for harm in the file before it was taken and found none; None where nothing is wired that looks.
    """

    __tablename__ = "attachment"
    __table_args__ = (
        UniqueConstraint("owner_type", "owner_id", "sha256", "file_name"),
        CheckConstraint("size > 0", name="size_positive"),
        Index("ix_attachment_owner", "owner_type", "owner_id"),
    )

    owner_type: Mapped[Code]
    owner_id: Mapped[Login]
    file_name: Mapped[Name]
    media_type: Mapped[Name]
    size: Mapped[int]
    sha256: Mapped[Hash] = mapped_column(ForeignKey("attachment_content.sha256"))
    document_no: Mapped[Code] = mapped_column(default="")
    document_rev: Mapped[Code] = mapped_column(default="")
    scanned_by: Mapped[Name | None]

    @property
    def number(self) -> str:
        """The file's name."""
        return self.file_name


def attach(
    act: Act, owner: Record, content: bytes, *, file_name: str, document_no: str = "", document_rev: str = ""
) -> Attachment:
    """Add a file to a document.

    The same file under the same name is there once: attached again, it is what was attached before.
    Raises: Invalid when it is empty, too large, of a kind that is not taken, or not what its ending says.
    """
    name = file_name.replace("\\", "/").rsplit("/", 1)[-1].strip()
    media_type = check_kind(name, content)
    digest = hashlib.sha256(content).hexdigest()
    before = _attached(act, owner, digest, name)
    if before is not None:
        return before
    if act.session.get(AttachmentContent, digest) is None:
        act.session.add(AttachmentContent(sha256=digest, content=content, stored_at=act.now))
        act.session.flush()
    attachment = Attachment(
        owner_type=owner.record_type, owner_id=owner.id, file_name=name, media_type=media_type, size=len(content),
        sha256=digest, document_no=document_no, document_rev=document_rev,
    )  # fmt: skip
    act.session.add(attachment)
    return attachment


def _attached(act: Act, owner: Record, digest: str, name: str) -> Attachment | None:
    """Return the same file if the document has it. Whoever attaches to the document at the same instant is waited for."""
    act.session.flush()
    act.session.refresh(owner, with_for_update=True)
    wanted = select(Attachment).where(
        Attachment.owner_type == owner.record_type, Attachment.owner_id == owner.id, Attachment.sha256 == digest,
        Attachment.file_name == name,
    )  # fmt: skip
    return act.session.scalar(wanted)


def check_kind(file_name: str, content: bytes) -> str:
    """Return the media type of a file. Raises Invalid as ``attach`` does."""
    ending = "." + file_name.rsplit(".", 1)[-1].lower() if "." in file_name else ""
    if ending not in MAGIC:
        raise _refused(f"Expected a file ending in one of {' '.join(sorted(MAGIC))}, but found {file_name!r:.80}")
    if not content:
        raise _refused(f"Expected {file_name:.80} to have some content, but it is empty")
    if len(content) > LARGEST:
        raise _refused(f"Expected at most {LARGEST:,} bytes, but {file_name:.80} has {len(content):,}")
    media_type, beginnings = MAGIC[ending]
    if not (content.startswith(beginnings) if beginnings else _is_text(content)):
        raise _refused(f"Expected {file_name:.80} to be {media_type}, but its content is something else")
    return media_type


def _refused(message: str) -> Invalid:
    return Invalid(message, {"file": message})


def _is_text(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\x00" not in content


def content_of(session: Session, attachment: Attachment) -> bytes:
    """Return the bytes of a file. Raises NotFound when they are gone or no longer match their hash."""
    stored = session.get(AttachmentContent, attachment.sha256)
    if stored is None or hashlib.sha256(stored.content).hexdigest() != attachment.sha256:
        raise NotFound(f"Expected the content of {attachment.file_name}, but it is not what was attached")
    return stored.content


def attachments_of(session: Session, record_type: str, record_id: str) -> list[Attachment]:
    """Return the files of a document, oldest first."""
    wanted = select(Attachment).where(Attachment.owner_type == record_type, Attachment.owner_id == record_id)
    return list(session.scalars(wanted.order_by(Attachment.id)))
