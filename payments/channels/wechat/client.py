"""WeChat Pay's v3 API: signed requests out, answers verified over their raw bytes in."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import httpx

from payments.channels.contract import NoticeRefused
from payments.channels.transport import Transport, Unanswered, checked_url
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


class Line:
    """Signed requests of one merchant; who wrote what comes back is for the caller to check."""

    def __init__(self, transport: Transport, signer: Signer) -> None:
        self._transport = transport
        self._signer = signer
        parts = urlsplit(transport.base_url)
        self._origin, self._prefix = f"{parts.scheme}://{parts.netloc}", parts.path

    def send(self, method: str, target: str, body: bytes = b"", *, key_id: str = "") -> httpx.Response:
        """`target` is path and query behind the base address. Raises `Unanswered`."""
        return self._send(method, self._origin, self._prefix + target, body, key_id)

    def fetch(self, address: str) -> bytes:
        """The file behind an address that WeChat Pay gave; nobody signs it. Raises `Unanswered`."""
        try:
            parts = urlsplit(checked_url(address))
        except ValueError as problem:
            raise Unanswered("the address can not be used", code="unreadable") from problem
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        response = self._send("GET", f"{parts.scheme}://{parts.netloc}", target, b"", "")
        if response.status_code != 200:
            raise Unanswered(f"the file's address answered HTTP {response.status_code}", code="http_error")
        return response.content

    def _send(self, method: str, origin: str, target: str, body: bytes, key_id: str) -> httpx.Response:
        headers = {
            "Authorization": self._signer.authorization(method, target, body),
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "User-Agent": "smart-checkout",
        }
        if key_id:
            headers["Wechatpay-Serial"] = key_id
        return self._transport.send(method, origin + target, headers=headers, content=body)


class Api:
    """`key_id` names the key that answers are best signed with, as far as one is known."""

    def __init__(self, *, line: Line, verifier: Verifier, key_id: Callable[[], str]) -> None:
        self._line = line
        self._verifier = verifier
        self._key_id = key_id

    def call(
        self, method: str, target: str, content: Mapping[str, Any] | None = None, *, key_id: str = ""
    ) -> ApiAnswer:
        """The verified answer; `target` is path and query. Raises `Unanswered`, also for 5xx."""
        body = b"" if content is None else json.dumps(content, ensure_ascii=False).encode("utf-8")
        response = self._line.send(method, target, body, key_id=key_id or self._key_id())
        check(response, self._verifier)
        answer = ApiAnswer(response.status_code, read_object(response.content) if response.content else {})
        if answer.status >= 500:
            raise Unanswered(answer.message or f"HTTP {answer.status}", code=answer.code or "http_error")
        return answer

    def fetch(self, address: str) -> bytes:
        """The file behind an address that WeChat Pay gave; nobody signs it. Raises `Unanswered`."""
        return self._line.fetch(address)


def check(response: httpx.Response, verifier: Verifier) -> None:
    """Raises `Unanswered` unless WeChat Pay signed the answer."""
    try:
        verifier.check({name.lower(): value for name, value in response.headers.items()}, response.content)
    except NoticeRefused as refusal:
        raise Unanswered(f"the answer does not verify: {refusal}", code=refusal.code) from refusal


def text_of(fields: Mapping[str, Any], name: str) -> str:
    """The text or number under `name`, as text; empty when there is none."""
    value = fields.get(name)
    return str(value) if isinstance(value, str | int) else ""


def read_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in `raw`. Raises `Unanswered`."""
    try:
        value = json.loads(raw.decode("utf-8"), parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as problem:
        raise Unanswered("the answer can not be read", code="unreadable") from problem
    if not isinstance(value, dict):
        raise Unanswered("the answer is no object", code="unreadable")
    return value
