"""``lockstep user key``: keys to the API from the command line."""

from __future__ import annotations

import json

from click.testing import CliRunner
from sqlalchemy import Engine

from engine.act import Installation
from tests.makers import make_cast, make_site
from webapp.api.problems import MEDIA_TYPE
from webapp.app import create_app
from webapp.cli import main


def test_a_key_is_shown_once_opens_the_api_and_is_revoked(installation: Installation, database: Engine) -> None:
    with installation.acting("system:test") as act:
        make_site(act)
        make_cast(act)
    url = database.url.render_as_string(hide_password=False)
    runner = CliRunner()

    def call(*words: str) -> str:
        result = runner.invoke(main, ["--database", url, "user", "key", *words])
        assert result.exit_code == 0, result.output
        return result.stdout

    # The command line reads the wall clock, the plant of the test its own.
    key = json.loads(call("add", "rita", "--name", "laptop", "--scope", "parts:read", "--days", "3650", "--json"))
    app = create_app(installation, secret_key="only for tests")
    headers = {"Authorization": f"Bearer {key['key']}"}
    assert app.test_client().get("/api/v1/parts", headers=headers).status_code == 200
    [listed] = json.loads(call("list", "rita", "--json"))
    assert (listed["name"], listed["scopes"], listed["state"]) == ("laptop", ["parts:read"], "open")
    assert key["key"] not in call("list")
    call("revoke", key["id"])
    refused = app.test_client().get("/api/v1/parts", headers=headers)
    assert (refused.status_code, refused.mimetype) == (401, MEDIA_TYPE)


def test_an_adapter_gets_no_key_to_decide(installation: Installation, database: Engine) -> None:
    url = database.url.render_as_string(hide_password=False)
    words = ["user", "key", "add", "adapter:erp", "--name", "x", "--scope", "tasks:decide"]
    result = CliRunner().invoke(main, ["--database", url, *words])
    assert result.exit_code == 3
    assert "needs a person" in result.output
