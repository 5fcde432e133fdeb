"""UnionPay's background notices: a signed form, posted to the order's `backUrl` when it succeeded.

A notice carries no time of its own: an old one that is played again still verifies. What stops it is that the
movement it tells of is applied once.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from ledger.money import Money
from payments.channels.contract import (
    Answer,
    InvalidSignature,
    MalformedNotice,
    NotForUs,
    Notice,
    NoticeKind,
    Outcome,
)
from payments.channels.unionpay import codes, naming, signing
from payments.channels.unionpay.certificates import Trust

_LONGEST: Final = 64 * 1024
# Who paid, with which card; and what only proves the rest.
_NOT_KEPT: Final = frozenset(
    {"accNo", "customerInfo", "customerIp", "fileContent", "payCardNo", "signPubKeyCert", "signature"}
)
_PAYMENTS: Final = {codes.PURCHASE: Outcome.SUCCEEDED, codes.HOLD: Outcome.AUTHORIZED}
_REFUNDS: Final = frozenset({codes.REFUND, codes.UNDO_PURCHASE, codes.UNDO_COMPLETION})


def without_customer(fields: Mapping[str, str]) -> dict[str, str]:
    """What may be kept of UnionPay's words: no card number, and no signature."""
    return {name: value for name, value in fields.items() if name not in _NOT_KEPT}


def money_of(fields: Mapping[str, str]) -> Money:
    """The sum that the fields name. Raises `ValueError`."""
    currency = codes.CURRENCIES.get(fields.get("currencyCode", ""))
    digits = fields.get("txnAmt", "")
    if currency is None or not digits.isascii() or not digits.isdigit():
        raise ValueError("no readable txnAmt and currencyCode")
    return Money(int(digits), currency)


class Reader:
    """Verifies and translates notices for one merchant."""

    def __init__(self, mer_id: str, trust: Trust) -> None:
        self._mer_id = mer_id
        self._trust = trust

    def read(self, body: bytes) -> Notice:
        fields = _fields(body)
        if not signing.verifies(fields, self._trust):
            raise InvalidSignature("UnionPay did not sign this")
        if fields.get("merId") != self._mer_id:
            raise NotForUs("meant for another merchant")
        query_id, order = fields.get("queryId", ""), fields.get("orderId", "")
        if not query_id or not order:
            raise MalformedNotice("without queryId or orderId")
        kind, answer = _translated(fields)
        name = naming.reference_of(order)
        is_refund = kind is NoticeKind.REFUND
        return Notice(
            event_id=f"{fields['txnType']}-{query_id}-{fields.get('respCode', '')}",
            kind=kind,
            reference=naming.reference_of(fields.get("reqReserved", "")) if is_refund else name,
            answer=answer,
            movement_reference=name if is_refund else "",
            raw=without_customer(fields),
        )


def _fields(body: bytes) -> dict[str, str]:
    if len(body) > _LONGEST:
        raise MalformedNotice("longer than any notice")
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
    kind_of_order, code = fields.get("txnType", ""), fields.get("respCode", "")
    outcome, advice = codes.RESULT.get(code, (Outcome.PENDING, None))
    if outcome is Outcome.SUCCEEDED and kind_of_order in _PAYMENTS:
        return NoticeKind.PAYMENT, _answer(fields, _PAYMENTS[kind_of_order])
    if outcome is Outcome.SUCCEEDED and kind_of_order in _REFUNDS:
        return NoticeKind.REFUND, _answer(fields, outcome)
    # Completions and undone holds are answered when they are asked for, and failures are asked about.
    return NoticeKind.OTHER, Answer(Outcome.PENDING, code=code, advice=advice)


def _answer(fields: Mapping[str, str], outcome: Outcome) -> Answer:
    try:
        amount = money_of(fields)
    except ValueError as problem:
        raise MalformedNotice(str(problem)) from problem
    return Answer(
        outcome,
        channel_reference=fields.get("queryId", ""),
        amount=amount,
        happened_at=naming.read_trace_time(fields.get("traceTime", ""), fields.get("txnTime", "")),
        raw=without_customer(fields),
    )
