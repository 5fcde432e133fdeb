"""Payments in the middle of things, made in the tables, and news about them: for tests that need no provider."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from django.db import transaction
from django.utils import timezone

from ledger.identifiers import encode, new_key
from ledger.money import Money
from payments.channels.contract import ActionKind, Answer, NextAction, Outcome
from payments.events import Event
from payments.invariants import check
from payments.models import Attempt, Payment
from payments.services.apply_answer import apply_answer
from payments.states import AttemptKind

FEN = 10_000
CHANNEL_OF = {"card": "stripe", "alipay": "alipay", "wechat_pay": "wechat"}
_WITH_MONEY = (Outcome.SUCCEEDED, Outcome.AUTHORIZED)


def opened(
    method: str = "card", *, reference: str = "", capture_mode: str = "automatic", **verdict: Any
) -> Attempt:
    """A payment whose first call is on its way."""
    reference = reference or encode("ord", new_key())
    with transaction.atomic():
        payment = Payment.objects.create(
            reference=reference,
            business_key=f"{reference}:payment:{Payment.objects.count()}",
            method=method,
            channel=CHANNEL_OF[method],
            currency="CNY",
            amount=FEN,
            description="Blue bicycle",
            expires_at=timezone.now() + timedelta(minutes=15),
            capture_mode=capture_mode,
        )
    return again(payment, method, **verdict)


def again(payment: Payment, method: str = "card", **verdict: Any) -> Attempt:
    """The next try of a refused payment, by another method perhaps."""
    with transaction.atomic():
        payment = Payment.objects.locked().get(pk=payment.pk)
        payment.method, payment.channel = method, CHANNEL_OF[method]
        payment.check_risk(**verdict)
        payment.process()
        payment.store()
        return Attempt.objects.begin_and_send(
            payment,
            AttemptKind.START,
            channel=payment.channel,
            request={"expires_at": payment.expires_at.isoformat()},
            route={"method": method},
        )


def movement(attempt: Attempt, kind: AttemptKind, reason: str = "customer") -> Attempt:
    """A void or a capture of what `attempt` began, on its way."""
    with transaction.atomic():
        payment = Payment.objects.locked().get(pk=attempt.payment_id)
        return Attempt.objects.begin_and_send(
            payment, kind, channel=attempt.channel, request={"reason": reason}
        )


def begin_part(start: Attempt, fen: int, *, final: bool = False, key: str | None = None) -> Attempt:
    """A capture of a part of what `start` holds, on its way."""
    with transaction.atomic():
        payment = Payment.objects.locked().get(pk=start.payment_id)
        return Attempt.objects.begin_and_send(
            payment,
            AttemptKind.CAPTURE,
            channel=start.channel,
            amount=fen,
            business_key=key,
            request={"captured_before": payment.amount_captured, "final": final or fen == payment.held},
        )


def answer(attempt: Attempt, outcome: Outcome, **said: Any) -> Answer:
    """What the provider of `attempt` says of it, of its own sum unless told otherwise."""
    shown = NextAction(ActionKind.QR, "https://qr.example/1", timezone.now() + timedelta(minutes=15))
    fields: dict[str, Any] = {
        "channel_reference": f"theirs_{attempt.public_id}" if attempt.kind == AttemptKind.START else "",
        "amount": Money(FEN, "CNY") if outcome in _WITH_MONEY else None,
        "next_action": shown if outcome == Outcome.ACTION_REQUIRED else None,
        **said,
    }
    return Answer(outcome, **fields)


def tell(attempt: Attempt, outcome: Outcome, **said: Any) -> list[Event]:
    """The news as it arrives; `attempt` may be an old copy of the row."""
    with transaction.atomic():
        return apply_answer(attempt=attempt, answer=answer(attempt, outcome, **said), source="notice")


def now(attempt: Attempt) -> tuple[str, str]:
    """(state of the attempt's payment, state of the attempt)"""
    row = Attempt.objects.select_related("payment").get(pk=attempt.pk)
    return row.payment.state, row.state


def alone(example: Callable[..., None]) -> Callable[..., None]:
    """An example that leaves nothing to those after it: their checks would look at all of it again and again."""

    @wraps(example)
    def rolled_back(*given: Any, **told: Any) -> None:
        before = transaction.savepoint()
        try:
            example(*given, **told)
        finally:
            transaction.set_rollback(False)
            transaction.savepoint_rollback(before)

    return rolled_back


def broken() -> list[tuple[str, str]]:
    """What the payments' own invariants find."""
    return [(finding.check, finding.detail) for _, _, findings in check() for finding in findings]
