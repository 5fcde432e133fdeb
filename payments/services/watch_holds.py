from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from payments import outbox
from payments.events import PaymentLapsing
from payments.models import Attempt, Payment
from payments.services.send_attempt import send_attempt
from payments.states import AttemptKind, AttemptState

BATCH = 100
# A provider lets go in its own time; it is not asked more often than this whether it has.
_PATIENCE = timedelta(minutes=10)


def watch_holds(*, now: datetime) -> int:
    """This will warn, once a hold, of money that is about to be lost, and ask about holds whose time is over.

    `HOLD_WARNING` is how long before the end. Opens its own transactions, one a payment; safe to repeat. Returns how
    many holds it warned of.
    """
    soon = Payment.objects.holding().filter(held_until__lte=now + settings.HOLD_WARNING)
    waiting = soon.filter(lapse_warned_at=None, held_until__gt=now).order_by("held_until")
    warned = sum(_warn(payment, now) for payment in waiting[:BATCH])
    for start in _past_their_time(now):
        send_attempt(attempt=start, again=True)
    return warned


def _warn(payment: Payment, now: datetime) -> bool:
    with transaction.atomic(durable=True):
        row = Payment.objects.locked().get(pk=payment.pk)
        if not row.held or row.lapse_warned_at or row.held_until is None or row.held_until <= now:
            return False
        row.lapse_warned_at = now
        row.store()
        outbox.publish(PaymentLapsing(**row.told(), held=row.held, held_until=row.held_until.isoformat()))
        return True


def _past_their_time(now: datetime) -> list[Attempt]:
    # By their keys: joined, the planner reads every attempt there is.
    late = Payment.objects.holding().filter(held_until__lte=now).order_by("held_until")
    over = list(late.values_list("pk", flat=True)[: 10 * BATCH])
    starts = Attempt.objects.filter(payment__in=over, kind=AttemptKind.START, state=AttemptState.SUCCEEDED)
    unasked = Q(answered_at=None) | Q(answered_at__lte=now - _PATIENCE)
    return list(starts.filter(unasked).order_by("answered_at")[:BATCH])
