"""The generic profile's gateway: signed JSON out, verified JSON in."""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from ledger.money import Money
from payments.channels.ecny import codes, signing
from payments.channels.transport import Transport, Unanswered


@dataclass(frozen=True, slots=True)
class GatewayAnswer:
    """One answer that the gateway signed, to the question that was just asked."""

    fields: Mapping[str, Any]

    @property
    def ok(self) -> bool:
        return self.code == codes.OK

    @property
    def code(self) -> str:
        return self.text("code")

    @property
    def message(self) -> str:
        return self.text("message")

    def text(self, name: str) -> str:
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""


class Gateway:
    def __init__(
        self,
        *,
        address: str,
        mch_id: str,
        key: RSAPrivateKey,
        verifier: signing.Verifier,
        timeout_seconds: float,
        clock: Callable[[], datetime],
    ) -> None:
        self._transport = Transport(address, timeout_seconds)
        self._mch_id = mch_id
        self._key = key
        self._verifier = verifier
        self._clock = clock

    def call(self, page: str, content: Mapping[str, Any]) -> GatewayAnswer:
        """The verified answer. Raises `Unanswered`, also for what the gateway did not sign just now."""
        nonce = secrets.token_hex(16)
        common = {
            "mch_id": self._mch_id,
            "pay_way": "ECNY",
            "nonce": nonce,
            "timestamp": int(self._clock().timestamp()),
        }
        response = self._transport.send(
            "POST",
            f"{self._transport.base_url}{page}",
            headers={"Content-Type": "application/json"},
            content=json.dumps(signing.signed({**common, **content}, self._key), ensure_ascii=False).encode(
                "utf-8"
            ),
        )
        if response.status_code != 200:
            raise Unanswered(f"the gateway answered HTTP {response.status_code}", code="http_error")
        try:
            fields = object_of(response.content)
        except ValueError as problem:
            raise Unanswered("the gateway's answer can not be read", code="unreadable") from problem
        if refusal := signing.checked(self._verifier, fields):
            raise Unanswered(str(refusal), code=refusal.code)
        if fields.get("nonce") != nonce or fields.get("mch_id") != self._mch_id:
            raise Unanswered("the answer is another question's", code="other_question")
        return GatewayAnswer(fields)


def object_of(body: bytes) -> dict[str, Any]:
    """The JSON object with distinct names. Raises `ValueError`."""
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_distinct, parse_constant=_no_number)
    except RecursionError as problem:
        raise ValueError("nested too deeply") from problem
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def money_of(fields: Mapping[str, Any], name: str) -> Money:
    """The sum in fen under `name`. Raises `ValueError`."""
    minor = fields.get(name)
    if type(minor) is not int or minor < 0:
        raise ValueError(f"without a readable {name}")
    return Money(minor, str(fields.get("currency", "")))


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is repeated")
    return found


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number")
