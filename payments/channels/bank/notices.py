"""The bank's notices: signed JSON, one for every line credited to the account and for every order's news."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import InvalidOperation
from typing import Any, Final

from ledger.money import Money
from payments.channels.bank import codes
from payments.channels.bank.references import references_in
from payments.channels.bank.reports import read_time
from payments.channels.contract import Answer, MalformedNotice, NotForUs, Notice, NoticeKind, Outcome
from payments.channels.shared_secret import check, json_object

SIGNATURE: Final = "bank-signature"
_KEPT: Final = ("kind", "entry", "amount", "currency", "booked_at", "end_to_end_id", "status", "reason")


def kept(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What may be kept of the bank's words: not who paid from which account, nor what they wrote."""
    return {name: fields[name] for name in _KEPT if name in fields}


def money_of(fields: Mapping[str, Any]) -> Money:
    """Raises `ValueError`."""
    amount, currency = fields.get("amount"), fields.get("currency")
    if not isinstance(amount, str) or not isinstance(currency, str):
        raise ValueError("an amount and its currency are texts")
    try:
        money = Money.from_major(amount, currency)
    except InvalidOperation as problem:
        raise ValueError("an amount that is none") from problem
    if money.minor <= 0:
        raise ValueError("nothing was moved")
    return money


def order_answer(fields: Mapping[str, Any]) -> Answer:
    """What became of an order. Raises `ValueError`."""
    status = str(fields.get("status", ""))
    outcome = codes.ORDER_STATUS.get(status, Outcome.UNKNOWN)
    return Answer(
        outcome,
        channel_reference=str(fields.get("order", ""))[:100],
        amount=money_of(fields) if outcome is Outcome.SUCCEEDED else None,
        code="" if outcome is Outcome.SUCCEEDED else str(fields.get("reason") or status)[:80],
        happened_at=read_time(str(fields.get("updated_at", ""))),
        raw=kept(fields),
    )


class Reader:
    """Verifies and translates notices about one account."""

    def __init__(self, account: str, secrets: Sequence[str], clock: Callable[[], datetime]) -> None:
        self._account = account
        self._secrets = tuple(secrets)
        self._clock = clock

    def read(self, headers: Mapping[str, str], body: bytes) -> Notice:
        check(headers.get(SIGNATURE, ""), body, secrets=self._secrets, clock=self._clock)
        try:
            fields = json_object(body)
            if fields.get("account") != self._account:
                raise NotForUs("about another account")
            return _notice(fields)
        except ValueError as problem:
            raise MalformedNotice(str(problem)) from problem


def _notice(fields: Mapping[str, Any]) -> Notice:
    event_id = fields.get("notice")
    if not isinstance(event_id, str) or not event_id:
        raise ValueError("a notice without its name")
    if fields.get("kind") == "order":
        answer = order_answer(fields)
        known = answer.outcome in (Outcome.SUCCEEDED, Outcome.DECLINED)
        return Notice(
            event_id=event_id,
            kind=NoticeKind.REFUND if known else NoticeKind.OTHER,
            reference="",
            movement_reference=str(fields.get("end_to_end_id", "")),
            answer=answer,
            raw=kept(fields),
        )
    named = references_in([str(fields.get("text", ""))]) if fields.get("kind") == "credit" else set()
    if len(named) != 1:
        # Money that names no payment, or several: the day's statement shows it to a person.
        return Notice(event_id, NoticeKind.OTHER, "", Answer(Outcome.PENDING), raw=kept(fields))
    return Notice(
        event_id=event_id,
        kind=NoticeKind.PAYMENT,
        reference="",
        answer=Answer(
            Outcome.SUCCEEDED,
            channel_reference=named.pop(),
            amount=money_of(fields),
            happened_at=read_time(str(fields.get("booked_at", ""))),
            raw=kept(fields),
            movement=str(fields.get("entry", "")),
        ),
        raw=kept(fields),
    )
