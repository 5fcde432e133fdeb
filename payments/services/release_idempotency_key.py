"""Give a key back without an answer, so that the client may send the request again."""

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from payments.models.idempotency import IdempotencyKey


def release_idempotency_key(*, holder: UUID, began: bool) -> None:
    """This will free the key that `holder` took.

    `began` says that the work may have been done in part (it broke off): then the same request may come again
    and is told so, and another one may not take the key. Otherwise the key is forgotten. Own transaction.
    """
    with transaction.atomic(durable=True):
        if began:
            IdempotencyKey.objects.given_up(holder, timezone.now())
        else:
            IdempotencyKey.objects.held_by(holder).delete()
