"""What must be true of payments, derived again from the rows. Set-based; memory stays flat."""

from collections.abc import Iterable, Iterator

from django.db import connection

from ledger.invariants import Check, Finding
from ledger.selectors import entries_by_key
from payments.models import Attempt, Payment, Refund
from payments.states import RefundState

_CHUNK = 2000

_ORPHAN_ATTEMPTS = """
SELECT ledger_public_id('pay', payment.id), format('is %s with %s open attempts', payment.state, count(attempt.id))
FROM payments_payment payment
LEFT JOIN payments_attempt attempt ON attempt.payment_id = payment.id AND attempt.kind = 'START'
    AND attempt.state IN ('CREATED', 'SENT', 'UNKNOWN')
GROUP BY payment.id, payment.state
HAVING (payment.state IN ('PROCESSING', 'REQUIRES_ACTION', 'UNKNOWN') AND count(attempt.id) <> 1)
    OR (payment.state IN ('SUCCEEDED', 'FAILED', 'CANCELLED', 'AUTHORIZED') AND count(attempt.id) <> 0)
"""
_WITHOUT_EVENT = """
SELECT ledger_public_id('pay', payment.id), 'took money, but no payment.succeeded was published'
FROM payments_payment payment
WHERE payment.amount_captured > 0 AND NOT payment.surplus AND NOT EXISTS (
    SELECT 1 FROM payments_outboxevent event
    WHERE event.subject = payment.reference AND event.name = 'payment.succeeded'
      AND event.payload ->> 'payment' = ledger_public_id('pay', payment.id))
"""
_WRONG_REFUND_SUMS = """
SELECT ledger_public_id('pay', payment.id), format(
    'says %s refunded and %s on its way, its refunds say %s and %s',
    payment.amount_refunded, payment.amount_refunding, sums.done, sums.under_way)
FROM payments_payment payment
JOIN (
    SELECT payment_id,
        coalesce(sum(amount) FILTER (WHERE state = 'SUCCEEDED'), 0) AS done,
        coalesce(sum(amount) FILTER (WHERE state NOT IN ('SUCCEEDED', 'FAILED')), 0) AS under_way
    FROM payments_refund GROUP BY payment_id
) sums ON sums.payment_id = payment.id
WHERE sums.done <> payment.amount_refunded OR sums.under_way <> payment.amount_refunding
"""
_KEPT_SURPLUS = """
SELECT ledger_public_id('pay', payment.id), 'was paid twice and the surplus is not going back'
FROM payments_payment payment
WHERE payment.surplus AND payment.amount_captured > payment.amount_refunded + payment.amount_refunding
"""


def check() -> Iterator[Check]:
    yield (
        "every payment under way has one open attempt, every ended one none",
        _count(Payment),
        _broken("orphan_attempt", _ORPHAN_ATTEMPTS),
    )
    yield "every payment that took money published it", _count(Payment), _broken("event", _WITHOUT_EVENT)
    yield "refunded sums equal the refunds", _count(Refund), _broken("refund_sum", _WRONG_REFUND_SUMS)
    yield "what was paid twice goes back", _count(Payment), _broken("surplus", _KEPT_SURPLUS)
    yield "every capture is in the journal, to the minor unit", _count(Attempt), _captures_not_posted()
    yield "every refund is in the journal, to the minor unit", _count(Refund), _refunds_not_posted()


def _count(model: type[Payment] | type[Attempt] | type[Refund]) -> int:
    return model.objects.count()


def _broken(check: str, statement: str) -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        while rows := cursor.fetchmany(_CHUNK):
            for subject, detail in rows:
                yield Finding(check, subject, detail)


def _captures_not_posted() -> Iterator[Finding]:
    captured = Payment.objects.filter(amount_captured__gt=0).order_by("pk")
    expected = (
        (row.public_id, f"{row.public_id}:capture:1", f"receivable:{row.channel}", row.amount_captured)
        for row in captured.iterator(chunk_size=_CHUNK)
    )
    yield from _not_posted("capture_posting", expected)


def _refunds_not_posted() -> Iterator[Finding]:
    returned = Refund.objects.filter(state=RefundState.SUCCEEDED).select_related("payment").order_by("pk")
    expected = (
        (row.public_id, f"{row.public_id}:refund", f"receivable:{row.payment.channel}", -row.amount)
        for row in returned.iterator(chunk_size=_CHUNK)
    )
    yield from _not_posted("refund_posting", expected)


def _not_posted(check: str, expected: Iterable[tuple[str, str, str, int]]) -> Iterator[Finding]:
    """Compare (subject, business key, account, amount) with the journal, a chunk of keys at a time."""
    chunk: list[tuple[str, str, str, int]] = []
    for row in expected:
        chunk.append(row)
        if len(chunk) == _CHUNK:
            yield from _chunk_not_posted(check, chunk)
            chunk = []
    yield from _chunk_not_posted(check, chunk)


def _chunk_not_posted(check: str, chunk: list[tuple[str, str, str, int]]) -> Iterator[Finding]:
    posted = entries_by_key([key for _, key, _, _ in chunk])
    for subject, key, account, amount in chunk:
        booked = sum(entry.amount.minor for entry in posted.get(key, ()) if entry.account == account)
        if booked != amount:
            yield Finding(check, subject, f"moved {amount}, {key} books {booked}")
