"""What the form of a change request begins with when it is opened from the document that it follows from."""

from __future__ import annotations

from collections.abc import Mapping

from processes.change_producers import Cause, reference_of, words_of


def wish_of(cause: Cause) -> Mapping[str, str]:
    """Return the form's fields as a document fills them: where it comes from, its number, title and problem."""
    source, source_ref = reference_of(cause)
    title, problem = words_of(cause)
    return {"source": source.value, "source_ref": source_ref, "title": title, "problem": problem[:1500]}
