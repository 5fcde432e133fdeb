"""Stripe's objects and errors in our words. Pure but for the SDK's exception types."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import stripe

from ledger.money import Money
from payments.channels.contract import ActionKind, Advice, Answer, Instrument, NextAction, Outcome
from payments.channels.stripe.amounts import from_stripe
from payments.channels.stripe.codes import advice

_RAW_INTENT = (
    "id",
    "status",
    "amount",
    "amount_capturable",
    "amount_received",
    "currency",
    "cancellation_reason",
)
_RAW_REFUND = (
    "id",
    "status",
    "amount",
    "currency",
    "payment_intent",
    "failure_reason",
    "balance_transaction",
)
_RAW_CHARGE = ("id", "outcome", "balance_transaction", "failure_code")


class Sending(Enum):
    """What a refusal can prove depends on whether the same was asked before."""

    FIRST = "first"  # nothing was sent under this key: who is turned away at the door has moved nothing
    REPEATED = "repeated"  # an earlier request may have gone through: the door proves nothing about it
    READ = "read"  # a question: a refusal to answer proves nothing at all


_INTENT_OUTCOMES = {
    "succeeded": Outcome.SUCCEEDED,
    "requires_capture": Outcome.AUTHORIZED,
    "requires_action": Outcome.ACTION_REQUIRED,
    "processing": Outcome.PENDING,
    "canceled": Outcome.CANCELLED,
    "requires_payment_method": Outcome.DECLINED,
    "requires_confirmation": Outcome.DECLINED,
}
_REFUND_OUTCOMES = {
    "succeeded": Outcome.SUCCEEDED,
    "pending": Outcome.PENDING,
    "requires_action": Outcome.PENDING,
    "failed": Outcome.DECLINED,
    "canceled": Outcome.CANCELLED,
}


def unknown(code: str, message: str) -> Answer:
    return Answer(Outcome.UNKNOWN, code=code, message=message)


def of_intent(intent: Mapping[str, Any], *, expires_at: datetime | None = None) -> Answer:
    """The payment intent as an answer. Raises `KeyError`, `TypeError`, `ValueError` when it is not one."""
    status = intent["status"]
    charge = intent.get("latest_charge")
    known = Answer(
        _INTENT_OUTCOMES[status],
        channel_reference=str(intent["id"]),
        instrument=_instrument(charge, intent),
        three_d_secure=_three_d_secure(charge),
        raw=_raw(intent, charge),
    )
    if status in ("succeeded", "requires_capture") or (
        status == "canceled" and intent.get("amount_received")
    ):
        return _with_money(intent, known)
    if status == "requires_action":
        return replace(known, next_action=_next_action(intent, expires_at))
    if status == "canceled":
        return replace(known, code=str(intent.get("cancellation_reason") or ""))
    return _not_paid(intent, known) if known.outcome is Outcome.DECLINED else known


def _with_money(intent: Mapping[str, Any], known: Answer) -> Answer:
    """Held, or taken: also what was taken before the rest was cancelled."""
    charge, held = intent.get("latest_charge"), known.outcome is Outcome.AUTHORIZED
    return replace(
        known,
        outcome=Outcome.AUTHORIZED if held else Outcome.SUCCEEDED,
        amount=from_stripe(intent["amount"], intent["currency"]),
        captured=from_stripe(intent["amount_received"], intent["currency"]),
        held_until=_instant((_card_details(charge) or {}).get("capture_before")) if held else None,
        happened_at=_moment(charge),
    )


def of_capture(whole: Answer, captured_before: int) -> Answer:
    """What one capture led to, from the intent's answer after it.

    Proven is only what was taken beyond `captured_before`; where nothing was and nothing is held, nothing will be.
    """
    if whole.captured is None or whole.amount is None:
        return whole
    taken = Money(whole.captured.minor - captured_before, whole.captured.currency)
    if taken.minor > 0:
        return replace(whole, outcome=Outcome.SUCCEEDED, amount=taken)
    if whole.outcome is Outcome.SUCCEEDED:
        return replace(whole, outcome=Outcome.CANCELLED, code="nothing_held", amount=None)
    return unknown("not_captured_yet", "Stripe holds the money and has not taken this part of it.")


def _not_paid(intent: Mapping[str, Any], known: Answer) -> Answer:
    error = intent.get("last_payment_error")
    if not error:
        message = "The payment was never confirmed."
        step = Advice.TRY_AGAIN
        return replace(known, outcome=Outcome.ERRORED, code="not_confirmed", message=message, advice=step)
    decline, code = str(error.get("decline_code") or ""), str(error.get("code") or "")
    return replace(
        known,
        code=decline or code,
        message=str(error.get("message") or ""),
        advice=advice(decline, code, Advice.OTHER_CARD) if _by_card(intent) else Advice.OTHER_METHOD,
    )


def of_refund(refund: Mapping[str, Any]) -> Answer:
    """The refund as an answer. Raises `KeyError`, `ValueError` when it is not one."""
    return Answer(
        _REFUND_OUTCOMES[refund["status"]],
        channel_reference=str(refund["id"]),
        amount=from_stripe(refund["amount"], refund["currency"]),
        code=str(refund.get("failure_reason") or ""),
        happened_at=_moment(refund),
        raw=_picked(refund, _RAW_REFUND),
    )


def of_error(error: stripe.StripeError, sending: Sending) -> Answer:
    """An error as an answer: only what proves that no money moved is a refusal."""
    if sending is Sending.READ:
        return unknown(error.code or type(error).__name__, _message(error))
    if isinstance(error, stripe.CardError):
        return _of_card_error(error)
    if isinstance(error, (stripe.AuthenticationError, stripe.PermissionError)) and sending is Sending.FIRST:
        code = error.code or "not_authorised"
        return Answer(Outcome.ERRORED, code=code, message=_message(error), advice=Advice.STOP)
    if isinstance(error, stripe.InvalidRequestError) and error.http_status in (400, 404):
        code = error.code or "invalid_request"
        # what is wrong with the card's token is mended by typing the card again
        next_step = advice("", code, Advice.TRY_AGAIN if error.param == "payment_method" else Advice.STOP)
        return Answer(Outcome.ERRORED, code=code, message=_message(error), advice=next_step)
    return unknown(error.code or type(error).__name__, _message(error))


def _of_card_error(error: stripe.CardError) -> Answer:
    inside = _error_json(error)
    decline, code = str(inside.get("decline_code") or ""), str(inside.get("code") or error.code or "")
    intent = inside.get("payment_intent")
    return Answer(
        Outcome.DECLINED,
        channel_reference=str(intent["id"]) if isinstance(intent, Mapping) else "",
        code=decline or code,
        message=_message(error),
        advice=advice(decline, code, Advice.OTHER_CARD),
        raw=_picked(inside, ("code", "decline_code", "charge", "type", "advice_code")),
    )


def intent_inside(error: stripe.StripeError) -> Mapping[str, Any] | None:
    """The payment intent that some refusals carry ("it has a status of …")."""
    intent = _error_json(error).get("payment_intent")
    return intent if isinstance(intent, Mapping) else None


def _error_json(error: stripe.StripeError) -> Mapping[str, Any]:
    body = error.json_body
    inside = body.get("error") if isinstance(body, Mapping) else None
    return inside if isinstance(inside, Mapping) else {}


def _message(error: stripe.StripeError) -> str:
    return str(error.user_message or type(error).__name__)[:500]


def of_method(method: Mapping[str, Any]) -> Instrument:
    return _card(str(method["id"]), method["card"])


def _card(token: str, card: Mapping[str, Any]) -> Instrument:
    return Instrument(
        token=token,
        brand=str(card.get("brand") or ""),
        last4=str(card.get("last4") or ""),
        country=str(card.get("country") or ""),
        funding=str(card.get("funding") or ""),
        fingerprint=str(card.get("fingerprint") or ""),
        expires_on=f"{card['exp_year']:04d}-{card['exp_month']:02d}",
        wallet=str((card.get("wallet") or {}).get("type") or ""),
        three_d_secure=bool((card.get("three_d_secure_usage") or {}).get("supported", True)),
    )


def _instrument(charge: Any, intent: Mapping[str, Any]) -> Instrument | None:
    card = _card_details(charge)
    return (
        _card(str(intent.get("payment_method") or charge.get("payment_method") or ""), card) if card else None
    )


def _card_details(charge: Any) -> Mapping[str, Any] | None:
    """The card of a charge that came whole; events and plain answers only name it."""
    if not isinstance(charge, Mapping):
        return None
    details = charge.get("payment_method_details") or {}
    card = details.get("card")
    return card if isinstance(card, Mapping) else None


def _three_d_secure(charge: Any) -> Mapping[str, Any] | None:
    proof = (_card_details(charge) or {}).get("three_d_secure")
    return dict(proof) if isinstance(proof, Mapping) else None


def _next_action(intent: Mapping[str, Any], expires_at: datetime | None) -> NextAction | None:
    """What the customer must do. A page that a wallet asks for is the wallet's own and can not be framed."""
    asked = intent.get("next_action") or {}
    page = ActionKind.THREE_D_SECURE if _by_card(intent) else ActionKind.REDIRECT
    places = (
        (page, "redirect_to_url", "url"),
        (ActionKind.REDIRECT, "alipay_handle_redirect", "url"),
        (ActionKind.QR, "wechat_pay_display_qr_code", "data"),
    )
    for kind, name, field in places:
        value = (asked.get(name) or {}).get(field)
        if value:
            return NextAction(kind, str(value), expires_at)
    return None


def _by_card(intent: Mapping[str, Any]) -> bool:
    return "card" in (intent.get("payment_method_types") or ["card"])


def _moment(item: Any) -> datetime | None:
    return _instant(item.get("created")) if isinstance(item, Mapping) else None


def _instant(seconds: Any) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int) else None


def _raw(intent: Mapping[str, Any], charge: Any) -> dict[str, Any]:
    raw = _picked(intent, _RAW_INTENT)
    raw["latest_charge"] = _picked(charge, _RAW_CHARGE) if isinstance(charge, Mapping) else charge
    return raw


def _picked(item: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: item[name] for name in names if item.get(name) is not None}
