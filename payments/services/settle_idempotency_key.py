"""Write down the answer that a key's next use gets."""

from uuid import UUID

from django.db import transaction

from payments.models.idempotency import IdempotencyKey
from payments.services.claim_idempotency_key import StoredAnswer


def settle_idempotency_key(*, holder: UUID, answer: StoredAnswer) -> bool:
    """This will store `answer` under the key that `holder` took.

    Returns False when the lease ran out and another request took the key: its answer counts then. Own
    transaction.
    """
    with transaction.atomic(durable=True):
        written = IdempotencyKey.objects.answered(
            holder, status=answer.status, headers=dict(answer.headers), body=answer.body
        )
    return written == 1
