"""One message to an address that somebody typed: where it may go, how long it may take, what counts as arrived."""

from __future__ import annotations

import datetime as dt
import http.server
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from engine.errors import Invalid
from processes import webhook_secrets, webhook_sending
from processes.webhook_sending import Outcome, checked_url
from processes.webhook_terms import terms_of
from tests.receiver import OK, Receiver, listening


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as found:
        yield found


def send(url: str, *, timeout: float = 5, takes_http: bool = True) -> Outcome:
    headers = {"Content-Type": "application/json", "webhook-id": "m-1"}
    return webhook_sending.send(url, headers, b'{"type":"x"}', timeout=timeout, takes_http=takes_http)


def test_what_arrives_is_what_was_sent(receiver: Receiver) -> None:
    found = send(receiver.url)
    assert (found.status, found.error, found.answer) == (200, "", "ok")
    (arrived,) = receiver.arrived
    assert (arrived.body, arrived.headers["webhook-id"]) == ('{"type":"x"}', "m-1")
    assert arrived.headers["host"] == f"127.0.0.1:{receiver.server_address[1]}"


@pytest.mark.parametrize(
    ("status", "why"),
    [(500, "but it is 500"), (301, "redirects are not followed"), (404, "but it is 404"), (410, "but it is 410")],
)
def test_any_other_answer_than_200_to_299_is_a_failure_and_is_not_followed(
    receiver: Receiver, status: int, why: str
) -> None:
    receiver.answers(status, f"Location: {receiver.url}", "Retry-After: 7", body="no\x00t now")
    found = send(receiver.url)
    assert (found.status, found.answer, found.retry_after, len(receiver.arrived)) == (status, "no\ufffdt now", 7, 1)
    assert why in found.error


def test_a_megabyte_of_answer_is_read_no_further_than_it_is_kept(receiver: Receiver) -> None:
    receiver.answers(200, body="ü" * 500_000)
    receiver.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + "ü".encode() * 500_000
    found = send(receiver.url)
    assert (found.status, found.error, found.answer) == (200, "", "ü" * 500)


def test_a_receiver_that_hangs_or_drips_is_given_up_in_time(receiver: Receiver) -> None:
    def drip(connection: socket.socket) -> None:
        for sign in b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1000:
            connection.send(bytes([sign]))
            if receiver.over.wait(0.02):
                return

    receiver.hangs()
    began = time.monotonic()
    assert "within 0.2 s" in send(receiver.url, timeout=0.2).error
    receiver.answer = drip
    assert "within 0.2 s" in send(receiver.url, timeout=0.2).error
    assert time.monotonic() - began < 2


def test_a_receiver_that_hangs_up_or_talks_nonsense_is_told_apart(receiver: Receiver) -> None:
    def reset(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    receiver.answer = reset
    assert "hung up" in send(receiver.url).error
    receiver.answer = b"220 mail.example ESMTP\r\n"
    assert "no HTTP" in send(receiver.url).error
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert "nobody listens there" in send(f"http://127.0.0.1:{free.getsockname()[1]}/").error
    assert "nobody knows this name" in send("http://no-such-machine.invalid/").error


@pytest.mark.parametrize(
    "url",
    [
        "", "hooks", "ftp://erp.example/", "http://erp.example/", "https://", "https:///hooks", "https://erp.example:0/",
        "https://erp.example:99999/", "https://ivan:secret@erp.example/", "https://erp.example/#a", "https://erp.exämple/",
        "https://erp.example/ hooks", "https://erp.example/\r\nX: y", "https://[::1", "https://" + "a" * 2000,
        "https://169.254.169.254/latest", "https://[fe80::1%25eth0]/", "https://0.0.0.0/", "https://[::]/", "https://127.0.0.1/",
        "https://[::ffff:169.254.1.1]/", "https://[64:ff9b::a9fe:a9fe]/", "https://224.0.0.1/", "https://[fd00:ec2::254]/",
    ],
)  # fmt: skip
def test_an_address_that_nothing_may_go_to_is_refused_when_it_is_typed(url: str) -> None:
    with pytest.raises(Invalid, match="Expected the address of a receiver") as refused:
        checked_url(url, takes_http=False)
    assert refused.value.fields["url"]


def test_a_name_that_leads_where_nothing_may_go_is_refused_when_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "erp.example": ["10.0.0.7", "169.254.169.254"],
        "erp2.example": ["127.0.0.1"],
        "erp3.example": ["0.0.0.0"],
    }

    def resolve(host: str, port: int, **_options: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers[host]]

    def connect(*_arguments: object) -> None:
        raise AssertionError("Expected nobody to be called")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    for host, why in (("erp", "link-local"), ("erp2", "this machine"), ("erp3", "no address of one machine")):
        found = send(f"https://{host}.example/", takes_http=False)
        assert found.status is None
        assert why in found.error


def test_a_name_is_asked_once_and_the_certificate_must_be_its_own(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_of("localhost", tmp_path))
    receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
    url = receiver.url.replace("http://127.0.0.1", "https://localhost")
    assert "certificate that this machine trusts" in send(url).error
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
    receiver.answer = OK
    assert send(url).status == 200
    assert "certificate that this machine trusts" in send(url.replace("localhost", "127.0.0.1")).error
    assert len(receiver.arrived) == 1


def certificate_of(name: str, folder: Path) -> Path:
    key, path = ec.generate_private_key(ec.SECP256R1()), folder / "own.pem"
    named = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder().subject_name(named).issuer_name(named).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    path.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return path


@pytest.mark.parametrize(
    "settings",
    [
        {"webhook_http": "perhaps"}, {"webhook_timeout": "0"}, {"webhook_timeout": "1 2"}, {"webhook_back_off": "5 soon"},
        {"webhook_pause_after_days": "-1"}, {"webhook_log_days": "nan"},
    ],
)  # fmt: skip
def test_a_setting_that_makes_no_sense_is_named(settings: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        terms_of(settings)


def test_the_receiver_of_the_manual_takes_what_is_ours_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manual = (Path(__file__).parents[2] / "docs/howto/webhooks.md").read_text("utf-8")
    code = manual.partition("```python\n")[2].partition("\n```")[0]
    secret, body = webhook_secrets.make(), b'{"type":"receipt.arrived"}'
    monkeypatch.setenv("LOCKSTEP_SECRETS", f"{webhook_secrets.make()} {secret}")
    known: dict[str, Any] = {}
    exec(code.rpartition("\n")[0], known)
    known["Receiver"].log_message = lambda *_: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), known["Receiver"]) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url, sent = f"http://127.0.0.1:{server.server_port}/", int(time.time())
        for age, changed, status in ((0, b"", 204), (0, b" ", 401), (400, b"", 401)):
            signature = webhook_secrets.sign(secret, "m-1", sent - age, body.decode())
            headers = {"webhook-id": "m-1", "webhook-timestamp": str(sent - age), "webhook-signature": signature}
            assert webhook_sending.send(url, headers, body + changed, timeout=5, takes_http=True).status == status
        server.shutdown()
    assert capsys.readouterr().out == "m-1 receipt.arrived\n"
