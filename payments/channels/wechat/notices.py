"""WeChat Pay's notifications: signed headers over a raw JSON body, with the facts sealed inside."""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from ledger.money import Money
from payments.channels.contract import (
    Answer,
    MalformedNotice,
    NotForUs,
    Notice,
    NoticeKind,
    Outcome,
)
from payments.channels.wechat import codes, signing
from payments.channels.wechat.client import text_of

_LONGEST: Final = 64 * 1024


def read_time(text: object) -> datetime | None:
    """The RFC 3339 moment in `text`, or None when there is none that can be read."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def read_amount(fields: Mapping[str, Any], part: str) -> Money:
    """`amount.<part>` in fen. Raises `ValueError` for anything but a whole number of a known currency."""
    amount = fields.get("amount")
    if not isinstance(amount, dict) or type(amount.get(part)) is not int:
        raise ValueError(f"amount.{part} is not a whole number")
    # Refund notifications name no currency: WeChat Pay settles domestic payments in yuan alone.
    return Money(amount[part], str(amount.get("currency", "CNY")))


def without_payer(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What may be kept of WeChat's words: not who paid, nor into which account a refund went."""
    return {
        name: str(value) if isinstance(value, Decimal) else value
        for name, value in fields.items()
        if name not in ("payer", "user_received_account")
    }


class Reader:
    """Verifies, opens and translates notifications for one application and one merchant."""

    def __init__(self, appid: str, mchid: str, api_v3_key: bytes, verifier: signing.Verifier) -> None:
        self._appid = appid
        self._mchid = mchid
        self._api_v3_key = api_v3_key
        self._verifier = verifier

    def read(self, headers: Mapping[str, str], body: bytes) -> Notice:
        if len(body) > _LONGEST:
            raise MalformedNotice("longer than any notification")
        self._verifier.check(headers, body)
        envelope = _object(body)
        event_id = text_of(envelope, "id")
        resource = envelope.get("resource")
        if not event_id or not isinstance(resource, dict):
            raise MalformedNotice("without id or resource")
        fields = _object(signing.opened(resource, self._api_v3_key))
        if not self._is_ours(fields):
            raise NotForUs("meant for another application or merchant")
        return _translated(event_id, codes.EVENTS.get(text_of(envelope, "event_type")), fields)

    def _is_ours(self, fields: Mapping[str, Any]) -> bool:
        # Refund notifications carry the merchant only.
        return fields.get("mchid") == self._mchid and fields.get("appid", self._appid) == self._appid


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw.decode("utf-8"), parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as problem:
        raise MalformedNotice("not JSON") from problem
    if not isinstance(value, dict):
        raise MalformedNotice("not an object")
    return value


def _translated(event_id: str, kind: NoticeKind | None, fields: Mapping[str, Any]) -> Notice:
    reference = text_of(fields, "out_trade_no")
    if kind is None:
        answer = Answer(Outcome.PENDING, raw=without_payer(fields))
        return Notice(event_id, NoticeKind.OTHER, reference, answer)
    movement_reference = text_of(fields, "out_refund_no") if kind is NoticeKind.REFUND else ""
    if not reference or (kind is NoticeKind.REFUND and not movement_reference):
        raise MalformedNotice("without out_trade_no or out_refund_no")
    try:
        answer = (
            trade_answer(fields) if kind is NoticeKind.PAYMENT else refund_answer(fields, "refund_status")
        )
    except ValueError as problem:
        raise MalformedNotice("without a readable amount") from problem
    return Notice(
        event_id, kind, reference, answer, movement_reference=movement_reference, raw=without_payer(fields)
    )


def trade_answer(fields: Mapping[str, Any]) -> Answer:
    """What WeChat Pay says of a payment, in an answer or a notification. Raises `ValueError`."""
    state = text_of(fields, "trade_state")
    outcome = codes.TRADE_STATE.get(state, Outcome.UNKNOWN)
    paid = outcome is Outcome.SUCCEEDED
    return Answer(
        outcome,
        channel_reference=text_of(fields, "transaction_id"),
        amount=read_amount(fields, "total") if paid else None,
        code="" if paid else state,
        message="" if paid else text_of(fields, "trade_state_desc"),
        happened_at=read_time(fields.get("success_time")),
        raw=without_payer(fields),
    )


def refund_answer(fields: Mapping[str, Any], status_name: str) -> Answer:
    """What WeChat Pay says of a refund: `status` in an answer, `refund_status` in a notification."""
    status = text_of(fields, status_name)
    outcome = codes.REFUND_STATUS.get(status, Outcome.UNKNOWN)
    return Answer(
        outcome,
        channel_reference=text_of(fields, "refund_id"),
        amount=read_amount(fields, "refund"),
        code="" if outcome is Outcome.SUCCEEDED else status,
        message=codes.REFUND_WORDS.get(status, ""),
        happened_at=read_time(fields.get("success_time")),
        raw=without_payer(fields),
    )
