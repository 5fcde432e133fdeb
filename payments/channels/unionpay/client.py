"""UnionPay's gateway: signed forms out, verified answers in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from payments.channels.transport import Transport, Unanswered, checked_url
from payments.channels.unionpay import codes, signing
from payments.channels.unionpay.certificates import Trust
from payments.channels.unionpay.naming import written_time


@dataclass(frozen=True, slots=True)
class Merchant:
    """Who we are to UnionPay. `cert_id` is the serial number of the certificate of `key`, in decimal."""

    mer_id: str
    cert_id: str
    key: RSAPrivateKey


@dataclass(frozen=True, slots=True)
class GatewayAnswer:
    """One answer that UnionPay signed."""

    fields: Mapping[str, str]

    @property
    def code(self) -> str:
        return self.text("respCode")

    @property
    def message(self) -> str:
        return self.text("respMsg")

    def text(self, name: str) -> str:
        return self.fields.get(name, "")


class Gateway:
    """`form` is what the customer's browser posts; `call` asks from here. Both are signed."""

    def __init__(
        self,
        *,
        address: str,
        file_address: str,
        merchant: Merchant,
        trust: Trust,
        timeout_seconds: float,
        clock: Callable[[], datetime],
    ) -> None:
        self._transport = Transport(address, timeout_seconds)
        self._file_address = checked_url(file_address)
        self._merchant = merchant
        self._trust = trust
        self._clock = clock

    def form(self, fields: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        """The address of UnionPay's page, and the signed fields to post there."""
        return f"{self._transport.base_url}/frontTransReq.do", self._signed(fields)

    def do(self, fields: Mapping[str, str]) -> GatewayAnswer:
        """Ask for something to be done. Raises `Unanswered`."""
        return self._about_order("backTransReq.do", fields)

    def find(self, *, order: str, txn_time: str) -> GatewayAnswer:
        """Ask what became of an order. Raises `Unanswered`, also for an answer about another order."""
        asked = {
            "txnType": codes.QUERY,
            "txnSubType": "00",
            "bizType": "000000",
            "orderId": order,
            "txnTime": txn_time,
        }
        return self._about_order("queryTrans.do", asked)

    def file(self, settle_date: str) -> GatewayAnswer:
        """The settlement file of the day MMDD. Raises `Unanswered`."""
        asked = {
            "txnType": codes.FILE,
            "txnSubType": "01",
            "bizType": "000000",
            "txnTime": written_time(self._clock()),
            "settleDate": settle_date,
            "fileType": "00",
        }
        answer = self._call(self._file_address, asked)
        if answer.code == codes.OK and answer.text("settleDate") != settle_date:
            raise Unanswered("UnionPay answered about another day", code="other_day")
        return answer

    def _about_order(self, page: str, fields: Mapping[str, str]) -> GatewayAnswer:
        answer = self._call(f"{self._transport.base_url}/{page}", fields)
        # A signed answer carries no nonce: one that names another order is an old one, played again.
        if any(answer.text(name) != fields[name] for name in ("orderId", "txnTime", "txnType")):
            raise Unanswered("UnionPay answered about something else", code="other_order")
        return answer

    def _signed(self, fields: Mapping[str, str]) -> dict[str, str]:
        ours = {"merId": self._merchant.mer_id, "accessType": "0", **fields}
        return signing.signed(ours, cert_id=self._merchant.cert_id, key=self._merchant.key)

    def _call(self, address: str, fields: Mapping[str, str]) -> GatewayAnswer:
        response = self._transport.send(
            "POST",
            address,
            headers={"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"},
            content=urlencode(self._signed(fields)).encode("ascii"),
        )
        if response.status_code != 200:
            raise Unanswered(f"the gateway answered HTTP {response.status_code}", code="http_error")
        return self._verified(response.content)

    def _verified(self, body: bytes) -> GatewayAnswer:
        try:
            fields = signing.fields_of(body.decode("utf-8"))
        except ValueError as problem:
            raise Unanswered("the gateway's answer can not be read", code="unreadable") from problem
        if not signing.verifies(fields, self._trust):
            raise Unanswered("UnionPay did not sign this answer", code=fields.get("respCode") or "unverified")
        if fields.get("merId") != self._merchant.mer_id:
            raise Unanswered("the answer is another merchant's", code="other_merchant")
        return GatewayAnswer(fields)
