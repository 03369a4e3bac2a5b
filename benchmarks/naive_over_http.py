"""The naive way behind a door of its own: a Flask application of one route, as small as somebody would write it.

A key is looked up in a table by its digest, the body is JSON with a verdict, the instance moves as in ``complete_task``, and the answer
is JSON. Nobody's rights are asked, nothing is validated, the answer does not say what the run waits for, and no decision, history or
audit is kept.
"""

from __future__ import annotations

import hashlib
import secrets

from flask import Flask, Response, abort, jsonify, request
from sqlalchemy import Engine, select
from sqlalchemy.orm import Mapped, mapped_column, sessionmaker

from benchmarks.complete_task import Naive, NaiveBase


class NaiveKey(NaiveBase):
    """A key of somebody."""

    __tablename__ = "naive_key"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    owner: Mapped[str]


class NaiveDoor:
    """A client of the application, and the key that it sends."""

    def __init__(self, database: Engine, naive: Naive) -> None:
        self._sessions = sessionmaker(database)
        self._key = secrets.token_urlsafe(32)
        with sessionmaker(database.execution_options(writes=True)).begin() as session:
            session.add(NaiveKey(digest=_digest(self._key), owner="mona"))
        self._client = self._application(naive).test_client()

    def complete(self, instance_id: int) -> None:
        """Complete one task over HTTP."""
        headers = {"Authorization": f"Bearer {self._key}"}
        answer = self._client.post(f"/instances/{instance_id}/decision", json={"verdict": "approve"}, headers=headers)
        if answer.status_code != 200:
            raise RuntimeError(f"Expected a decision, but got {answer.status_code}: {answer.get_data(as_text=True)}")

    def _application(self, naive: Naive) -> Flask:
        application = Flask(__name__)

        @application.post("/instances/<int:instance_id>/decision")
        def decide(instance_id: int) -> Response:
            known = select(NaiveKey).where(NaiveKey.digest == _digest(request.headers["Authorization"].split()[1]))
            with self._sessions() as session:
                key = session.scalar(known)
            if key is None:
                abort(401)
            verdict = request.get_json()["verdict"]
            naive.complete(instance_id)
            return jsonify(instance=instance_id, verdict=verdict, actor=key.owner)

        return application


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
