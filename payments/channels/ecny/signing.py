"""The generic profile's signature: RSA2 over the sorted fields, both ways. See docs/channels/ecny.md."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from payments.channels import rsa
from payments.channels.contract import InvalidSignature, NoticeRefused, StaleNotice

_FRESH_SECONDS: Final = 300
Fields = Mapping[str, Any]


def signed_text(fields: Fields) -> bytes:
    """Every field that has a value, except `sign`, sorted by name: `k=v&k=v`, whole numbers in decimal."""
    pairs = [
        f"{name}={value}"
        for name, value in sorted(fields.items())
        if name != "sign" and value not in ("", None)
    ]
    return "&".join(pairs).encode("utf-8")


def signed(fields: Fields, key: RSAPrivateKey) -> dict[str, Any]:
    """The fields that have a value, and their `sign`."""
    sent = {name: value for name, value in fields.items() if value not in ("", None)}
    sent["sign_type"] = "RSA2"
    return {**sent, "sign": rsa.sign(key, signed_text(sent))}


class Verifier:
    """Whether the gateway said something, and said it now. Several keys are believed while it changes its own."""

    def __init__(self, keys: Mapping[str, RSAPublicKey], clock: Callable[[], datetime]) -> None:
        self._keys = dict(keys)
        self._clock = clock

    def check(self, fields: Fields) -> None:
        """Raises `InvalidSignature`, `StaleNotice`."""
        key = self._keys.get(str(fields.get("key_id", "")))
        if key is None or fields.get("sign_type") != "RSA2" or not _is_flat(fields):
            raise InvalidSignature("not signed with a key of the gateway's")
        if not rsa.verifies(key, signed_text(fields), str(fields.get("sign", ""))):
            raise InvalidSignature("the gateway did not sign this")
        said_at = fields.get("timestamp")
        if not isinstance(said_at, int) or abs(self._clock().timestamp() - said_at) > _FRESH_SECONDS:
            raise StaleNotice("said too long ago, or in the future")


def checked(verifier: Verifier, fields: Fields) -> NoticeRefused | None:
    """The reason not to believe these fields, if there is one."""
    try:
        verifier.check(fields)
    except NoticeRefused as refusal:
        return refusal
    return None


def _is_flat(fields: Fields) -> bool:
    """Texts and whole numbers only: of anything else two writings could bear one signature."""
    return all(type(value) in (str, int) for value in fields.values())
