"""Several tasks of one step signed with one password: choose, sign, and read what became of each."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from engine.canonical import is_whole
from engine.database import is_id
from engine.errors import Invalid, Refused
from webapp import batch_signing, bulk, formats, signing_form
from webapp.refusals import status_of
from webapp.visit import read_anew, reading

pages = Blueprint("together", __name__)

MOST = 50


@pages.route("/inbox/sign", methods=["GET", "POST"])
def sign() -> Response | tuple[str, int] | str:
    """Show what waits for one's signature at one step; on POST sign each that was chosen, in an act of its own."""
    if request.method != "POST":
        return _show()
    try:
        chosen = _chosen()
        outcomes = batch_signing.sign_each(
            chosen, request.form.get("verdict", ""), signing_form.read_signature(), reason=signing_form.read_reason()
        )
    except Refused as refusal:
        return _show(refusal), status_of(refusal)
    signed = [one for one in outcomes if one.signature_id]
    if len(signed) == len(outcomes):
        keys = ", ".join(one.key for one in signed)
        flash(f"Signed {keys}: {formats.plural(len(signed), 'signature')}, each on its own content.", "good")
        return redirect(url_for("inbox.show"), 303)
    made = batch_signing.signatures_of(read_anew(), outcomes)
    return render_template("inbox/signed_together.html", outcomes=outcomes, made=made)


def _chosen() -> dict[str, int]:
    """Return the chosen tasks with the version that was shown. Raises: Invalid without any, or for too many."""
    ids = list(dict.fromkeys(one for one in request.form.getlist("task") if is_id(one)))
    if not ids:
        raise Invalid("Expected at least one task to sign, but none is ticked", {"task": "Tick what you sign"})
    if len(ids) > MOST:
        raise Invalid(f"Expected at most {MOST} tasks at once, but {len(ids)} are ticked", {"task": "Tick fewer"})
    versions = {one: request.form.get(f"version_{one}", "") for one in ids}
    if not all(is_whole(text) for text in versions.values()):
        raise Invalid("Expected the version that the page showed, but it is missing; open the page again", code="STALE_FORM")  # fmt: skip
    return {one: int(text) for one, text in versions.items()}


def show_selected(selection: bulk.Selection) -> str:
    """Show a row for each task that was selected in the inbox, with what keeps it from being signed; those of other steps as well."""
    return _show(only=selection)


def _show(refusal: Refused | None = None, *, only: bulk.Selection | None = None) -> str:
    session = read_anew() if refusal else reading()
    ids = [one.task.id for one in only.choices] if only else []
    found = batch_signing.steps(session, ids)
    wanted = only.steps[0].key if only else request.values.get("step", "")
    step = next((one for one in found if one.key == wanted), found[0] if found else None)
    shown = {one.task.id for one in step.choices} if step else set()
    verdict = request.form.get("verdict") or (only.action if only else "")
    return render_template(
        "inbox/sign_together.html", steps=found, step=step, refusal=refusal, verdict=verdict,
        form=request.form, selected=only.selected if only else 0, ticked=set(ids or request.form.getlist("task")),
        others=[one for one in only.others if one.task.id not in shown] if only else [], missing=only.missing if only else 0,
        errors=signing_form.errors_of(refusal),
        **signing_form.signing_values(session) | {"meanings": batch_signing.meanings_of(session, step) if step else []},
    )  # fmt: skip
