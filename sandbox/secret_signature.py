"""What providers sign with a secret they share with one merchant: `t=…,v1=…` over "time.content"."""

import hmac
from hashlib import sha256

_SKEW_SECONDS = 300


def signed(secret: str, stamp: int, content: bytes) -> str:
    digest = hmac.new(secret.encode("utf-8"), f"{stamp}.".encode() + content, sha256).hexdigest()
    return f"t={stamp},v1={digest}"


def is_signed(given: str, content: bytes, *, secret: str, now: float) -> bool:
    stamp = given.partition(",")[0].removeprefix("t=")
    if (
        not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12)
        or abs(now - int(stamp)) > _SKEW_SECONDS
    ):
        return False
    return hmac.compare_digest(
        signed(secret, int(stamp), content).encode(), given.encode("latin-1", "replace")
    )
