"""The processor's API: JSON both ways, a bearer key, TLS."""

from collections.abc import Mapping
from dataclasses import dataclass
from json import dumps
from typing import Any, Final
from urllib.parse import quote

from payments.channels.shared_secret import json_object
from payments.channels.transport import Transport, Unanswered

_UNDERSTOOD: Final = range(200, 500)


@dataclass(frozen=True, slots=True)
class ProcessorAnswer:
    status: int
    fields: Mapping[str, Any]

    @property
    def ok(self) -> bool:
        return self.status in (200, 201)

    def text(self, name: str) -> str:
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""


class Processor:
    def __init__(self, *, address: str, store: str, api_key: str, timeout_seconds: float) -> None:
        self._transport = Transport(address, timeout_seconds)
        self.store = store
        self._api_key = api_key

    def create(self, key: str, content: Mapping[str, Any]) -> ProcessorAnswer:
        """The invoice of this reference: a new one, or the same again. Raises `Unanswered`, as all do."""
        return self._call("POST", "", key=key, content=content)

    def invoice(self, reference: str) -> ProcessorAnswer:
        return self._call("GET", f"/{quote(reference, safe='')}")

    def cancel(self, key: str, reference: str) -> ProcessorAnswer:
        return self._call("POST", f"/{quote(reference, safe='')}/cancel", key=key, content={})

    def refund(self, key: str, reference: str, content: Mapping[str, Any]) -> ProcessorAnswer:
        return self._call("POST", f"/{quote(reference, safe='')}/refunds", key=key, content=content)

    def refund_status(self, reference: str, refund: str) -> ProcessorAnswer:
        return self._call("GET", f"/{quote(reference, safe='')}/refunds/{quote(refund, safe='')}")

    def _call(
        self, method: str, page: str, *, key: str = "", content: Mapping[str, Any] | None = None
    ) -> ProcessorAnswer:
        headers = {"Authorization": f"Bearer {self._api_key}", "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        response = self._transport.send(
            method,
            f"{self._transport.base_url}/v1/stores/{quote(self.store, safe='')}/invoices{page}",
            headers=headers,
            content=dumps(content, ensure_ascii=False).encode("utf-8") if content is not None else b"",
        )
        if response.status_code not in _UNDERSTOOD:
            raise Unanswered(f"the processor answered HTTP {response.status_code}", code="http_error")
        try:
            return ProcessorAnswer(response.status_code, json_object(response.content))
        except ValueError as problem:
            raise Unanswered("the processor's answer can not be read", code="unreadable") from problem
