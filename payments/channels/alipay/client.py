"""Alipay's RSA2 gateway: signed calls and signed addresses out, verified answers in."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from payments.channels.alipay import codes, signing
from payments.channels.alipay.keys import KeyRing
from payments.channels.transport import Transport, Unanswered, checked_url

ALIPAY_TIME = timezone(timedelta(hours=8))
_TIME_FORMAT = "%Y-%m-%d %H:%M:%S"


def written_time(moment: datetime) -> str:
    """`moment` as Alipay writes it: GMT+8, whole seconds."""
    return moment.astimezone(ALIPAY_TIME).strftime(_TIME_FORMAT)


def read_time(text: object) -> datetime | None:
    """The moment that Alipay wrote, or None when it wrote none that can be read."""
    try:
        return datetime.strptime(str(text)[:19], _TIME_FORMAT).replace(tzinfo=ALIPAY_TIME)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class GatewayAnswer:
    """One answer that Alipay signed."""

    fields: Mapping[str, Any]

    @property
    def ok(self) -> bool:
        return self.fields.get("code") == codes.OK

    @property
    def code(self) -> str:
        """The finest code there is."""
        return self.text("sub_code") or self.text("code")

    @property
    def message(self) -> str:
        return self.text("sub_msg") or self.text("msg")

    def text(self, name: str) -> str:
        value = self.fields.get(name)
        return str(value) if isinstance(value, str | int | Decimal) else ""


class Gateway:
    """`call` asks the gateway; `address` builds a page for the customer to open. Both are signed.

    `certificates` are the numbers that certificate mode sends along; empty otherwise.
    """

    def __init__(
        self,
        *,
        address: str,
        app_id: str,
        app_private_key: RSAPrivateKey,
        key_ring: KeyRing,
        certificates: Mapping[str, str],
        timeout_seconds: float,
        clock: Callable[[], datetime],
    ) -> None:
        self._transport = Transport(address, timeout_seconds)
        self._app_id = app_id
        self._app_private_key = app_private_key
        self._key_ring = key_ring
        self._certificates = certificates
        self._clock = clock

    def address(self, method: str, content: Mapping[str, str], *, notify_url: str, return_url: str) -> str:
        """The signed address of one of Alipay's own pages."""
        parameters = self._signed(method, content, notify_url=notify_url, return_url=return_url)
        return f"{self._transport.base_url}?{urlencode(parameters)}"

    def call(self, method: str, content: Mapping[str, str], *, notify_url: str = "") -> GatewayAnswer:
        """The verified answer to one call. Raises `Unanswered`, also for what Alipay did not sign."""
        parameters = self._signed(method, content, notify_url=notify_url)
        body = urlencode({"biz_content": parameters.pop("biz_content")}).encode("ascii")
        response = self._transport.send(
            "POST",
            f"{self._transport.base_url}?{urlencode(parameters)}",
            headers={"Content-Type": "application/x-www-form-urlencoded;charset=utf-8"},
            content=body,
        )
        if response.status_code != 200:
            raise Unanswered(f"the gateway answered HTTP {response.status_code}", code="http_error")
        return GatewayAnswer(self._verified(method, response.content))

    def download(self, address: str) -> bytes:
        """What lies behind an address that Alipay gave; nothing signs it. Raises `Unanswered`."""
        try:
            checked = checked_url(address)
        except ValueError as problem:
            raise Unanswered("the address can not be used", code="unreadable") from problem
        response = self._transport.send("GET", checked, headers={"Accept-Encoding": "identity"})
        if response.status_code != 200:
            raise Unanswered(f"the file's address answered HTTP {response.status_code}", code="http_error")
        return response.content

    def _signed(self, method: str, content: Mapping[str, str], **addresses: str) -> dict[str, str]:
        parameters = {
            "app_id": self._app_id,
            "method": method,
            "format": "JSON",
            "charset": "utf-8",
            "sign_type": signing.SIGN_TYPE,
            "timestamp": written_time(self._clock()),
            "version": "1.0",
            **self._certificates,
            "biz_content": json.dumps(dict(content), ensure_ascii=False, separators=(",", ":")),
            **addresses,
        }
        return signing.signed(parameters, self._app_private_key)

    def _verified(self, method: str, body: bytes) -> dict[str, Any]:
        try:
            answer = signing.members(body.decode("utf-8"))
        except ValueError as problem:
            raise Unanswered("the gateway's answer can not be read", code="unreadable") from problem
        fields, text = answer.get(method.replace(".", "_") + "_response", (None, ""))
        signature, _ = answer.get("sign", ("", ""))
        if not isinstance(fields, dict) or not isinstance(signature, str):
            raise Unanswered("the gateway refused without a signature", code=_claimed(answer))
        serial, _ = answer.get("alipay_cert_sn", ("", ""))
        if not self._key_ring.verifies(text.encode("utf-8"), signature, str(serial)):
            raise Unanswered("the answer's signature does not verify", code=_claimed(answer) or "unverified")
        return fields


def _claimed(answer: Mapping[str, tuple[Any, str]]) -> str:
    for value, _ in answer.values():
        if isinstance(value, dict):
            return str(value.get("sub_code") or value.get("code") or "")[:64]
    return ""
