from typing import Any

from django.db import connection
from django.utils import timezone

from payments.channels import registry
from payments.channels.contract import Answer, Challenge, Outcome
from payments.channels.meanings import NOT_REACHED, Reaction
from payments.models import Attempt, Payment
from payments.states import AttemptKind, PaymentState

MOST_HOPS = 2


def fail_over(*, payment: Payment, attempt: Attempt, answer: Answer, source: str) -> Attempt | None:
    """This will begin the next try of a payment whose try has provably come to nothing, or return None.

    The next try goes to the next channel of the route when this one refused to serve us or was not reached, or to
    the same channel with a challenge when the card's bank wants one. It is SENT under a key of its own; whoever sent
    the first sends it. Never after an unclear answer, never for news that came later: then nobody waits for it.
    An operation: needs an open transaction and both rows' locks; the caller stores the payment.
    """
    assert connection.in_atomic_block, "fail_over() is an operation"
    hop = attempt.route.get("hop", 0)
    if source != "answer" or payment.state != PaymentState.PROCESSING or hop >= MOST_HOPS:
        return None
    if payment.expires_at <= timezone.now() or payment.attempts.open().exclude(pk=attempt.pk).exists():
        return None
    step = _step(attempt, answer)
    if step is None:
        return None
    channel, changed = step
    attempt.refuse(answer.outcome)
    attempt.store()
    payment.channel = channel
    return Attempt.objects.begin_and_send(
        payment,
        AttemptKind.START,
        channel=channel,
        route={**attempt.route, "chosen": channel, "hop": hop + 1, **_traces(attempt, answer)},
        request={**attempt.request, "notify_url": registry.notify_url(channel), **changed},
    )


def _step(attempt: Attempt, answer: Answer) -> tuple[str, dict[str, Any]] | None:
    """Where the next try goes, and what of the request is different there."""
    meaning = registry.meaning(attempt.channel, answer.code)
    reaction = meaning.reaction if meaning else None
    if answer.outcome == Outcome.DECLINED and reaction == Reaction.STEP_UP:
        asked = attempt.request.get("challenge") == Challenge.REQUIRED
        usable = attempt.request.get("instrument") and not asked
        return (attempt.channel, {"challenge": Challenge.REQUIRED}) if usable else None
    elsewhere = answer.code == NOT_REACHED or reaction == Reaction.OTHER_CHANNEL
    # A card's token belongs to the channel that gave it.
    if answer.outcome != Outcome.ERRORED or not elsewhere or attempt.request.get("instrument"):
        return None
    tried = {attempt.channel, *attempt.route.get("tried", ())}
    configured = registry.configured()
    rest = (name for name in attempt.route.get("eligible", ()) if name not in tried and name in configured)
    channel = next(rest, None)
    return (channel, {}) if channel else None


def _traces(attempt: Attempt, answer: Answer) -> dict[str, Any]:
    return {
        "after": attempt.public_id,
        "because": answer.code or answer.outcome.value,
        "tried": [*attempt.route.get("tried", ()), attempt.channel],
    }
