"""Take a client's idempotency key before the work, or learn what was answered the first time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from ledger.errors import Refusal
from payments.models.idempotency import IdempotencyKey

# Longer than a request waits for its provider, so that only a dead worker's key runs out. Should a slower one still
# be at work when its key is taken over, the durable keys below (one payment per order, one refund per key) hold.
LEASE = timedelta(seconds=30)


class IdempotencyKeyReused(Refusal):
    """The same key came with another request."""

    code = "idempotency_key_reused"
    status = 422


class IdempotencyKeyInFlight(Refusal):
    """The first request with this key is still at work."""

    code = "idempotency_key_in_flight"
    status = 409


class IdempotentAnswerLost(Refusal):
    """It was done, but the answer was sealed with a SECRET_KEY that is gone. Look the result up."""

    code = "idempotent_answer_lost"
    status = 409


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claim:
    """Either `answer` is what to replay, or the work is the caller's to do as `holder`.

    `again` says that an earlier holder began and never finished: the work may already have been done.
    """

    holder: UUID
    answer: StoredAnswer | None = None
    again: bool = False


def claim_idempotency_key(*, scope: str, key: str, fingerprint: Mapping[str, str]) -> Claim:
    """This will take `key` for one request, or return the answer that it got before.

    `scope` is whose key it is; `fingerprint` maps each field of the request to a hash of its value. Raises
    `IdempotencyKeyReused` naming the fields that differ, `IdempotencyKeyInFlight`, `IdempotentAnswerLost`.
    Own transaction; no lock is held while the caller works, the key is leased.
    """
    now = timezone.now()
    with transaction.atomic(durable=True):
        taken = IdempotencyKey.objects.take(
            scope=scope, key=key, fingerprint=dict(fingerprint), now=now, lease_until=now + LEASE
        )
        if taken:
            return Claim(holder=taken.holder, again=taken.again)
        held = IdempotencyKey.objects.filter(scope=scope, key=key).first()
    if held is None:  # let go between the two statements: the client's retry will find it free
        raise IdempotencyKeyInFlight(
            "The first request with this key has just ended. Send it again.", retry_after=1
        )
    return _answer_of(held, fingerprint)


def _answer_of(held: IdempotencyKey, fingerprint: Mapping[str, str]) -> Claim:
    differing = sorted(
        name
        for name in {*held.fingerprint, *fingerprint}
        if held.fingerprint.get(name) != fingerprint.get(name)
    )
    if differing:
        raise IdempotencyKeyReused(
            f"This key was used for another request; what differs: {', '.join(differing[:20])}. "
            "Use a new key for a new request.",
            param="Idempotency-Key",
            fields=differing[:20],
        )
    if held.status is None:
        raise IdempotencyKeyInFlight(
            "The first request with this key is still being worked on. Send it again shortly.", retry_after=1
        )
    if held.body is None:
        raise IdempotentAnswerLost(
            "This was done before, but its answer can no longer be read. Look the result up."
        )
    return Claim(
        holder=held.holder, answer=StoredAnswer(status=held.status, body=held.body, headers=held.headers)
    )
