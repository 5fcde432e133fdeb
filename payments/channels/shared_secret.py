"""Messages that a provider signs with a secret we share: HMAC-SHA256 over "time.body", `t=…,v1=…` in a header.

Several secrets are believed while one replaces another. What arrives more than five minutes late, or early, is stale.
"""

import hmac
import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from payments.channels.contract import InvalidSignature, MalformedNotice, StaleNotice

_FRESH_SECONDS: Final = 300
_LONGEST: Final = 64 * 1024
_HEADER: Final = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})(?:,v1=([0-9a-f]{64}))?")


def signature(secret: str, stamp: int, content: bytes) -> str:
    return hmac.new(secret.encode("utf-8"), b"%d." % stamp + content, sha256).hexdigest()


def header(secret: str, stamp: int, content: bytes) -> str:
    return f"t={stamp},v1={signature(secret, stamp, content)}"


def check(header: str, content: bytes, *, secrets: Sequence[str], clock: Callable[[], datetime]) -> None:
    """Raises `InvalidSignature`, `StaleNotice`, and `MalformedNotice` for what is too long to be one."""
    if len(content) > _LONGEST:
        raise MalformedNotice("longer than any notice")
    found = _HEADER.fullmatch(header)
    if found is None:
        raise InvalidSignature("no signature that can be read")
    stamp, given = int(found[1]), [one for one in found.groups()[1:] if one]
    expected = [signature(secret, stamp, content) for secret in secrets]
    if not any(hmac.compare_digest(ours, theirs) for ours in expected for theirs in given):
        raise InvalidSignature("not signed with a secret that we share")
    if abs(int(clock().timestamp()) - stamp) > _FRESH_SECONDS:
        raise StaleNotice("said too long ago, or in the future")


def json_object(content: bytes) -> dict[str, Any]:
    """Raises `ValueError`."""
    try:
        value = json.loads(content.decode("utf-8"))
    except RecursionError as problem:
        raise ValueError("nested too deeply") from problem
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value
