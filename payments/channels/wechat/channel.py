"""WeChat Pay v3: a QR code (native) for desktops, WeChat's page (h5) for phones, parameters for the bridge of its own
browser (JSAPI), refunds and bills. Fen, CNY only.

WeChat Pay has the order from the first request on, so an unpaid one can always be closed: 204 means that nobody can
pay it any more. An order that is not known was never answered with a code, so nobody can pay it either.
`time_expire` ends the time to pay but closes nothing: an expired order stays NOTPAY until it is closed.

A refund that is ABNORMAL has left our balance and has not reached the customer, whose bank would not take it. It is
neither over nor failed: it stays PENDING, with a code and a message for a person, until `finish_abnormal_refund`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final
from urllib.parse import quote

from payments.channels import rsa
from payments.channels.contract import (
    Acknowledgement,
    ActionKind,
    Advice,
    Answer,
    Capability,
    Instrument,
    InstrumentUnknown,
    MovementRequest,
    NextAction,
    Notice,
    NoticeRefused,
    Outcome,
    StartRequest,
    Statement,
)
from payments.channels.transport import Transport, Unanswered
from payments.channels.wechat import bills, codes, notices
from payments.channels.wechat.client import Api, ApiAnswer, Line, text_of
from payments.channels.wechat.platform_keys import PlatformKeys
from payments.channels.wechat.signing import Signer, Verifier, encrypted

_CURRENCY: Final = "CNY"
_CODE_LIVES: Final = timedelta(hours=2)
_BEIJING: Final = timezone(timedelta(hours=8))
_TRANSACTIONS: Final = "/v3/pay/transactions"
_REFUNDS: Final = "/v3/refund/domestic/refunds"


def from_settings(settings: Mapping[str, Any]) -> "WechatChannel":
    """The channel that `settings` (the WECHAT group, `timeout_seconds`, `clock`) describes.

    Raises `ValueError` for a missing or malformed setting, a key that is not RSA, or plain http to another machine.
    """
    certified = bool(settings.get("platform_certificates"))
    names = "api_base appid mchid merchant_serial merchant_private_key_file api_v3_key".split()
    for name in names if certified else [*names, "platform_keys"]:
        if not settings.get(name):
            raise ValueError(f"WECHAT[{name!r}] is empty: set it, or take wechat out of the payment methods")
    api_v3_key = settings["api_v3_key"].encode("utf-8")
    if len(api_v3_key) != 32:
        raise ValueError("WECHAT['api_v3_key'] must have 32 bytes")
    clock: Callable[[], datetime] = settings.get("clock") or (lambda: datetime.now(UTC))
    named = dict(_named_key(text) for text in settings.get("platform_keys") or ())
    merchant_key = rsa.read_private_key(settings["merchant_private_key_file"])
    signer = Signer(settings["mchid"], settings["merchant_serial"], merchant_key, clock)
    line = Line(Transport(settings["api_base"], settings["timeout_seconds"]), signer)
    keys = PlatformKeys(
        {name: rsa.read_public_key(path) for name, path in named.items()},
        line=line if certified else None,
        api_v3_key=api_v3_key,
        clock=clock,
    )
    verifier = Verifier(keys.find, clock)
    return WechatChannel(
        api=Api(line=line, verifier=verifier, key_id=keys.newest_name),
        reader=notices.Reader(settings["appid"], settings["mchid"], api_v3_key, verifier),
        signer=signer,
        keys=keys,
        appid=settings["appid"],
        mchid=settings["mchid"],
        clock=clock,
    )


def _named_key(text: str) -> tuple[str, str]:
    serial, equals, path = text.partition("=")
    if not (serial and equals and path):
        raise ValueError(f"WECHAT['platform_keys']: {text!r} is not SERIAL=/path/to.pem")
    return serial.strip(), path.strip()


@dataclass(frozen=True, slots=True)
class BankCard:
    """Where an abnormal refund goes instead. `bank` is WeChat Pay's code of the bank (ICBC_DEBIT)."""

    bank: str
    account: str = field(repr=False)
    name: str = field(repr=False)


