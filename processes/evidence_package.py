"""Write the evidence of one document as a package: a PDF to read, JSON to verify, and the script that verifies it without Lockstep."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typst
from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.canonical import canonical_json
from engine.database import is_id
from engine.errors import Conflict
from engine.record import Record
from engine.stored.definition import DefinitionFile
from processes.evidence import gather

TEMPLATE = Path(__file__).with_name("evidence.typ")
SCRIPT = Path(__file__).with_name("verify_package.py")
READ_ME = """Evidence of {kind} {number}, exported {made_at}.

  record.pdf         to read: who did what, when, why, and under which signature
  evidence.json      the same for machines: rows, their chains, decisions, signatures, definitions, proofs
  definitions/       the processes, forms and tables by which it was decided
  public_key.txt     the keys that signed the checkpoints, as the plant's database knows them
  manifest.json      the SHA-256 of every file

Verify it on any machine with Python 3.11, with the public key as you got it from the plant by another way:

  python -I verify_package.py . PUBLIC_KEY

It prints OK, or the first thing that is broken. Without the key it proves only that the package fits together.
"""

DECISIONS = "decision"
"""How the chain of a run's decisions is called."""

INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z")
DIGEST = re.compile(r"[0-9a-f]{64}")

Files = dict[str, bytes]


def package_of(session: Session, record: Record, *, now: dt.datetime) -> Files:
    """Return the files of a document's package, by name."""
    evidence = gather(session, record, now=now)
    about = evidence["about"]
    keys = {one["public_key"] for one in evidence["checkpoints"].values()}
    files: Files = {
        "evidence.json": json.dumps(json.loads(canonical_json(evidence)), indent=1, ensure_ascii=False).encode(),
        "record.pdf": evidence_pdf(evidence),
        "public_key.txt": "".join(f"{key}\n" for key in sorted(keys)).encode(),
        "verify_package.py": SCRIPT.read_bytes(),
        "README.txt": READ_ME.format(
            kind=about["record_type"].replace("_", " "), number=about["number"], made_at=evidence["made_at"]
        ).encode(),
        **_definition_files(session, {one["hash"] for run in evidence["definitions"] for one in run["files"]}),
    }
    manifest = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    return files | {"manifest.json": json.dumps(manifest, indent=1).encode()}


def _definition_files(session: Session, hashes: set[str]) -> Files:
    """Return the bytes of the definitions, each once, under its hash and name."""
    wanted = select(DefinitionFile.hash, DefinitionFile.path, DefinitionFile.content)
    rows = session.execute(wanted.where(DefinitionFile.hash.in_(sorted(hashes))))
    return {f"definitions/{row.hash[:16]}/{Path(row.path).name}": row.content for row in rows}


def write_folder(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write a package into a folder that is not there yet, or is empty. Raises: Conflict."""
    if folder.exists() and any(folder.iterdir()):
        raise Conflict(f"Expected a new or empty folder to export to, but {folder} has something in it")
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def write_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write a package as one file. Raises: Conflict when it is there already."""
    if path.exists():
        raise Conflict(f"Expected a new file to export to, but {path} is there already")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    partial.replace(path)
    return path


def evidence_pdf(evidence: Mapping[str, Any]) -> bytes:
    """Return the evidence for people: facts, signatures, decisions, definitions, and every event."""
    about = evidence["about"]
    rows = {tuple(row["of"]): row["fields"] for row in evidence["rows"]}
    own = rows[about["record_type"], about["record_id"]]
    data = {
        "title": f"{_words(about['record_type'])} {about['number']}",
        "made_at": _moment(evidence["made_at"]),
        "facts": [
            [_words(name), _short(str(text))] for name, text in own.items() if text and not _is_technical(name, text)
        ],
        "signatures": [_signature(fields) for (kind, _), fields in rows.items() if kind == "signature"],
        "decisions": [
            _decision(row) for chain in evidence["chains"] if chain["of"][0] == DECISIONS for row in chain["rows"]
        ],
        "definitions": [[one["name"], str(one["version"]), one["hash"]] for one in evidence["definitions"]],
        "checkpoints": [
            [number, _moment(one["statement"]["made_at"]), one["statement"]["root"], one["statement"]["key"]]
            for number, one in evidence["checkpoints"].items()
        ],
        "events": _events(evidence["chains"], evidence["people"]),
    }
    content = typst.compile(TEMPLATE, sys_inputs={"data": json.dumps(data, ensure_ascii=False)})
    assert isinstance(content, bytes)
    return content


def _signature(fields: Mapping[str, str]) -> Mapping[str, str]:
    zone = dt.timezone(dt.timedelta(minutes=int(fields["local_offset"] or 0)))
    signed = dt.datetime.fromisoformat(fields["signed_at"])
    return {
        "name": fields["printed_name"], "title": fields["printed_title"] or "", "meaning": _words(fields["meaning"]),
        "reason": fields["reason"] or "", "method": _words(fields["method"]), "hash": fields["content_hash"],
        "status": _words(fields["status"]), "for": fields["on_behalf_of_id"] or "", "role": fields["role"] or "",
        "at": f"{signed.astimezone(zone):%Y-%m-%d %H:%M:%S %z} ({signed:%H:%M:%S} UTC)",
    }  # fmt: skip


def _decision(row: Mapping[str, Any]) -> Sequence[str]:
    verdict = _words(row["verdict"]) if row["kind"] == "DECISION" else f"{_words(row['verdict'])} taken back"
    who = row["actor_name"] + (f" for {row['on_behalf_of_id']}" if row["on_behalf_of_id"] else "")
    return [_moment(row["decided_at"]), who, row["role"] or "", row["element_id"], verdict, row["reason"] or ""]


def _events(chains: Sequence[Mapping[str, Any]], people: Mapping[str, str]) -> list[Sequence[str]]:
    """Return every event of the document, its lines and its runs, in the order of time."""
    found = [
        (row["at"], at, row["seq"], chain["of"][0], row)
        for at, chain in enumerate(chains)
        if chain["of"][0] != DECISIONS
        for row in chain["rows"]
    ]
    return [
        [
            _moment(row["at"]), _who(row, people), f"{_words(kind)} {seq}", _words(row["action"]), _words(row["field"] or ""),
            _short(row["old"]), _short(row["new"]), row["reason"] or "",
        ]
        for _, _, seq, kind, row in sorted(found, key=lambda one: one[:3])
    ]  # fmt: skip


def _words(code: str) -> str:
    text = code.removesuffix("_id").replace("_", " ").lower()
    return text[:1].upper() + text[1:]


def _who(row: Mapping[str, Any], people: Mapping[str, str]) -> str:
    who = people.get(row["actor"], row["actor"])
    principal = f"user:{row['on_behalf_of']}" if row["on_behalf_of"] else ""
    return f"{who} for {people.get(principal, row['on_behalf_of'])}" if principal else who


def _short(text: str | None, most: int = 160) -> str:
    """Return a value as it is read: ids and hashes by their beginning, instants as people write them; the JSON has them whole."""
    if text is None:
        return ""
    if INSTANT.fullmatch(text):
        return _moment(text)
    if is_id(text) or DIGEST.fullmatch(text):
        return f"{text[:12]}…"
    return text if len(text) <= most else f"{text[:most]}…"


def _moment(text: str) -> str:
    return f"{dt.datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S} UTC"


def _is_technical(name: str, text: str) -> bool:
    return name.endswith("_id") or len(text) > 400
