"""Built files go out compressed and are kept by the browser for good: their names change with their content."""

from __future__ import annotations

from pathlib import Path

from flask import Flask, Response, request, send_from_directory

A_YEAR = 31_536_000
BUILT = "dist/"


def install(app: Flask) -> None:
    """Serve static files by the rules above."""
    app.view_functions["static"] = _static


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


def _kind(filename: str) -> str:
    return {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}[Path(filename).suffix]
