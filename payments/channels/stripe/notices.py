"""Stripe's webhooks: verified over the raw body, then translated."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import stripe

from payments.channels.contract import (
    Answer,
    InvalidSignature,
    MalformedNotice,
    NotForUs,
    Notice,
    NoticeKind,
    Outcome,
    StaleNotice,
)
from payments.channels.stripe.answers import of_intent, of_refund
from payments.channels.stripe.disputes import of_dispute

_TOLERANCE_SECONDS = 300
_INTENT_NEWS = "requires_action amount_capturable_updated processing succeeded payment_failed canceled"
_PAYMENT_EVENTS = frozenset(f"payment_intent.{news}" for news in _INTENT_NEWS.split())
_DISPUTE_NEWS = "created updated closed funds_withdrawn funds_reinstated"
_DISPUTE_EVENTS = frozenset(f"charge.dispute.{news}" for news in _DISPUTE_NEWS.split())
_REFUND_EVENTS = frozenset(("refund.created", "refund.updated", "refund.failed"))


def verified(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], clock: Callable[[], datetime]
) -> Mapping[str, Any]:
    """The event inside `body`, proven to be Stripe's and of these minutes. Raises a `NoticeRefused`."""
    header = headers.get("stripe-signature", "")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedNotice("the body is not UTF-8") from error
    if not any(_signed_with(secret, header, text) for secret in secrets):
        raise InvalidSignature("no signature of ours matches")
    # The SDK looks at the past only, and at its own clock: a notice dated ahead would pass for ever.
    if abs(clock().timestamp() - _signed_at(header)) > _TOLERANCE_SECONDS:
        raise StaleNotice("the signature's time is more than five minutes away")
    try:
        event = json.loads(text)
    except ValueError as error:
        raise MalformedNotice("the body is not JSON") from error
    if not isinstance(event, dict) or event.get("object") != "event":
        raise MalformedNotice("the body is not an event")
    return event


def _signed_with(secret: str, header: str, text: str) -> bool:
    try:
        return bool(secret) and bool(stripe.WebhookSignature.verify_header(text, header, secret, None))
    except (stripe.SignatureVerificationError, TypeError, ValueError, IndexError):
        # the SDK lets the last three escape for headers that are not ASCII or have no pairs
        return False


def _signed_at(header: str) -> int:
    """The time that the verified header names; the SDK takes the first `t`, so do we."""
    return next(int(item[2:]) for item in header.split(",") if item.startswith("t="))


def translated(event: Mapping[str, Any], *, live: bool) -> Notice:
    """The event as a notice. Raises `NotForUs` and `MalformedNotice`."""
    if bool(event.get("livemode")) is not live:
        raise NotForUs("the event is of the other mode, live or test")
    try:
        kind, item = str(event["type"]), event["data"]["object"]
        metadata = item.get("metadata") or {}
        notice = Notice(
            event_id=str(event["id"]),
            kind=NoticeKind.OTHER,
            reference=str(metadata.get("reference") or ""),
            answer=Answer(Outcome.PENDING),
            raw={"type": kind, "object": str(item.get("id") or ""), "created": event.get("created")},
        )
        if kind in _PAYMENT_EVENTS and notice.reference:
            return replace(notice, kind=NoticeKind.PAYMENT, answer=_dated(of_intent(item), event))
        if kind in _REFUND_EVENTS and metadata.get("payment_reference"):
            return replace(
                notice,
                kind=NoticeKind.REFUND,
                reference=str(metadata["payment_reference"]),
                movement_reference=notice.reference,
                answer=_dated(of_refund(item), event),
            )
        if kind in _DISPUTE_EVENTS and item.get("payment_intent"):
            # a dispute does not carry what we wrote at the payment: its intent names it
            answer = Answer(Outcome.PENDING, channel_reference=str(item["payment_intent"]))
            news = of_dispute(item, happened_at=_happened_at(event))
            return replace(notice, kind=NoticeKind.DISPUTE, reference="", answer=answer, dispute=news)
        return notice
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MalformedNotice(f"the event is not as it should be: {type(error).__name__}") from error


def _dated(answer: Answer, event: Mapping[str, Any]) -> Answer:
    return replace(answer, happened_at=_happened_at(event))


def _happened_at(event: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(event["created"], UTC)