class WechatChannel:
    code = "wechat"
    capabilities = frozenset(
        {
            Capability.CLOSE,
            Capability.REFUND,
            Capability.PARTIAL_REFUND,
            Capability.QR,
            Capability.REDIRECT,
            Capability.IN_APP,
            Capability.STATEMENT,
            Capability.ABNORMAL_REFUND,
        }
    )
    statement_kinds = bills.KINDS

    def __init__(
        self,
        *,
        api: Api,
        reader: notices.Reader,
        signer: Signer,
        keys: PlatformKeys,
        appid: str,
        mchid: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._api = api
        self._reader = reader
        self._signer = signer
        self._keys = keys
        self._appid = appid
        self._mchid = mchid
        self._clock = clock

    def describe_instrument(self, token: str) -> Instrument:
        raise InstrumentUnknown("WeChat Pay has no card tokens")

    def start(self, request: StartRequest) -> Answer:
        if refusal := self._refusal(request):
            return refusal
        product, more = self._product(request)
        try:
            answer = self._api.call("POST", f"{_TRANSACTIONS}/{product}", {**self._order(request), **more})
        except Unanswered as unanswered:
            return _unknown(unanswered)
        if not answer.ok:
            return _looked_up(answer, codes.START)
        return {"h5": self._page, "jsapi": self._bridge, "native": self._code}[product](request, answer)

    def query(self, request: MovementRequest) -> Answer:
        target = f"{_TRANSACTIONS}/out-trade-no/{quote(request.reference, safe='')}?mchid={self._mchid}"
        try:
            answer = self._api.call("GET", target)
        except Unanswered as unanswered:
            return _unknown(unanswered)
        if not answer.ok:
            missing = answer.status == 404 and answer.code in codes.NOT_FOUND
            return _refused(answer, Outcome.NOT_FOUND if missing else Outcome.UNKNOWN)
        if not self._is_about(answer, request.reference):
            return _other_order()
        try:
            return notices.trade_answer(answer.fields)
        except ValueError as problem:
            return Answer(Outcome.UNKNOWN, code="unreadable", message=str(problem))

    def capture(self, request: MovementRequest) -> Answer:
        return Answer(Outcome.ERRORED, code="not_supported", message="WeChat Pay takes the money at once")

    def void(self, request: MovementRequest) -> Answer:
        target = f"{_TRANSACTIONS}/out-trade-no/{quote(request.reference, safe='')}/close"
        try:
            answer = self._api.call("POST", target, {"mchid": self._mchid})
        except Unanswered as unanswered:
            return _unknown(unanswered)
        if answer.status == 204:
            return Answer(Outcome.CANCELLED, channel_reference=request.channel_reference)
        if answer.code in codes.ALREADY_CLOSED or (answer.status == 404 and answer.code in codes.NOT_FOUND):
            return _refused(answer, Outcome.CANCELLED)
        # Paid, being paid, or not closable at this very moment: what it is now decides.
        now = self.query(request)
        return replace(now, outcome=Outcome.PENDING) if now.outcome is Outcome.ACTION_REQUIRED else now

    def refund(self, request: MovementRequest) -> Answer:
        if request.amount is None or request.amount.currency != _CURRENCY:
            return Answer(Outcome.ERRORED, code="currency_not_supported", message="WeChat Pay refunds CNY")
        content: dict[str, Any] = {
            "out_trade_no": request.reference,
            "out_refund_no": request.movement_reference,
            "reason": _cut(request.reason, 80) or "refund",
            "amount": {
                "refund": request.amount.minor,
                "total": request.total.minor,
                "currency": _CURRENCY,
            },
        }
        if request.notify_url:
            content["notify_url"] = request.notify_url
        try:
            answer = self._api.call("POST", _REFUNDS, content)
        except Unanswered as unanswered:
            return _unknown(unanswered)
        if answer.ok:
            return self._refund_of(answer, request)
        if answer.code == codes.INVALID_REQUEST:
            known = self.query_refund(request)
            return _refused(answer, Outcome.ERRORED) if known.outcome is Outcome.NOT_FOUND else known
        return _looked_up(answer, codes.REFUND)

    def query_refund(self, request: MovementRequest) -> Answer:
        try:
            answer = self._api.call("GET", f"{_REFUNDS}/{quote(request.movement_reference, safe='')}")
        except Unanswered as unanswered:
            return _unknown(unanswered)
        if answer.ok:
            return self._refund_of(answer, request)
        missing = answer.status == 404 and answer.code in codes.NOT_FOUND
        return _refused(answer, Outcome.NOT_FOUND if missing else Outcome.UNKNOWN)

    def finish_abnormal_refund(self, request: MovementRequest, card: BankCard | None = None) -> Answer:
        """Send a refund that the customer's bank refused to another card of theirs.

        Without `card` it goes to our own bank account, and the customer must be paid in another way.
        """
        known = self.query_refund(request)
        if known.code != codes.ABNORMAL:
            return known
        content = {"out_refund_no": request.movement_reference, "type": "MERCHANT_BANK_CARD"}
        key_id = ""
        if card is not None:
            newest = self._keys.newest()
            if newest is None:
                return Answer(
                    Outcome.ERRORED, code="no_platform_key", message="no key to encrypt the card for"
                )
            key_id, key = newest
            content |= {"type": "USER_BANK_CARD", "bank_type": card.bank}
            content |= {"bank_account": encrypted(card.account, key), "real_name": encrypted(card.name, key)}
        target = f"{_REFUNDS}/{quote(known.channel_reference, safe='')}/apply-abnormal-refund"
        try:
            answer = self._api.call("POST", target, content, key_id=key_id)
        except Unanswered as unanswered:
            return _unknown(unanswered)
        # Refused or not, the money is where it was: what the refund is now decides.
        return self._refund_of(answer, request) if answer.ok else self.query_refund(request)

    def fetch_statement(self, kind: str, day: date) -> Statement:
        return bills.fetch(self._api, kind, day)

    def read_notice(self, headers: Mapping[str, str], body: bytes) -> Notice:
        return self._reader.read(headers, body)

    def acknowledge(self) -> Acknowledgement:
        return Acknowledgement(204)

    def refuse(self, refusal: NoticeRefused) -> Acknowledgement:
        body = f'{{"code":"FAIL","message":"{refusal.code}"}}'
        return Acknowledgement(400, body, "application/json")

    def _refusal(self, request: StartRequest) -> Answer | None:
        """Why WeChat Pay need not be asked at all."""
        if request.amount.currency != _CURRENCY:
            code, message = "currency_not_supported", "WeChat Pay takes CNY"
        elif request.amount.minor <= 0:
            code, message = "amount_out_of_range", "WeChat Pay takes 0.01 CNY or more"
        elif not request.capture:
            code, message = "manual_capture_not_supported", "WeChat Pay takes the money at once"
        elif request.expires_at <= self._clock():
            code, message = "expired", "the time to pay has passed"
        elif request.device == "in_app" and not request.payer:
            code, message = "payer_missing", "WeChat's own browser pays for a named openid"
        else:
            return None
        return Answer(Outcome.ERRORED, code=code, message=message, advice=Advice.OTHER_METHOD)

    def _order(self, request: StartRequest) -> dict[str, Any]:
        return {
            "appid": self._appid,
            "mchid": self._mchid,
            "description": _cut(request.description, 127),
            "out_trade_no": request.reference,
            "time_expire": request.expires_at.astimezone(_BEIJING).isoformat(timespec="seconds"),
            "notify_url": request.notify_url,
            "amount": {"total": request.amount.minor, "currency": _CURRENCY},
        }

    def _product(self, request: StartRequest) -> tuple[str, dict[str, Any]]:
        """Which of WeChat Pay's products serves the device, and what it asks for beside the order."""
        if request.device == "in_app":
            return "jsapi", {"payer": {"openid": request.payer}}
        if request.device == "phone":
            scene = {"payer_client_ip": request.client_ip or "127.0.0.1", "h5_info": {"type": "Wap"}}
            return "h5", {"scene_info": scene}
        return "native", {}

    def _code(self, request: StartRequest, answer: ApiAnswer) -> Answer:
        code = text_of(answer.fields, "code_url")
        if not code:
            return _other_order()
        expires_at = min(request.expires_at, self._clock() + _CODE_LIVES)
        action = NextAction(ActionKind.QR, code, expires_at)
        return Answer(Outcome.ACTION_REQUIRED, next_action=action, raw=dict(answer.fields))

    def _page(self, request: StartRequest, answer: ApiAnswer) -> Answer:
        address = text_of(answer.fields, "h5_url")
        if not address:
            return _other_order()
        address += f"{'&' if '?' in address else '?'}redirect_url={quote(request.return_url, safe='')}"
        action = NextAction(ActionKind.REDIRECT, address, request.expires_at)
        return Answer(Outcome.ACTION_REQUIRED, next_action=action, raw=dict(answer.fields))

    def _bridge(self, request: StartRequest, answer: ApiAnswer) -> Answer:
        prepay_id = text_of(answer.fields, "prepay_id")
        if not prepay_id:
            return _other_order()
        expires_at = min(request.expires_at, self._clock() + _CODE_LIVES)
        parameters = json.dumps(self._signer.bridge(self._appid, prepay_id))
        action = NextAction(ActionKind.IN_APP, parameters, expires_at)
        return Answer(Outcome.ACTION_REQUIRED, next_action=action, raw=dict(answer.fields))

    def _is_about(self, answer: ApiAnswer, reference: str) -> bool:
        expected = {"out_trade_no": reference, "mchid": self._mchid, "appid": self._appid}
        return all(answer.fields.get(name) == value for name, value in expected.items())

    def _refund_of(self, answer: ApiAnswer, request: MovementRequest) -> Answer:
        expected = {"out_trade_no": request.reference, "out_refund_no": request.movement_reference}
        if any(answer.fields.get(name) != value for name, value in expected.items()):
            return _other_order()
        try:
            return notices.refund_answer(answer.fields, "status")
        except ValueError as problem:
            return Answer(Outcome.UNKNOWN, code="unreadable", message=str(problem))


def _cut(text: str, longest: int) -> str:
    """At most `longest` bytes of UTF-8, never half a character."""
    return text.encode("utf-8")[:longest].decode("utf-8", "ignore")


def _unknown(unanswered: Unanswered) -> Answer:
    return Answer(Outcome.UNKNOWN, code=unanswered.code, message=str(unanswered))


def _other_order() -> Answer:
    return Answer(Outcome.UNKNOWN, code="other_order", message="WeChat Pay answered about something else")


def _refused(answer: ApiAnswer, outcome: Outcome) -> Answer:
    return Answer(outcome, code=answer.code, message=answer.message, raw=dict(answer.fields))


def _looked_up(answer: ApiAnswer, table: Mapping[str, codes.Refusal]) -> Answer:
    outcome, advice = table.get(answer.code, (Outcome.UNKNOWN, None))
    return replace(_refused(answer, outcome), advice=advice)
