"""Somebody outside who is told by a webhook: a server of this test that keeps what arrives and answers as it is bidden."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from socket import socket
from typing import Any

import orjson

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass(frozen=True)
class Arrived:
    """One message as it arrived."""

    headers: dict[str, str]
    body: str

    @property
    def message(self) -> Any:
        return orjson.loads(self.body)

    @property
    def type(self) -> str:
        return str(self.message["type"])


class Receiver(socketserver.ThreadingTCPServer):
    """Answers with ``answer``: bytes, or what does something with the connection."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.arrived: list[Arrived] = []
        self.answer: bytes | Callable[[socket], None] = OK
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hooks?plant=1"

    @property
    def types(self) -> list[str]:
        return [one.type for one in self.arrived]

    def answers(self, status: int, *headers: str, body: str = "") -> None:
        """Answer so from now on."""
        lines = [f"HTTP/1.1 {status} So", f"Content-Length: {len(body)}", *headers, "", body]
        self.answer = "\r\n".join(lines).encode()

    def hangs(self) -> None:
        """Say nothing any more until the test ends."""
        self.answer = lambda _connection: self.over.wait(10) and None


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Receiver)
        if not self.rfile.readline():
            return
        headers = {}
        while (line := self.rfile.readline().decode().strip()) != "":
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        body = self.rfile.read(int(headers.get("content-length", 0))).decode()
        answer = self.server.answer
        self.server.arrived.append(Arrived(headers, body))
        try:
            if callable(answer):
                answer(self.connection)
            else:
                self.wfile.write(answer)
        except OSError:
            return  # Whoever sent it did not wait for the answer.


@contextmanager
def listening() -> Iterator[Receiver]:
    """Yield a receiver on a free port of this machine."""
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join()
