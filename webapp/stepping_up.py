"""A signature that waits until its signer has signed in at the company."""

from __future__ import annotations

from collections.abc import Sequence

from records.stepping_up import Subject


class SteppingUp(Exception):  # nothing went wrong: the request goes another way, past every page that shows refusals
    """The request goes to the company first. subjects: what is to be signed."""

    def __init__(self, subjects: Sequence[Subject]) -> None:
        super().__init__("Expected a sign-in at the company first")
        self.subjects = tuple(subjects)
