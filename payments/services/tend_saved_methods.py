from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef

from payments.models import Attempt, CustomerVault, SavedMethod
from payments.services.finish_erasure import finish_erasure
from payments.services.keep_instrument import keep_instrument
from payments.states import AttemptState, SavedMethodState

BATCH = 200
# A refusal may turn out to have been a success for a while.
_NO_NEWS_AFTER = timedelta(days=1)


def tend_saved_methods(*, now: datetime) -> int:
    """This will expire cards whose month is over, keep or drop those that wait for a payment's end, and finish
    erasures. Returns how many it moved.

    Opens its own transactions, one a row; safe to repeat and to run twice at once.
    """
    month = f"{now:%Y-%m}"
    expired = SavedMethod.objects.filter(state=SavedMethodState.ACTIVE, expires_on__lt=month).exclude(
        expires_on=""
    )
    waiting = SavedMethod.objects.filter(state=SavedMethodState.PENDING).order_by("created_at")
    brought = Attempt.objects.filter(saved_method=OuterRef("pk"), state=AttemptState.SUCCEEDED)
    may_bring = Attempt.objects.may_bring_money().filter(saved_method=OuterRef("pk"))
    came_to_nothing = waiting.filter(~Exists(may_bring), created_at__lt=now - _NO_NEWS_AFTER)
    to_erase = CustomerVault.objects.filter(erase_asked_at__isnull=False, erased_at=None)
    return (
        sum(_expire(row) for row in expired[:BATCH])
        + sum(_keep(row) for row in waiting.filter(Exists(brought))[:BATCH])
        + sum(_drop(row) for row in came_to_nothing[:BATCH])
        + sum(finish_erasure(vault=row.public_id) for row in to_erase.order_by("erase_asked_at")[:BATCH])
    )


def _expire(found: SavedMethod) -> bool:
    with transaction.atomic(durable=True):
        row = SavedMethod.objects.locked().get(pk=found.pk)
        if row.state != SavedMethodState.ACTIVE or row.expires_on != found.expires_on:
            return False
        row.expire()
        row.store()
        return True


def _keep(found: SavedMethod) -> bool:
    """What succeeded by another way than its own answer: a void that came too late."""
    with transaction.atomic(durable=True):
        attempt = Attempt.objects.filter(saved_method=found, state=AttemptState.SUCCEEDED).locked().first()
        if attempt is None:
            return False
        keep_instrument(attempt=attempt)
        attempt.store()
        return True


def _drop(found: SavedMethod) -> bool:
    with transaction.atomic(durable=True):
        row = SavedMethod.objects.locked().get(pk=found.pk)
        if row.state != SavedMethodState.PENDING:
            return False
        row.give_up()
        row.store()
        return True
