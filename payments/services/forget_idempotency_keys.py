"""Forget old idempotency keys with the answers they hold."""

from datetime import datetime, timedelta

from django.db import transaction

from payments.models.idempotency import IdempotencyKey

KEPT_FOR = timedelta(hours=24)
_BATCH = 5_000


def forget_idempotency_keys(*, now: datetime) -> int:
    """This will delete the keys that are older than a day, and return how many.

    In batches, a transaction each, so that no long lock meets the requests. Safe to run twice at once.
    """
    forgotten = 0
    while True:
        with transaction.atomic(durable=True):
            old = IdempotencyKey.objects.filter(created_at__lt=now - KEPT_FOR, lease_until__lt=now)
            deleted, _ = IdempotencyKey.objects.filter(pk__in=old.values("pk")[:_BATCH]).delete()
        forgotten += deleted
        if deleted < _BATCH:
            return forgotten
