"""The keys that sign what must not be forged: AUDIT_HMAC_KEY signs, it and AUDIT_HMAC_OLD_KEYS verify."""

import hashlib
import hmac
from functools import lru_cache

from django.conf import settings


@lru_cache(maxsize=32)
def name_of(key: str) -> str:
    """What a signature calls its key: derived from it, so nobody has to keep names."""
    return hashlib.sha256(f"audit key\n{key}".encode()).hexdigest()[:8]


def current() -> str:
    return name_of(settings.AUDIT_HMAC_KEY)


def known() -> dict[str, str]:
    """Name → key, of all that verify."""
    return {name_of(key): key for key in (settings.AUDIT_HMAC_KEY, *settings.AUDIT_HMAC_OLD_KEYS)}


def sign(text: str, key: str) -> str:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def is_signed(text: str, signature: str, key: str) -> bool:
    return hmac.compare_digest(sign(text, key), signature)
