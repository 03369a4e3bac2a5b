"""Files that belong to a document, kept under the hash of their content."""

from __future__ import annotations

import hashlib
import io
import re
import unicodedata
import zipfile
from dataclasses import dataclass

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from engine.act import Act, Installation
from engine.database import Base, Instant
from engine.errors import Invalid, NotFound
from engine.record import Record
from records.columns import Code, Hash, Login, Name
from records.scanning import Scanned, scan

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

WORDS = {
    "application/pdf": "a PDF", "image/png": "a PNG picture", "image/jpeg": "a JPEG picture", "image/tiff": "a TIFF picture",
    "application/zip": "a ZIP archive", MAGIC[".docx"][0]: "a Word document", MAGIC[".xlsx"][0]: "an Excel workbook",
    "model/step": "a STEP model", "text/plain": "plain text", "text/csv": "a CSV table",
}  # fmt: skip
"""Media types in words."""

OTHERS = (
    (b"MZ", "a program for Windows"), (b"\x7fELF", "a program for Linux"), (b"#!", "a script"), (b"\xca\xfe\xba\xbe", "a program"),
    (b"GIF8", "a GIF picture"), (b"RIFF", "a sound, film or WebP picture"), (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7z archive"), (b"Rar!", "a RAR archive"), (b"\xd0\xcf\x11\xe0", "an old Office document or an installer"),
)  # fmt: skip
"""How some contents begin that are never taken, so that a refusal can say what was found."""

LONGEST_NAME = 200


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
    act: Act, owner: Record, content: bytes, *, file_name: str, document_no: str = "", document_rev: str = "",
    scanned: Scanned | None = None,
) -> Attachment:  # fmt: skip
    """Add a file to a document.

    The same file under the same name is there once: attached again, it is what was attached before. scanned: what
    ``records.scanning.scan`` said before the act; without it a scanner that is set up looks now.
    Raises: Invalid when it is empty, too large, of a kind that is not taken, not what its ending says, or harmful.
    """
    name = safe_name(file_name)
    media_type = check_kind(name, content, largest=largest_of(act.installation))
    digest = hashlib.sha256(content).hexdigest()
    before = _attached(act, owner, digest, name)
    if before is not None:
        return before
    if scanned is None or scanned.sha256 != digest:
        scanned = scan(act.installation, name, content)
    if act.session.get(AttachmentContent, digest) is None:
        act.session.add(AttachmentContent(sha256=digest, content=content, stored_at=act.now))
        act.session.flush()
    attachment = Attachment(
        owner_type=owner.record_type, owner_id=owner.id, file_name=name, media_type=media_type, size=len(content),
        sha256=digest, document_no=document_no, document_rev=document_rev, scanned_by=scanned.by,
    )  # fmt: skip
    act.session.add(attachment)
    return attachment


def largest_of(installation: Installation) -> int:
    """Return the largest file that this installation takes, in bytes: the setting ``largest_attachment``, in megabytes."""
    given = str(installation.settings.get("largest_attachment") or "").strip()
    return int(given) * 1024 * 1024 if given.isdecimal() and int(given) > 0 else LARGEST


def safe_name(file_name: str) -> str:
    """Return a file name that shows and saves as what it is: no folder, no control or direction character, at most 200 long."""
    name = unicodedata.normalize("NFC", file_name).replace("\\", "/").rsplit("/", 1)[-1]
    plain = "".join(one for one in name if unicodedata.category(one) not in ("Cc", "Cf", "Zl", "Zp"))
    plain = re.sub(r'[<>:"|?*]', "_", plain).strip(" .")
    stem, dot, ending = plain.rpartition(".")
    return f"{stem[: LONGEST_NAME - len(ending) - 1]}.{ending}" if dot and len(ending) < 10 else plain[:LONGEST_NAME]


def _attached(act: Act, owner: Record, digest: str, name: str) -> Attachment | None:
    """Return the same file if the document has it. Whoever attaches to the document at the same instant is waited for."""
    act.session.flush()
    act.session.refresh(owner, with_for_update=True)
    wanted = select(Attachment).where(
        Attachment.owner_type == owner.record_type, Attachment.owner_id == owner.id, Attachment.sha256 == digest,
        Attachment.file_name == name,
    )  # fmt: skip
    return act.session.scalar(wanted)


def check_kind(file_name: str, content: bytes, *, largest: int = LARGEST) -> str:
    """Return the media type of a file. largest: in bytes. Raises Invalid as ``attach`` does."""
    ending = "." + file_name.rsplit(".", 1)[-1].lower() if "." in file_name else ""
    if ending not in MAGIC:
        raise _refused(f"Expected a file ending in one of {' '.join(sorted(MAGIC))}, but found {file_name!r:.80}")
    if not content:
        raise _refused(f"Expected {file_name:.80} to have some content, but it is empty")
    if len(content) > largest:
        raise _refused(f"Expected at most {largest:,} bytes, but {file_name:.80} has {len(content):,}")
    media_type, _ = MAGIC[ending]
    found = what_is(content)
    if media_type not in found.media_types:
        raise _refused(
            f"Expected {file_name:.80} to be {WORDS[media_type]}, as its name says, but its content is {found.words}"
        )
    if found.has_macros:
        raise _refused(f"Expected {file_name:.80} without macros, but there are some; save it without them")
    return media_type


@dataclass(frozen=True, slots=True)
class Found:
    """What a content is, whatever it is called. media_types: those it may be taken for."""

    words: str
    media_types: frozenset[str]
    has_macros: bool = False


def what_is(content: bytes) -> Found:
    """Say what a content is, by what it begins with and, for an archive, by what is in it."""
    if content.startswith(b"PK\x03\x04"):
        return _archive(content)
    for media_type, beginnings in MAGIC.values():
        if beginnings and content.startswith(beginnings):
            return Found(WORDS[media_type], frozenset({media_type}))
    for beginning, words in OTHERS:
        if content.startswith(beginning):
            return Found(words, frozenset())
    if not _is_text(content):
        return Found("something that is not taken", frozenset())
    start = content[:2000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<script", b"<svg", b"<?xml")):
        return Found("a web page or XML", frozenset())
    return Found("plain text", frozenset({"text/plain", "text/csv"}))


def _archive(content: bytes) -> Found:
    """Look into a ZIP by its list of names alone: nothing is unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        return Found("a broken archive", frozenset())
    has_macros = any(name.lower().endswith("vbaproject.bin") for name in names)
    for part, ending in (("word/document.xml", ".docx"), ("xl/workbook.xml", ".xlsx")):
        if part in names and "[Content_Types].xml" in names:
            return Found(WORDS[MAGIC[ending][0]], frozenset({MAGIC[ending][0], "application/zip"}), has_macros)
    return Found(WORDS["application/zip"], frozenset({"application/zip"}))


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
