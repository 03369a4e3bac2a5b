"""What operators do to runs: let one rest and go on, move its tokens, move runs to another version, take that back."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from engine import migrating, modifying, rehearsing, suspending
from engine.act import Act
from engine.database import is_id
from engine.errors import Conflict, Invalid, NotFound
from engine.stored.definition import Definition
from engine.stored.instance import Instance, InstanceMove
from processes import operating
from webapp import rehearsals
from webapp.api import bodies
from webapp.api.endpoints import reads, writes
from webapp.api.instances import InstanceDetail, Reason, need_helper, show_instance, tag_of
from webapp.api.shapes import Answer, Instant, Request, Values, Whole, maybe, text, word
from webapp.api.signing import SignatureGiven, signature_given
from webapp.pages import operations as pages
from webapp.visit import installation, reading, visitor

MOST_EDITS = 50


class Rested(Request):
    """Why it goes on; may be left out."""

    reason = text(4000, load_default="")


class TokenEditGiven(Request):
    """One edit of a token. token_id: of the token to move or cancel; element_id: where it goes, or where a new one begins."""

    kind = word(modifying.EditKind, required=True)
    token_id = Whole(
        load_default=None, allow_none=True, validate=validate.Range(1, 2**31 - 1, error="Expected the id of a token")
    )
    element_id = text(500, load_default=None, allow_none=True)


class TokenEditsGiven(Request):
    """Edits of tokens that belong together. variables: of the whole run, set first."""

    edits = fields.List(
        fields.Nested(TokenEditGiven), required=True,
        validate=validate.Length(1, MOST_EDITS, error="Expected {min} to {max} edits, but there is another number"),
    )  # fmt: skip
    variables = Values(load_default=dict)


class TokenEditsOrdered(TokenEditsGiven):
    """Edits of tokens to carry out, as they were rehearsed (If-Match). The signature means AUTHORED."""

    reason = text(4000, required=True)
    signature = fields.Nested(SignatureGiven, required=True)


class StagedAnswer(Answer):
    """What edits would do. missing: what the steps that begin read and nothing has given. is_over: the run would end."""

    version = fields.Integer()
    ends = fields.List(fields.String())
    begins = fields.List(fields.String())
    works = fields.List(fields.String())
    missing = fields.List(fields.String())
    is_over = fields.Boolean()


class MappingGiven(Request):
    """Which element of a run's version is which one of the other, where their ids differ; an empty one restarts a timer beside a step.

    instances: every run on another version when left out.
    """

    mapping = fields.Dict(
        keys=fields.String(validate=validate.Length(1, 500)), values=fields.String(validate=validate.Length(0, 500)),
        load_default=dict, validate=validate.Length(0, 500),
    )  # fmt: skip
    instances = fields.List(
        fields.UUID(), load_default=None, allow_none=True, validate=validate.Length(1, rehearsals.MOST)
    )


class RelocationOrdered(MappingGiven):
    """Runs to move. on_failure: what becomes of those behind one that fails. The signature means AUTHORED."""

    instances = fields.List(fields.UUID(), required=True, validate=validate.Length(1, rehearsals.MOST))
    reason = text(4000, required=True)
    on_failure = word(rehearsals.OnFailure, load_default=rehearsals.OnFailure.CONTINUE.value)
    signature = fields.Nested(SignatureGiven, required=True)


class UnplacedAnswer(Answer):
    """A step that a run stands on and the other version has no place for."""

    element_id = fields.String()
    name = fields.String()
    why = fields.String()
    suggestion = maybe()


class RehearsalAnswer(Answer):
    """What moving a run would do."""

    instance_id = fields.UUID()
    business_key = fields.String()
    verdict = word(rehearsing.Verdict)
    from_version = fields.Integer()
    reasons = fields.List(fields.String())
    notes = fields.List(fields.String())
    unplaced = fields.List(fields.Nested(UnplacedAnswer))


class RehearsalsAnswer(Answer):
    """What moving each run would do, oldest first."""

    items = fields.List(fields.Nested(RehearsalAnswer))
    next = maybe()


class MovedAnswer(Answer):
    """What became of one run."""

    instance_id = fields.UUID()
    business_key = fields.String()
    came = word(migrating.Came)
    message = fields.String()


class RelocationAnswer(Answer):
    """What became of each run. id: of the signed order."""

    id = fields.UUID()
    items = fields.List(fields.Nested(MovedAnswer))


class MoveAnswer(Answer):
    """A move of a run to another version. may_revert: it stands where the move left it."""

    id = fields.UUID()
    from_definition_id = fields.UUID()
    to_definition_id = fields.UUID()
    reason = fields.String()
    moved_at = Instant()
    moved_by = fields.String()


class MovesAnswer(Answer):
    """The moves of a run that stand, oldest first."""

    items = fields.List(fields.Nested(MoveAnswer))
    next = maybe()


class Reverted(Request):
    """Why a move is taken back. The signature means AUTHORED."""

    reason = text(4000, required=True)
    signature = fields.Nested(SignatureGiven, required=True)


@writes(
    "POST", "/instances/<instance_id>/suspension", scope="instances:write", summary="Let a run rest for a reason", body=Reason,
    answer=InstanceDetail, render=show_instance, etag=tag_of, match=True,
)  # fmt: skip
def suspend_instance(act: Act, body: dict[str, Any], instance_id: str) -> str:
    """Tasks, timers and jobs wait; messages and signals are kept."""
    need_helper()
    bodies.seen_tag(tag_of(pages.find(act.session, instance_id)))
    return suspending.suspend(act, instance_id, body["reason"]).id


@writes(
    "POST", "/instances/<instance_id>/resumption", scope="instances:write", summary="Let a suspended run go on", body=Rested,
    answer=InstanceDetail, render=show_instance, etag=tag_of, match=True,
)  # fmt: skip
def resume_instance(act: Act, body: dict[str, Any], instance_id: str) -> str:
    """What came and fell due meanwhile happens now, the earliest first."""
    need_helper()
    bodies.seen_tag(tag_of(pages.find(act.session, instance_id)))
    return suspending.resume(act, instance_id, body["reason"]).id


@writes(
    "POST", "/instances/<instance_id>/edits/rehearsal", scope="instances:write", summary="Say what edits of tokens would do",
    body=TokenEditsGiven, answer=StagedAnswer, render=lambda staged: staged, etag=lambda staged: str(staged["version"]),
)  # fmt: skip
def rehearse_edits(act: Act, body: dict[str, Any], instance_id: str) -> dict[str, Any]:
    """Change nothing."""
    need_helper()
    return _plain(
        modifying.stage(act.session, pages.find(act.session, instance_id), _edits(body), values=body["variables"])
    )


@writes(
    "POST", "/instances/<instance_id>/edits", scope="instances:write", summary="Move, add and cancel tokens, signed",
    body=TokenEditsOrdered, answer=InstanceDetail, render=show_instance, etag=tag_of, match=True, person=True,
)  # fmt: skip
def edit_tokens(act: Act, body: dict[str, Any], instance_id: str) -> str:
    """As a process engineer, as it was rehearsed."""
    instance = pages.find(act.session, instance_id)
    bodies.seen_tag(tag_of(instance))
    edits = _edits(body)
    return operating.modify(
        act, instance.id, edits, reason=body["reason"], values=body["variables"],
        seen_hash=modifying.hash_of(act.session, instance, edits, body["variables"]), request=signature_given(body["signature"]),
    ).id  # fmt: skip


@writes(
    "POST", "/definitions/<definition_id>/rehearsal", scope="instances:write", summary="Say what moving runs to a version would do",
    body=MappingGiven, answer=RehearsalsAnswer, render=lambda found: found,
)  # fmt: skip
def rehearse_relocation(act: Act, body: dict[str, Any], definition_id: str) -> dict[str, Any]:
    """Change nothing. Without `instances` every run on another version is rehearsed, the oldest first."""
    need_helper()
    target = _target(act, definition_id)
    chosen = [str(one) for one in body["instances"]] if body["instances"] else None
    found = rehearsals.rehearse_all(act.session, target, body["mapping"], chosen=chosen)
    return {"items": [_plain(one) for one in found], "next": None}


def _came(subject: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": subject["id"],
        "items": rehearsals.outcomes(reading(), subject["id"], subject["instances"], subject["on_failure"]),
    }


@writes(
    "POST", "/definitions/<definition_id>/relocations", scope="instances:write", summary="Move runs to a version, signed",
    body=RelocationOrdered, answer=RelocationAnswer, render=_came, status=201, person=True,
)  # fmt: skip
def relocate_instances(act: Act, body: dict[str, Any], definition_id: str) -> dict[str, Any]:
    """Each in a transaction of its own: one that fails stays what it was, and undoes no other."""
    target, chosen = _target(act, definition_id), [str(one) for one in body["instances"]]
    order = operating.order_relocation(
        act, target, chosen, reason=body["reason"], mapping=body["mapping"], request=signature_given(body["signature"])
    )
    goes_on = body["on_failure"] == rehearsals.OnFailure.CONTINUE
    house, actor = installation(), visitor().principal
    act.afterwards.append(
        lambda: migrating.move_each(
            house,
            actor,
            chosen,
            target,
            reason=body["reason"],
            mapping=body["mapping"],
            relocation=order,
            goes_on=goes_on,
        )
    )
    return {"id": order.id, "instances": chosen, "on_failure": body["on_failure"]}


@reads(
    "/instances/<instance_id>/moves",
    scope="instances:read",
    summary="List the moves of a run that stand",
    answer=MovesAnswer,
)
def list_moves(instance_id: str) -> dict[str, Any]:
    """From which version to which, by whom and why."""
    session = reading()
    return {"items": migrating.moves_of(session, pages.find(session, instance_id).id), "next": None}


@writes(
    "POST", "/instances/<instance_id>/moves/<move_id>/reversal", scope="instances:write", summary="Take a move back, signed",
    body=Reverted, answer=InstanceDetail, render=show_instance, etag=tag_of, person=True,
)  # fmt: skip
def revert_move(act: Act, body: dict[str, Any], instance_id: str, move_id: str) -> str:
    """As long as the run stands where the move left it."""
    instance: Instance = pages.find(act.session, instance_id)
    made = act.session.get(InstanceMove, move_id) if is_id(move_id) else None
    if made is None or made.instance_id != instance.id:
        raise NotFound("Expected a move of this run at this address, but there is none.")
    return operating.revert(act, made.id, reason=body["reason"], request=signature_given(body["signature"])).id


def _edits(body: dict[str, Any]) -> list[modifying.TokenEdit]:
    found = [
        modifying.TokenEdit(modifying.EditKind(one["kind"]), one["token_id"], one["element_id"])
        for one in body["edits"]
    ]
    for place, edit in enumerate(found):
        if edit.kind is not modifying.EditKind.ADD and edit.token_id is None:
            raise Invalid(
                "Expected the token of an edit, but there is none", {f"edits.{place}.token_id": "is required"}
            )
        if edit.kind is not modifying.EditKind.CANCEL and not edit.element_id:
            raise Invalid(
                "Expected where an edit leads, but it says nothing", {f"edits.{place}.element_id": "is required"}
            )
    return found


def _target(act: Act, definition_id: str) -> Definition:
    found = act.session.get(Definition, definition_id) if is_id(definition_id) else None
    if found is None:
        raise NotFound("Expected a version of a process at this address, but there is none.")
    if found.status != "RELEASED":
        raise Conflict(
            f"Expected a released version, but version {found.version} is {found.status}", code="NOT_RELEASED"
        )
    return found


def _plain(found: Any) -> dict[str, Any]:
    return {name: getattr(found, name) for name in found.__dataclass_fields__}
