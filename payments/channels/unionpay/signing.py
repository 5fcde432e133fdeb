"""What UnionPay signs, as text, and its answers as they come: fields joined by `&`, their values not encoded."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from payments.channels import rsa
from payments.channels.unionpay.certificates import Distrusted, Trust

VERSION: Final = "5.1.0"
_RSA: Final = "01"


class MalformedAnswer(ValueError):
    """The text is not a list of distinct fields."""


def signed_text(fields: Mapping[str, str]) -> bytes:
    """The lower-case SHA-256 of every field that has a value, except `signature`, sorted by name.

    It is this text, and not what it was made from, that RSA signs.
    """
    joined = "&".join(
        f"{name}={value}" for name, value in sorted(fields.items()) if value and name != "signature"
    )
    return sha256(joined.encode("utf-8")).hexdigest().encode("ascii")


def signed(fields: Mapping[str, str], *, cert_id: str, key: RSAPrivateKey) -> dict[str, str]:
    """The fields that have a value, in the version and by the method that are spoken here, and their signature."""
    spoken = {**fields, "version": VERSION, "encoding": "UTF-8", "signMethod": _RSA, "certId": cert_id}
    sent = {name: value for name, value in spoken.items() if value}
    return {**sent, "signature": rsa.sign(key, signed_text(sent))}


def verifies(fields: Mapping[str, str], trust: Trust) -> bool:
    """Whether UnionPay signed exactly these fields. Another version or method is a forgery to us."""
    if fields.get("version") != VERSION or fields.get("signMethod") != _RSA:
        return False
    try:
        key = trust.key_of(fields.get("signPubKeyCert", ""))
    except Distrusted:
        return False
    return rsa.verifies(key, signed_text(fields), fields.get("signature", ""))


def fields_of(raw: str) -> dict[str, str]:
    """The fields of one answer. Raises `MalformedAnswer`."""
    found: dict[str, str] = {}
    for part in raw.strip().split("&"):
        name, equals, value = part.partition("=")
        if not name or not equals or name in found:
            raise MalformedAnswer("a field is without name or value, or repeated")
        found[name] = value
    return found
