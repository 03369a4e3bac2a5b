"""Read the words of a PDF that typst wrote, through its fonts' own tables of characters."""

from __future__ import annotations

import re
import zlib

OBJECT = re.compile(rb"(\d+) 0 obj(.*?)endobj", re.DOTALL)
STREAM = re.compile(rb"stream\r?\n(.*)endstream", re.DOTALL)
PAIR = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>")
ESCAPE = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)
CONTROL = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
TRIPLE = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>")
INNER = rb"(?:\\.|[^\\()])*"
# Parentheses that come in pairs stand in a string as they are, and glyphs may have their codes.
STRING = rb"\((?:%b\((?:%b\(%b\))*%b\))*%b\)" % ((INNER,) * 5)
SHOWN = re.compile(rb"/(\w+)\s+[\d.]+\s+Tf|<([0-9A-Fa-f]+)>|" + STRING + rb"|ET", re.DOTALL)


def words_of(pdf: bytes) -> str:
    """Return the text of every page, with a space after each block; good enough to look for words."""
    bodies = {int(number): body for number, body in OBJECT.findall(pdf)}
    streams = {number: _unpacked(body) for number, body in bodies.items()}
    _add_packed(bodies, streams)
    fonts = {name: _characters(bodies, streams, int(ref)) for name, ref in _fonts(bodies)}
    pages = [content for content in streams.values() if content and b" Tf" in content and b"BT" in content]
    return re.sub(r"\s+", " ", " ".join(_shown(content, fonts) for content in pages))


def _unpacked(body: bytes) -> bytes:
    found = STREAM.search(body)
    if found is None:
        return b""
    try:
        # What follows the data, a line end, is left over by itself: its last byte may look like half of one.
        return zlib.decompressobj().decompress(found[1])
    except zlib.error:
        return found[1]


def _add_packed(bodies: dict[int, bytes], streams: dict[int, bytes]) -> None:
    for number, body in list(bodies.items()):
        if b"/ObjStm" not in body:
            continue
        content, first = streams[number], int(re.search(rb"/First (\d+)", body)[1])
        heads = [int(word) for word in content[:first].split()]
        places = list(zip(heads[::2], heads[1::2], strict=True))
        for (inner, start), following in zip(places, [*[at for _, at in places[1:]], len(content)], strict=True):
            bodies[inner] = content[first + start : first + following]


def _fonts(bodies: dict[int, bytes]) -> list[tuple[bytes, bytes]]:
    return [pair for body in bodies.values() for block in re.findall(rb"/Font\s*<<(.*?)>>", body, re.DOTALL)
            for pair in re.findall(rb"/(\w+)\s+(\d+) 0 R", block)]  # fmt: skip


def _characters(bodies: dict[int, bytes], streams: dict[int, bytes], font: int) -> dict[bytes, str]:
    found = re.search(rb"/ToUnicode (\d+) 0 R", bodies.get(font, b""))
    table = streams.get(int(found[1]), b"") if found else b""
    found_in = {
        code.upper(): bytes.fromhex(text.decode()).decode("utf-16-be", "replace")
        for block in re.findall(rb"beginbfchar(.*?)endbfchar", table, re.DOTALL)
        for code, text in PAIR.findall(block)
    }
    for block in re.findall(rb"beginbfrange(.*?)endbfrange", table, re.DOTALL):
        for first, last, text in TRIPLE.findall(block):
            begins = int.from_bytes(bytes.fromhex(text.decode()), "big")
            for at, code in enumerate(range(int(first, 16), int(last, 16) + 1)):
                found_in[f"{code:04X}".encode()] = chr(begins + at)
    return found_in


def _shown(content: bytes, fonts: dict[bytes, dict[bytes, str]]) -> str:
    said, font = [], dict[bytes, str]()
    for found in SHOWN.finditer(content):
        if found[1] is not None:
            font = fonts.get(found[1], {})
        elif found[2] is not None:
            code = found[2].upper()
            said.append("".join(font.get(code[at : at + 4], "") for at in range(0, len(code), 4)))
        elif found[0] == b"ET":
            said.append(" ")
        else:
            raw = ESCAPE.sub(_plain, found[0][1:-1]).hex().upper().encode()
            said.append("".join(font.get(raw[at : at + 4], "") for at in range(0, len(raw), 4)))
    return "".join(said)


def _plain(escape: re.Match[bytes]) -> bytes:
    sign = escape[1]
    return bytes([int(sign, 8) & 255]) if sign[:1].isdigit() else CONTROL.get(sign, sign)
