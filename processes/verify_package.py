"""Verify an evidence package offline: ``python verify_package.py DIR [PUBLIC_KEY]``; Python 3.11 and nothing else."""
# Give the plant's public key (hex) as you got it from elsewhere: the one in the package proves only that it fits together.

import hashlib
import json
import sys
import unicodedata
from pathlib import Path
from typing import Any

P, Q = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D, ROOT = -121665 * pow(121666, -1, P) % P, pow(2, (P - 1) // 4, P)


def _add(a: Any, b: Any) -> Any:  # Ed25519 as in RFC 8032; points are (X, Y, Z, T)
    low, high, t, z = (a[1] - a[0]) * (b[1] - b[0]), (a[1] + a[0]) * (b[1] + b[0]), 2 * a[3] * b[3] * D, 2 * a[2] * b[2]
    e, f, g, h = high - low, z - t, z + t, high + low
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(number: int, point: Any) -> Any:
    rest = _times(number >> 1, _add(point, point)) if number else (0, 1, 1, 0)
    return _add(rest, point) if number & 1 else rest


def _point(data: bytes) -> Any:
    sign, y = data[31] >> 7, int.from_bytes(data, "little") & (1 << 255) - 1
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if (x * x - square) % P == 0 else x * ROOT % P
    if len(data) != 32 or y >= P or (x * x - square) % P or (x == 0 and sign):
        raise ValueError("this is no point of the curve")
    x = x if x & 1 == sign else P - x
    return x, y, 1, x * y % P


def _is_signed(key: bytes, message: bytes, signature: bytes) -> bool:
    hashed = hashlib.sha512(signature[:32] + key + message).digest()
    s, h = (int.from_bytes(part, "little") for part in (signature[32:], hashed))
    left, right = _times(s, _point(bytes([0x58] + [0x66] * 31))), _times(h % Q, _point(key))
    right = _add(_point(signature[:32]), right)
    return len(signature) == 64 and s < Q and all((left[at] * right[2] - right[at] * left[2]) % P == 0 for at in (0, 1))


def _canonical(value: Any) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return unicodedata.normalize("NFC", text).encode()


def _chain(chain: Any, covered: Any) -> Any:
    previous, about = "0" * 64, " ".join(chain["of"])
    for seq, row in enumerate(chain["rows"], start=1):
        said = hashlib.sha256(_canonical({name: value for name, value in row.items() if name != "hash"})).hexdigest()
        if (row["seq"], row["prev_hash"], row["hash"]) != (seq, previous, said):
            yield f"{about} seq {seq}: altered, or a row before it is missing"
        previous = row["hash"]
    if (end := covered.get(tuple(chain["of"]), 0)) < len(chain["rows"]):
        yield f"{about} seq {end + 1}: no checkpoint covers it"


def _proofs(evidence: Any, chains: Any, trusted: str) -> Any:
    for number, one in evidence["checkpoints"].items():
        key, said = bytes.fromhex(trusted or one["public_key"]), _canonical(one["statement"])
        if str(one["statement"]["number"]) != number or not _is_signed(key, said, bytes.fromhex(one["signature"])):
            yield f"checkpoint {number}: not signed by {trusted or 'the key in the package'}"
    for proof in evidence["proofs"]:
        (kind, key, seq, value), node = proof["leaf"], hashlib.sha256(b"\0" + _canonical(proof["leaf"])).digest()
        for side, other in ((step[0], bytes.fromhex(step[1:])) for step in proof["way"]):
            node = hashlib.sha256(b"\1" + (other + node if side == "L" else node + other)).digest()
        is_seen = node.hex() == evidence["checkpoints"][str(proof["checkpoint"])]["statement"]["root"]
        if not is_seen or [row["hash"] for row in chains.get((kind, key), ()) if row["seq"] == seq] != [value]:
            yield f"{kind} {key} seq {seq}: not as checkpoint {proof['checkpoint']} saw it"


def _problems(folder: Path, trusted: str = "") -> Any:
    listed, evidence = (json.loads((folder / f"{name}.json").read_text("utf-8")) for name in ("manifest", "evidence"))
    chains = {tuple(chain["of"]): chain["rows"] for chain in evidence["chains"]}
    for chain in evidence["chains"]:
        yield from _chain(chain, {tuple(proof["leaf"][:2]): proof["leaf"][2] for proof in evidence["proofs"]})
    for about, fields in ((tuple(row["of"]), row["fields"].items()) for row in evidence["rows"]):
        told = {edit["field"]: edit["new"] for edit in chains[about] if edit["action"] in ("INSERT", "UPDATE")}
        for name in (name for name, text in fields if told.get(name) != text):
            yield f"{' '.join(about)}: {name} is not what its chain says"
    for one in evidence["contents"]:
        if hashlib.sha256(_canonical(one["content"])).hexdigest() != one["hash"]:
            yield f"content {one['hash'][:12]}: not what was signed"
    yield from _proofs(evidence, chains, trusted)
    present = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    for name in sorted({*listed, *present} - {"manifest.json"}):
        if name not in present or hashlib.sha256(present[name].read_bytes()).hexdigest() != listed.get(name):
            yield f"{name}: missing, altered or not of this package"


if __name__ == "__main__":
    try:
        keys = [Path(key).read_text().strip() if Path(key).is_file() else key for key in sys.argv[2:3]]
        found = next(_problems(Path(sys.argv[1]), *keys), None)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        found = f"unreadable: {error!r}"
    sys.exit((sys.stdout.write(f"{found or 'OK'}\n"), 1 if found else 0)[1])
