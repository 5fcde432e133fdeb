"""Anchors: where the audit chain's head was on a day, told outside the database, one signed line each.

Whoever holds the key can write the whole chain anew; not what has left the machine before.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings

from ledger import sealing

_NAME = "audit-anchors.jsonl"
_LONGEST_LINE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """`previous` is the signature of the line before, so that a line taken out shows."""

    day: str  # of `at`, in UTC
    at: str
    sequence: int
    hash: str
    previous: str
    key: str
    signature: str = ""

    @property
    def text(self) -> str:
        """What the signature covers."""
        return _as_json({**asdict(self), "signature": ""})

    @property
    def line(self) -> str:
        return _as_json(asdict(self))

    def is_genuine(self) -> bool:
        key = sealing.known().get(self.key)
        return key is not None and sealing.is_signed(self.text, self.signature, key)


def directory() -> Path:
    return Path(settings.AUDIT_ANCHOR_DIR)


def read(folder: Path) -> Iterator[tuple[int, Anchor | None]]:
    """The lines with their numbers, oldest first; None for one that is no anchor."""
    path = folder / _NAME
    if path.is_file():
        with path.open("rb") as lines:
            yield from _read(lines)


def last(folder: Path) -> Anchor | None:
    found = None
    for _, anchor in read(folder):
        found = anchor or found
    return found


def append(folder: Path, *, at: datetime, sequence: int, digest: str) -> Anchor | None:
    """Add the day's line, and see it on the disk; None when the day has one. One writer at a time."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(folder / _NAME, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "r+b", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        before = _last_of(file)
        day = at.date().isoformat()
        if before and before.day >= day:
            return None
        anchor = _signed(
            day=day,
            at=at.isoformat(),
            sequence=sequence,
            hash=digest,
            previous=before.signature if before else "",
            key=sealing.current(),
        )
        file.write(f"{anchor.line}\n".encode())
        os.fsync(file.fileno())
    return anchor


def _last_of(file: Any) -> Anchor | None:
    found = None
    for _, anchor in _read(file):
        found = anchor or found
    return found


def _signed(**fields: Any) -> Anchor:
    bare = Anchor(**fields)
    return Anchor(**fields, signature=sealing.sign(bare.text, settings.AUDIT_HMAC_KEY))


def _read(lines: BinaryIO) -> Iterator[tuple[int, Anchor | None]]:
    number = 0
    while line := lines.readline(_LONGEST_LINE):
        number += 1
        yield number, _parsed(line)


def _parsed(line: bytes) -> Anchor | None:
    try:
        told: dict[str, Any] = json.loads(line)
        anchor = Anchor(**told)
    except (ValueError, TypeError):
        return None
    kinds = {name: int if name == "sequence" else str for name in told}
    return anchor if all(type(told[name]) is kind for name, kind in kinds.items()) else None


def _as_json(values: dict[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, separators=(",", ":"))
