"""Send one message to an address that somebody typed: only where it may go, once, in bounded time, without following anybody."""

from __future__ import annotations

import http.client
import ipaddress
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urlsplit

from engine.errors import Invalid
from records.webhook import LONGEST_ANSWER, LONGEST_URL

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

METADATA = frozenset(
    ipaddress.ip_address(one) for one in ("fd00:ec2::254", "168.63.129.16", "100.100.100.200", "192.0.0.192")
)
"""Where clouds answer any machine with its own credentials, beside the link-local 169.254.169.254."""
NAT64 = ipaddress.ip_network("64:ff9b::/96")
READ = 4 * LONGEST_ANSWER
"""Bytes of an answer that are read: what is kept of it, if every character took four."""
LONGEST_WAIT = 86_400
_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one try.

    status: None when nothing was answered. error: empty when it arrived. retry_after: seconds that the receiver asked for.
    """

    status: int | None
    milliseconds: int
    error: str = ""
    answer: str = ""
    retry_after: int | None = None


class _NotThere(Exception):
    """The try ends here; the text says why."""


def checked_url(url: str, *, takes_http: bool) -> str:
    """Return an address that messages may go to, as far as can be said without asking who answers there. Raises: Invalid."""
    given = url.strip()
    why = _why_not(given, takes_http)
    if why:
        fields = {"url": f"Expected an address, but {why}"}
        raise Invalid(f"Expected the address of a receiver such as https://erp.example/hooks, but {why}", fields)
    return given


def _why_not(url: str, takes_http: bool) -> str:
    if len(url) > LONGEST_URL:
        return f"it has more than {LONGEST_URL:,} characters"
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return "it has characters that no address has"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "it is none"
    if parts.scheme != "https" and not (takes_http and parts.scheme == "http"):
        return "it begins with neither https:// nor http://" if takes_http else "it does not begin with https://"
    if "@" in parts.netloc or parts.fragment:
        return "it has a name, a password or a # in it"
    if not _HOST.fullmatch(host) or port == 0:
        return "it names no machine"
    literal = _literal(host)
    return _bars(literal, takes_http) if literal is not None else ""


def send(url: str, headers: Mapping[str, str], body: bytes, *, timeout: float, takes_http: bool) -> Outcome:
    """Post a body once and say what came of it; whatever goes wrong outside is an outcome.

    timeout: seconds for all of it, a name that nobody resolves and a receiver that drips included. Redirects are not followed.
    """
    began = time.monotonic()
    try:
        parts = urlsplit(checked_url(url, takes_http=takes_http))
        addresses = _resolve(parts, timeout, takes_http)
        return _post(parts, addresses, headers, body, began=began, timeout=timeout)
    except Invalid as refusal:
        return Outcome(None, _since(began), refusal.message)
    except _NotThere as reason:
        return Outcome(None, _since(began), str(reason))


def _resolve(parts: SplitResult, timeout: float, takes_http: bool) -> list[str]:
    """Return the addresses that may be called: they were looked at, and the name is not asked again. Raises: _NotThere."""
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put([str(one[4][0]) for one in found])
        except (OSError, UnicodeError) as error:
            answers.put(error if isinstance(error, OSError) else OSError(str(error)))

    threading.Thread(target=ask, name="webhook-name", daemon=True).start()
    try:
        found = answers.get(timeout=timeout)
    except queue.Empty:
        raise _NotThere(f"Expected to find {host}, but its name was not resolved within {timeout:g} s") from None
    if isinstance(found, OSError) or not found:
        raise _NotThere(f"Expected to find {host}, but nobody knows this name")
    for address in found:
        # One address that is barred bars the name: which one is called must not be a matter of luck.
        why = _bars(ipaddress.ip_address(address.partition("%")[0]), takes_http)
        if why:
            raise _NotThere(f"Expected a receiver that may be called, but {host} is at {address}: {why}")
    return list(dict.fromkeys(found))


def _bars(address: Address, takes_http: bool) -> str:
    """Return why nothing goes to an address, or nothing."""
    inner = _inner(address)
    if inner.is_link_local or inner in METADATA:
        return "link-local addresses are not called"
    if inner.is_unspecified or inner.is_multicast or (inner.version == 4 and inner.packed[0] in (0, 255)):
        return "it is no address of one machine"
    if inner.is_loopback and not takes_http:
        return "addresses of this machine are not called"
    return ""


def _inner(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(address.packed[12:])
    return address.ipv4_mapped or address.sixtofour or address


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


class _Pinned(http.client.HTTPConnection):
    """A connection to addresses that were looked at, under the name that was typed; ended as a whole at its deadline."""

    def __init__(self, parts: SplitResult, addresses: Sequence[str], *, seconds: float) -> None:
        super().__init__(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80), timeout=seconds)
        self._addresses, self._is_safe = addresses, parts.scheme == "https"
        self._deadline = threading.Timer(seconds, self._give_up)
        self._deadline.daemon = True
        self.is_over = False

    def connect(self) -> None:
        self._deadline.start()
        self.sock = self._reached()
        if self._is_safe:
            # The deadline must find the socket that is read from while it greets, too.
            context = ssl.create_default_context()
            safe = context.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock = safe
            safe.do_handshake()

    def _reached(self) -> socket.socket:
        for address in self._addresses[:-1]:
            try:
                return socket.create_connection((address, self.port), self.timeout)
            except OSError:
                if self.is_over:
                    raise
        found = socket.create_connection((self._addresses[-1], self.port), self.timeout)
        if self.is_over:
            found.close()
            raise TimeoutError
        return found

    def end(self) -> None:
        """Close it, and forget the deadline."""
        self._deadline.cancel()
        self.close()

    def _give_up(self) -> None:
        self.is_over = True
        held = self.sock
        if held is not None:
            try:
                # Of the plain socket beneath TLS: whoever reads sees the end at once.
                socket.socket.shutdown(held, socket.SHUT_RDWR)
            except OSError:
                return


def _post(
    parts: SplitResult,
    addresses: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    *,
    began: float,
    timeout: float,
) -> Outcome:
    left = max(timeout - (time.monotonic() - began), 0.01)
    connection = _Pinned(parts, addresses, seconds=left)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", target, body, dict(headers))
        answer = connection.getresponse()
        text = answer.read(READ).decode("utf-8", "replace")
    except ssl.SSLCertVerificationError as error:
        raise _NotThere(f"Expected a certificate that this machine trusts, but {error.verify_message}") from error
    except (OSError, http.client.HTTPException) as error:
        if connection.is_over or isinstance(error, TimeoutError):
            raise _NotThere(f"Expected an answer within {timeout:g} s, but there was none") from error
        raise _NotThere(f"Expected an answer, but {_words(error)}") from error
    finally:
        connection.end()
    return _judged(answer, text, began)


def _judged(answer: http.client.HTTPResponse, text: str, began: float) -> Outcome:
    kept = "".join(sign if sign.isprintable() or sign in "\n\t" else "\ufffd" for sign in text)[:LONGEST_ANSWER]
    status = answer.status
    if 200 <= status < 300:
        return Outcome(status, _since(began), "", kept)
    why = f"Expected an answer of 200 to 299, but it is {status}"
    if 300 <= status < 400:
        why += ", and redirects are not followed: write the address it leads to into the webhook"
    return Outcome(status, _since(began), why, kept, _retry_after(answer.headers.get("Retry-After")))


def _retry_after(said: str | None) -> int | None:
    """Return the seconds of a Retry-After, at most a day; None for what is none."""
    if said is None:
        return None
    if said.strip().isascii() and said.strip().isdecimal():
        return min(int(said.strip()[:9]), LONGEST_WAIT)
    try:
        seconds = parsedate_to_datetime(said).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return min(max(int(seconds), 0), LONGEST_WAIT)


def _words(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    if isinstance(error, (ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected)):
        return "the receiver hung up"
    if isinstance(error, http.client.HTTPException):
        return f"what came is no HTTP ({type(error).__name__})"
    return f"the connection failed ({str(error)[:200] or type(error).__name__})"


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
