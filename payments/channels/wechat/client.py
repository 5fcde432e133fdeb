"""WeChat Pay's v3 API: signed requests out, answers verified over their raw bytes in."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from payments.channels.contract import NoticeRefused
from payments.channels.transport import Transport, Unanswered
from payments.channels.wechat.signing import Signer, Verifier


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """One answer that WeChat Pay signed."""

    status: int
    fields: Mapping[str, Any]

    @property
    def ok(self) -> bool:
        return self.status in (200, 204)

    @property
    def code(self) -> str:
        return text_of(self.fields, "code")

    @property
    def message(self) -> str:
        return text_of(self.fields, "message")


class Api:
    def __init__(self, *, transport: Transport, signer: Signer, verifier: Verifier, key_id: str) -> None:
        self._transport = transport
        self._signer = signer
        self._verifier = verifier
        self._key_id = key_id
        parts = urlsplit(transport.base_url)
        self._origin, self._prefix = f"{parts.scheme}://{parts.netloc}", parts.path

    def call(self, method: str, target: str, content: Mapping[str, Any] | None = None) -> ApiAnswer:
        """The verified answer; `target` is path and query. Raises `Unanswered`, also for 5xx."""
        target = self._prefix + target
        body = b"" if content is None else json.dumps(content, ensure_ascii=False).encode("utf-8")
        headers = {
            "Authorization": self._signer.authorization(method, target, body),
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "User-Agent": "smart-checkout",
            "Wechatpay-Serial": self._key_id,
        }
        response = self._transport.send(method, self._origin + target, headers=headers, content=body)
        raw = response.content
        try:
            self._verifier.check({name.lower(): value for name, value in response.headers.items()}, raw)
        except NoticeRefused as refusal:
            raise Unanswered(f"the answer does not verify: {refusal}", code=refusal.code) from refusal
        answer = ApiAnswer(response.status_code, _object(raw) if raw else {})
        if answer.status >= 500:
            raise Unanswered(answer.message or f"HTTP {answer.status}", code=answer.code or "http_error")
        return answer


def text_of(fields: Mapping[str, Any], name: str) -> str:
    """The text or number under `name`, as text; empty when there is none."""
    value = fields.get(name)
    return str(value) if isinstance(value, str | int) else ""


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw.decode("utf-8"), parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as problem:
        raise Unanswered("the answer can not be read", code="unreadable") from problem
    if not isinstance(value, dict):
        raise Unanswered("the answer is no object", code="unreadable")
    return value
