"""The bank's API: a bearer token, every request signed with a shared secret, camt XML and JSON back."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from json import dumps
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from payments.channels.bank.reports import Entry, Report, read_report
from payments.channels.shared_secret import header, json_object
from payments.channels.transport import Transport, Unanswered

_MOST_PAGES: Final = 200
_UNDERSTOOD: Final = range(200, 500)


@dataclass(frozen=True, slots=True)
class BankAnswer:
    status: int
    fields: Mapping[str, Any]

    @property
    def ok(self) -> bool:
        return self.status == 200

    def text(self, name: str) -> str:
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""


class Bank:
    def __init__(
        self,
        *,
        address: str,
        account: str,
        token: str,
        secret: str,
        timeout_seconds: float,
        clock: Callable[[], datetime],
    ) -> None:
        self._transport = Transport(address, timeout_seconds)
        self.account = account
        self._token = token
        self._secret = secret
        self._clock = clock

    def entries(self, since: date) -> Iterator[Entry]:
        """Every line of the account booked since that day, or waiting to be. Raises `Unanswered`."""
        after = ""
        for _ in range(_MOST_PAGES):
            page = urlencode({"from": since.isoformat(), "after": after})
            report = self._report(f"/v1/accounts/{quote(self.account)}/intraday?{page}")
            yield from report.entries
            if report.is_last or not report.entries:
                return
            after = report.entries[-1].name
        raise Unanswered("the account has more lines than can be looked through", code="too_many_lines")

    def statement(self, day: date) -> tuple[bytes, str]:
        """The day's camt.053 and "", or no content and the bank's word for why. Raises `Unanswered`."""
        status, content = self._send(
            "GET", f"/v1/accounts/{quote(self.account)}/statements/{day.isoformat()}"
        )
        if status != 200:
            return b"", BankAnswer(status, _object(content)).text("code")
        self._checked(content)
        return content, ""

    def order(self, content: Mapping[str, Any]) -> BankAnswer:
        """Send money. Raises `Unanswered`."""
        status, answer = self._send("POST", "/v1/orders", dumps(content, ensure_ascii=False).encode("utf-8"))
        return BankAnswer(status, _object(answer))

    def order_status(self, end_to_end_id: str) -> BankAnswer:
        status, answer = self._send("GET", f"/v1/orders/{quote(end_to_end_id, safe='')}")
        return BankAnswer(status, _object(answer))

    def _report(self, page: str) -> Report:
        status, content = self._send("GET", page)
        if status != 200:
            raise Unanswered(f"the bank answered HTTP {status}", code="refused")
        return self._checked(content)

    def _checked(self, content: bytes) -> Report:
        try:
            report = read_report(content)
        except ValueError as problem:
            raise Unanswered(f"the bank's report can not be read: {problem}", code="unreadable") from problem
        if report.account != self.account:
            raise Unanswered("the report is another account's", code="other_account")
        return report

    def _send(self, method: str, page: str, content: bytes = b"") -> tuple[int, bytes]:
        address = f"{self._transport.base_url}{page}"
        parts = urlsplit(address)
        asked = f"{method} {parts.path}?{parts.query} {sha256(content).hexdigest()}"
        response = self._transport.send(
            method,
            address,
            headers={
                "Authorization": f"Bearer {self._token}",
                "Request-Signature": header(
                    self._secret, int(self._clock().timestamp()), asked.encode("utf-8")
                ),
                "Content-Type": "application/json",
            },
            content=content,
        )
        if response.status_code not in _UNDERSTOOD:
            raise Unanswered(f"the bank answered HTTP {response.status_code}", code="http_error")
        return response.status_code, response.content


def _object(content: bytes) -> dict[str, Any]:
    try:
        return json_object(content)
    except ValueError as problem:
        raise Unanswered("the bank's answer can not be read", code="unreadable") from problem
