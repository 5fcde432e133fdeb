"""Alipay's asynchronous notifications: a signed form, posted to the payment's notify_url.

Version 2 has no time window: an old notification that is played again still verifies. What stops it is that
`notify_id` stays the same and is applied once.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from ledger.money import Money
from payments.channels.alipay import codes, signing
from payments.channels.alipay.client import read_time
from payments.channels.alipay.keys import KeyRing
from payments.channels.contract import (
    Answer,
    InvalidSignature,
    MalformedNotice,
    NotForUs,
    Notice,
    NoticeKind,
    Outcome,
)

_LONGEST: Final = 64 * 1024
_BUYER: Final = frozenset(
    {"buyer_id", "buyer_logon_id", "buyer_open_id", "buyer_user_id", "buyer_user_name", "open_id"}
)


def without_buyer(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What may be kept of Alipay's words: not who the buyer is, and no signature."""
    return {name: value for name, value in fields.items() if name not in _BUYER and name != "sign"}


class Reader:
    """Verifies and translates notifications for one application and one seller."""

    def __init__(self, app_id: str, seller_id: str, key_ring: KeyRing) -> None:
        self._app_id = app_id
        self._seller_id = seller_id
        self._key_ring = key_ring

    def read(self, body: bytes) -> Notice:
        fields = _fields(body)
        if not signing.notice_verifies(fields, self._key_ring):
            raise InvalidSignature("Alipay did not sign this")
        if fields.get("app_id") != self._app_id or fields.get("seller_id") != self._seller_id:
            raise NotForUs("meant for another application or seller")
        event_id, reference = fields.get("notify_id", ""), fields.get("out_trade_no", "")
        if not event_id or not reference:
            raise MalformedNotice("without notify_id or out_trade_no")
        kind, answer = _translated(fields)
        return Notice(
            event_id=event_id,
            kind=kind,
            reference=reference,
            answer=answer,
            movement_reference=fields.get("out_biz_no", "") if kind is NoticeKind.REFUND else "",
            raw=without_buyer(fields),
        )


def _fields(body: bytes) -> dict[str, str]:
    if len(body) > _LONGEST:
        raise MalformedNotice("longer than any notification")
    try:
        # Empty fields are left out: they are not signed, so anybody could have added them.
        pairs = parse_qsl(body.decode("ascii"), strict_parsing=True, errors="strict", max_num_fields=200)
    except ValueError as problem:
        raise MalformedNotice("not a form") from problem
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise MalformedNotice("a field is repeated")
    return fields


def _translated(fields: Mapping[str, str]) -> tuple[NoticeKind, Answer]:
    if fields.get("notify_type") != "trade_status_sync":
        return NoticeKind.OTHER, Answer(Outcome.PENDING, code=fields.get("notify_type", ""))
    if fields.get("refund_fee") and fields.get("gmt_refund"):
        return NoticeKind.REFUND, _answer(fields, Outcome.SUCCEEDED, amount=None, at="gmt_refund")
    status = fields.get("trade_status", "")
    outcome = codes.TRADE_STATUS.get(status, Outcome.PENDING)
    if outcome is Outcome.SUCCEEDED:
        return NoticeKind.PAYMENT, _answer(fields, outcome, amount=_total(fields), at="gmt_payment")
    if outcome is Outcome.CANCELLED and not fields.get("gmt_payment"):
        return NoticeKind.PAYMENT, _answer(fields, outcome, amount=None, at="gmt_close")
    return NoticeKind.OTHER, Answer(Outcome.PENDING, code=status)


def _answer(fields: Mapping[str, str], outcome: Outcome, *, amount: Money | None, at: str) -> Answer:
    """`amount` is None for a refund: the `refund_fee` of a notification is the sum of all refunds so far."""
    return Answer(
        outcome,
        channel_reference=fields.get("trade_no", ""),
        amount=amount,
        code="" if outcome is Outcome.SUCCEEDED else fields.get("trade_status", ""),
        happened_at=read_time(fields.get(at, "")),
        raw=without_buyer(fields),
    )


def _total(fields: Mapping[str, str]) -> Money:
    try:
        return Money.from_major(fields.get("total_amount", ""), "CNY")
    except (ValueError, ArithmeticError) as problem:
        raise MalformedNotice("without a readable total_amount") from problem
