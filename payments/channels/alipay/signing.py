"""What Alipay signs, as text: requests, notifications, and answers as their raw characters."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from payments.channels import rsa
from payments.channels.alipay.keys import KeyRing

SIGN_TYPE = "RSA2"

_DECODER = json.JSONDecoder(parse_float=Decimal)
_SPACE = " \t\r\n"


class MalformedAnswer(ValueError):
    """The text is not one JSON object with distinct member names."""


def request_text(parameters: Mapping[str, str]) -> str:
    """Every parameter that has a value, except `sign`, sorted by name, not URL-encoded."""
    return _joined({name: value for name, value in parameters.items() if name != "sign"})


def notice_text(fields: Mapping[str, str]) -> str:
    """As `request_text`, but `sign_type` is left out too: the rule for trade notifications."""
    return _joined({name: value for name, value in fields.items() if name not in ("sign", "sign_type")})


def signed(parameters: Mapping[str, str], key: RSAPrivateKey) -> dict[str, str]:
    """The parameters that have a value, and their `sign`."""
    sent = {name: value for name, value in parameters.items() if value}
    return {**sent, "sign": rsa.sign(key, request_text(sent).encode("utf-8"))}


def notice_verifies(fields: Mapping[str, str], key_ring: KeyRing) -> bool:
    """Whether Alipay signed exactly these fields. Any other algorithm than RSA2 is a forgery to us."""
    if fields.get("sign_type") != SIGN_TYPE:
        return False
    text = notice_text(fields).encode("utf-8")
    return key_ring.verifies(text, fields.get("sign", ""), fields.get("alipay_cert_sn", ""))


def members(raw: str) -> dict[str, tuple[Any, str]]:
    """Each member of the JSON object `raw`: its value, and its characters exactly as they were received.

    Alipay signs those characters; serialising the value again would lose `\\/`, spacing and order, and counting
    braces would trip over a brace inside a value. Raises `MalformedAnswer`.
    """
    found: dict[str, tuple[Any, str]] = {}
    position = _expect(raw, _skip(raw, 0), "{")
    while True:
        name, position = _decode(raw, _skip(raw, position))
        if not isinstance(name, str) or name in found:
            raise MalformedAnswer("a member's name is missing or repeated")
        start = _skip(raw, _expect(raw, _skip(raw, position), ":"))
        value, position = _decode(raw, start)
        found[name] = (value, raw[start:position])
        position = _skip(raw, position)
        if raw[position : position + 1] != ",":
            break
        position += 1
    if raw[_expect(raw, position, "}") :].strip(_SPACE):
        raise MalformedAnswer("characters after the object")
    return found


def _joined(fields: Mapping[str, str]) -> str:
    return "&".join(f"{name}={value}" for name, value in sorted(fields.items()) if value)


def _decode(raw: str, position: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(raw, position)
    except (ValueError, ArithmeticError, RecursionError) as problem:
        raise MalformedAnswer("not JSON") from problem


def _skip(raw: str, position: int) -> int:
    while raw[position : position + 1] and raw[position] in _SPACE:
        position += 1
    return position


def _expect(raw: str, position: int, character: str) -> int:
    if raw[position : position + 1] != character:
        raise MalformedAnswer(f"{character!r} expected at {position}")
    return position + 1
