"""Built files go out compressed and are kept by the browser for good, as their names change with their content; pages go out compressed.

A page carries the proof of its forms beside words of whoever asked for it, so that its compressed length must not tell how alike they
are: every page is lengthened by chance (the head of a gzip file has room for a name of any length).
"""

from __future__ import annotations

import gzip
import io
import secrets
from pathlib import Path

from flask import Flask, Response, request, send_from_directory

A_YEAR = 31_536_000
BUILT = "dist/"
SMALLEST = 1_000
"""Bytes below which a page is sent as it is."""
PADDING = 64
"""Bytes by which a page may be lengthened."""


def install(app: Flask) -> None:
    """Serve static files by the rules above."""
    app.view_functions["static"] = _static
    app.after_request(_pack)


def _static(filename: str) -> Response:
    folder = Path(__file__).parent / "static"
    is_built = filename.startswith(BUILT) and not filename.endswith("manifest.json")
    packed = f"{filename}.gz"
    if is_built and request.accept_encodings.quality("gzip") > 0 and (folder / BUILT / Path(packed).name).is_file():
        response = send_from_directory(folder, packed, mimetype=_kind(filename), max_age=A_YEAR)
        response.headers["Content-Encoding"] = "gzip"
    else:
        response = send_from_directory(folder, filename, max_age=A_YEAR if is_built else None)
    if is_built:
        response.cache_control.immutable = True
        response.vary.add("Accept-Encoding")
    return response


def _pack(response: Response) -> Response:
    """Compress a page for a browser that takes it so."""
    if response.mimetype != "text/html" or response.is_streamed or response.direct_passthrough:
        return response
    response.vary.add("Accept-Encoding")
    content = response.get_data()
    if (
        len(content) < SMALLEST
        or "Content-Encoding" in response.headers
        or not request.accept_encodings.quality("gzip")
    ):
        return response
    packed = io.BytesIO()
    name = "x" * (1 + secrets.randbelow(PADDING))
    with gzip.GzipFile(name, "wb", compresslevel=4, fileobj=packed, mtime=0) as file:
        file.write(content)
    response.set_data(packed.getvalue())
    response.headers["Content-Encoding"] = "gzip"
    return response


def _kind(filename: str) -> str:
    return {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}[Path(filename).suffix]
