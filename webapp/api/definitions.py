"""Released processes: what there is, its files, a new version."""

from __future__ import annotations

from typing import Any

from flask import Response
from marshmallow import fields, validate
from sqlalchemy import select

from engine import definitions
from engine.act import Act
from engine.database import is_id
from engine.errors import Invalid, NotFound
from engine.stored.definition import Definition, DefinitionFile, DefinitionStatus
from webapp import listing
from webapp.api.endpoints import LARGEST_BUNDLE, reads, writes
from webapp.api.shapes import Answer, Instant, Listed, Request, as_page, maybe, page_of, text, word
from webapp.pages import orders
from webapp.visit import reading

MEDIA = {"form": "application/json", "process": "application/xml", "decision": "application/xml"}
MOST_FILES = 300


class BundleFile(Answer):
    """One file of a bundle."""

    path = fields.String()
    kind = fields.String()
    key = fields.String()
    hash = fields.String()


class DefinitionSummary(Answer):
    """One version of a process."""

    id = fields.UUID()
    process_id = fields.String()
    name = fields.String()
    version = fields.Integer()
    version_tag = maybe()
    hash = fields.String()
    status = word(DefinitionStatus)
    main_file = fields.String()
    released_at = Instant(allow_none=True)
    released_by = maybe()


class DefinitionDetail(DefinitionSummary):
    """One version of a process with the names of its files."""

    files = fields.List(fields.Nested(BundleFile))


class Deployed(Answer):
    """What a deployment released; the same content is the same version."""

    definitions = fields.List(fields.Nested(DefinitionSummary))


class DefinitionQuery(Listed):
    """What versions may be listed by. ``q`` is part of the process id or its name."""

    process_id = text(200, load_default="", metadata={"description": "Only of this process."})
    status = word(DefinitionStatus, load_default="")


class FileQuery(Request):
    """Which file of a bundle."""

    path = text(500, required=True, metadata={"description": "As the version lists it."})


class Deployment(Request):
    """Files to release. process_id: deploy only this process with what it reaches; else every executable one."""

    files = fields.Dict(
        keys=fields.String(validate=validate.Length(1, 500)), values=fields.String(), required=True,
        validate=validate.Length(1, MOST_FILES, error="Expected {min} to {max} files, but there is another number"),
        metadata={"description": "Path to text of every .bpmn, .dmn and .form file."},
    )  # fmt: skip
    process_id = text(200, load_default=None, allow_none=True)


DefinitionPage = page_of(DefinitionSummary, "DefinitionPage")


@reads(
    "/definitions", scope="definitions:read", summary="List versions of processes, newest first", query=DefinitionQuery,
    answer=DefinitionPage,
)  # fmt: skip
def list_definitions(*, q: str, process_id: str, status: str, after: str, limit: int) -> Any:
    """Search in id and name."""
    wanted = select(Definition)
    if q:
        wanted = wanted.where(listing.contains(q, Definition.process_id, Definition.name))
    if process_id:
        wanted = wanted.where(Definition.process_id == process_id)
    if status:
        wanted = wanted.where(Definition.status == status)
    return as_page(listing.newest_first(reading(), wanted, Definition, query=q, state=status, after=after, limit=limit))


@reads(
    "/definitions/<definition_id>", scope="definitions:read", summary="Get a version and the names of its files",
    answer=DefinitionDetail, etag=lambda found: str(found["version"]),
)  # fmt: skip
def get_definition(definition_id: str) -> Any:
    """Find it by id."""
    found = _find(definition_id)
    files = select(DefinitionFile).where(DefinitionFile.definition_id == found.id).order_by(DefinitionFile.path)
    return DefinitionSummary().dump(found) | {"released_at": found.released_at, "files": list(reading().scalars(files))}


@reads(
    "/definitions/<definition_id>/file", scope="definitions:read", summary="Get a file of a version as it was deployed",
    query=FileQuery, answer=None, media=tuple(sorted(set(MEDIA.values()))),
)  # fmt: skip
def get_definition_file(definition_id: str, *, path: str) -> Response:
    """Hand out the bytes."""
    definition = _find(definition_id)
    wanted = select(DefinitionFile).where(DefinitionFile.definition_id == definition.id, DefinitionFile.path == path)
    found = reading().scalars(wanted.limit(1)).first()
    if found is None:
        raise NotFound(f"Expected a file {path[:80]} in this version, but there is none.")
    answer = Response(found.content, mimetype=MEDIA[found.kind])
    answer.set_etag(found.hash)
    return answer


def _show(subject: list[str]) -> dict[str, Any]:
    return {"definitions": [reading().get_one(Definition, one) for one in subject]}


@writes(
    "POST", "/definitions", scope="definitions:deploy", summary="Release files as new versions", body=Deployment,
    answer=Deployed, status=201, render=_show, person=True, largest=LARGEST_BUNDLE,
)  # fmt: skip
def deploy_definitions(act: Act, body: dict[str, Any]) -> list[str]:
    """Release in the caller's name, who must be a process engineer. What cannot run is refused with every reason."""
    orders.need("PROCESS_ENGINEER")
    files = {path: content.encode("utf-8") for path, content in body["files"].items()}
    if any(path.startswith(("/", "\\")) or ".." in path for path in files):
        raise Invalid("Expected names of files as in a folder, but one leads out of it", {"files": "leads elsewhere"})
    if not any(path.endswith(".bpmn") for path in files):
        raise Invalid("Expected a bundle with a process, but there is no .bpmn file in it", {"files": "has no process"})
    if body["process_id"]:
        return [definitions.deploy(act, files, process_id=body["process_id"]).id]
    return [found.id for found in definitions.deploy_all(act, files)]


def _find(definition_id: str) -> Definition:
    found = reading().get(Definition, definition_id) if is_id(definition_id) else None
    if found is None:
        raise NotFound("Expected a version of a process at this address, but there is none.")
    return found
