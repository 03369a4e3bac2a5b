"""Mail: by SMTP or into a folder, with the job's id as Message-ID and the order as PDF."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from email import message_from_bytes, message_from_string
from pathlib import Path

import pytest

from tests.people import bea, rita
from tests.story import Story


class Server(socketserver.ThreadingTCPServer):
    """Keeps the letters it is given."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Postbox)
        self.letters: list[str] = []


class Postbox(socketserver.StreamRequestHandler):
    """As much of a mail server as one message needs."""

    def handle(self) -> None:
        assert isinstance(self.server, Server)
        self.wfile.write(b"220 postbox\r\n")
        while line := self.rfile.readline():
            word = line.split(b" ")[0].strip().upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = []
                while (text := self.rfile.readline()) != b".\r\n":
                    lines.append(text)
                self.server.letters.append(b"".join(lines).decode())
            self.wfile.write(b"250 postbox\r\n" if word != b"QUIT" else b"221 bye\r\n")
            if word == b"QUIT":
                return


@pytest.fixture
def postbox() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def send_an_order(story: Story) -> None:
    story.as_(rita).start("requisition_to_po", lines=[("P-100", 10, "42.50")])
    story.as_(bea).decide("complete_order", "submit").decide("issue_order", "issue")


def test_without_a_server_mail_lies_in_a_folder_with_the_order_as_pdf(story: Story) -> None:
    send_an_order(story)
    job = next(job for job in story.jobs("mail") if b"PO-000001" in job.args)
    mail = message_from_bytes((Path(story.installation.settings["mail_folder"]) / f"{job.id}.eml").read_bytes())
    assert mail["Message-ID"] == f"<{job.id}@localhost>"
    assert (mail["To"], mail["Subject"]) == ("orders@midland.example", "Purchase order PO-000001")
    (pdf,) = [part for part in mail.walk() if part.get_content_type() == "application/pdf"]
    assert pdf.get_filename() == "PO-000001.pdf"
    assert pdf.get_payload(decode=True).startswith(b"%PDF")


def test_with_a_server_mail_is_sent(story: Story, postbox: Server) -> None:
    host, port = postbox.server_address[:2]
    story.installation.settings = dict(story.installation.settings) | {
        "smtp_url": f"smtp://{host}:{port}", "mail_from": "purchasing@plant.example",
    }  # fmt: skip
    send_an_order(story)
    letters = [message_from_string(text) for text in postbox.letters]
    order = next(letter for letter in letters if letter["To"] == "orders@midland.example")
    assert order["From"] == "purchasing@plant.example"
    assert order["Message-ID"].endswith("@plant.example>")


def test_a_server_that_is_away_is_tried_again(story: Story) -> None:
    story.installation.settings = dict(story.installation.settings) | {"smtp_url": "smtp://127.0.0.1:9"}
    send_an_order(story)
    assert {(job.state, job.retries_left) for job in story.jobs("mail")} == {("WAITING", 3)}
