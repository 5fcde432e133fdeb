"""What an invoice or a refund of the processor's says in our words: the same for answers and notices. Pure."""

from collections.abc import Mapping
from datetime import datetime
from decimal import InvalidOperation
from typing import Any, Final

from ledger.money import Money
from payments.channels.contract import ActionKind, Advice, Answer, NextAction, Outcome
from payments.channels.crypto import codes

_KEPT: Final = (
    *("id", "reference", "status", "exception", "amount", "paid", "currency", "coin", "settled_at"),
    *("refund_reference", "reason"),
)


def kept(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What may be kept of the processor's words: no addresses of wallets."""
    return {name: fields[name] for name in _KEPT if name in fields}


def invoice_answer(fields: Mapping[str, Any]) -> Answer:
    """Money that came decides, also when it was too little, too much or too late: it is told as it came.

    Raises `ValueError`.
    """
    outcome = codes.INVOICE_STATUS.get(str(fields.get("status")), Outcome.UNKNOWN)
    paid = _money(fields, "paid")
    if outcome is Outcome.CANCELLED and paid.minor:
        outcome = Outcome.SUCCEEDED
    succeeded = outcome is Outcome.SUCCEEDED
    status, exception = str(fields.get("status", "")), str(fields.get("exception") or "")
    return Answer(
        outcome,
        channel_reference=str(fields.get("id", ""))[:100],
        amount=paid if succeeded else None,
        next_action=_page(fields) if outcome is Outcome.ACTION_REQUIRED else None,
        code="" if succeeded and not exception else (exception or status)[:80],
        advice=Advice.OTHER_METHOD if outcome is Outcome.DECLINED else None,
        happened_at=_moment(fields.get("settled_at")),
        raw=kept(fields),
    )


def refund_answer(fields: Mapping[str, Any]) -> Answer:
    """Raises `ValueError`."""
    outcome = codes.REFUND_STATUS.get(str(fields.get("status")), Outcome.UNKNOWN)
    return Answer(
        outcome,
        channel_reference=str(fields.get("id", ""))[:100],
        amount=_money(fields, "amount") if outcome is Outcome.SUCCEEDED else None,
        code=str(fields.get("reason") or "refused")[:80] if outcome is Outcome.DECLINED else "",
        happened_at=_moment(fields.get("settled_at")),
        raw=kept(fields),
    )


def _page(fields: Mapping[str, Any]) -> NextAction:
    address = fields.get("checkout_url")
    if not isinstance(address, str) or not address.startswith(("https://", "http://")):
        raise ValueError("an invoice without its page")
    return NextAction(ActionKind.REDIRECT, address, _moment(fields.get("expires_at")))


def _money(fields: Mapping[str, Any], name: str) -> Money:
    amount, currency = fields.get(name), fields.get("currency")
    if not isinstance(amount, str) or not isinstance(currency, str):
        raise ValueError(f"without a readable {name}")
    try:
        money = Money.from_major(amount, currency)
    except InvalidOperation as problem:
        raise ValueError(f"without a readable {name}") from problem
    if money.minor < 0:
        raise ValueError(f"a negative {name}")
    return money


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else None
