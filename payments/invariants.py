"""What must be true of payments, derived again from the rows. Set-based; memory stays flat."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from django.conf import settings
from django.db import connection, models

from ledger.invariants import Check, Finding
from ledger.money import Money
from ledger.selectors import entries_by_key
from payments.models import Attempt, Payment, Refund
from payments.states import RefundState

_CHUNK = 2000

_NOT_ONE_OPEN = """
SELECT ledger_public_id('pay', payment.id), format('is %s with %s open attempts', payment.state, count(attempt.id))
FROM payments_payment payment
LEFT JOIN payments_attempt attempt ON attempt.payment_id = payment.id AND attempt.kind = 'START'
    AND (attempt.state IN ('SENT', 'UNKNOWN') OR attempt.state = 'CREATED' AND payment.state <> 'IN_REVIEW')
GROUP BY payment.id, payment.state
HAVING (payment.state IN ('PROCESSING', 'REQUIRES_ACTION', 'UNKNOWN')) <> (count(attempt.id) = 1)
    OR count(attempt.id) > 1
"""
_NOBODY_ENDS = """
SELECT ledger_public_id('pay', payment.id), format('is %s, and nobody will ask, capture, close or expire it', state)
FROM payments_payment payment
WHERE state NOT IN ('SUCCEEDED', 'FAILED', 'CANCELLED')
    AND NOT (state = 'IN_REVIEW' AND review_pending AND decide_by IS NOT NULL)
    AND NOT EXISTS (
        SELECT 1 FROM payments_attempt attempt
        WHERE attempt.payment_id = payment.id AND attempt.state IN ('SENT', 'UNKNOWN')
            AND attempt.next_check_at IS NOT NULL)
"""
_ASKED_DIFFERENTLY = """
SELECT ledger_public_id('pay', payment.id), format('is about %s %s, %s asks for %s %s', payment.amount,
    payment.currency, ledger_public_id('att', attempt.id), attempt.amount, attempt.currency)
FROM payments_payment payment JOIN payments_attempt attempt ON attempt.payment_id = payment.id
WHERE (attempt.amount, attempt.currency) <> (payment.amount, payment.currency)
"""
# A hold that is being captured or let go has its start, too; what ended without money has none.
_NOT_BROUGHT = """
SELECT ledger_public_id('pay', payment.id), format('is %s with %s taken by %s, its tries brought %s by %s',
    payment.state, payment.amount_captured, payment.channel, coalesce(brought.amount, 0), brought.channels)
FROM payments_payment payment
LEFT JOIN (
    SELECT payment_id, sum(amount) AS amount, string_agg(channel, ' and ') AS channels
    FROM payments_attempt WHERE kind = 'START' AND state = 'SUCCEEDED' GROUP BY payment_id
) brought ON brought.payment_id = payment.id
WHERE (payment.amount_captured > 0 OR payment.state IN ('FAILED', 'CANCELLED'))
    AND (coalesce(brought.amount, 0) <> payment.amount_captured OR brought.channels <> payment.channel)
"""
# Older events may have been forgotten.
_WITHOUT_EVENT = """
SELECT ledger_public_id('pay', payment.id), 'took money, but no payment.succeeded was published'
FROM payments_payment payment
WHERE payment.amount_captured > 0 AND NOT payment.surplus
  AND payment.created_at > now() - interval '{days} days' AND NOT EXISTS (
    SELECT 1 FROM payments_outboxevent event
    WHERE event.subject = payment.reference AND event.name = 'payment.succeeded'
      AND event.payload ->> 'payment' = ledger_public_id('pay', payment.id))
"""
_WRONG_REFUND_SUMS = """
SELECT ledger_public_id('pay', payment.id), format(
    'says %s refunded and %s on its way, its refunds say %s and %s',
    payment.amount_refunded, payment.amount_refunding, coalesce(sums.done, 0), coalesce(sums.under_way, 0))
FROM payments_payment payment
LEFT JOIN (
    SELECT payment_id,
        coalesce(sum(amount) FILTER (WHERE state = 'SUCCEEDED'), 0) AS done,
        coalesce(sum(amount) FILTER (WHERE state NOT IN ('SUCCEEDED', 'FAILED')), 0) AS under_way
    FROM payments_refund GROUP BY payment_id
) sums ON sums.payment_id = payment.id
WHERE coalesce(sums.done, 0) <> payment.amount_refunded
    OR coalesce(sums.under_way, 0) <> payment.amount_refunding
"""
_KEPT_SURPLUS = """
SELECT ledger_public_id('pay', payment.id), 'was paid twice and the surplus is not going back'
FROM payments_payment payment
WHERE payment.surplus AND payment.amount_captured > payment.amount_refunded + payment.amount_refunding
"""


def check() -> Iterator[Check]:
    yield _by_sql("payments.one_open_attempt", Payment, _NOT_ONE_OPEN)
    yield _by_sql("payments.somebody_ends_it", Payment, _NOBODY_ENDS)
    yield _by_sql("payments.attempts_ask_for_it", Attempt, _ASKED_DIFFERENTLY)
    yield _by_sql("payments.one_start_brought_it", Payment, _NOT_BROUGHT)
    yield _by_sql(
        "payments.success_was_published", Payment, _WITHOUT_EVENT.format(days=settings.EVENTS_KEPT_DAYS)
    )
    yield _by_sql("payments.refund_sums", Refund, _WRONG_REFUND_SUMS)
    yield _by_sql("payments.surplus_goes_back", Payment, _KEPT_SURPLUS)
    yield "payments.captures_in_journal", Payment.objects.count(), _captures("payments.captures_in_journal")
    yield "payments.refunds_in_journal", Refund.objects.count(), _refunds("payments.refunds_in_journal")


def _by_sql(name: str, table: type[models.Model], statement: str) -> Check:
    return name, table._default_manager.count(), _rows(name, statement)


def _rows(name: str, statement: str) -> Iterator[Finding]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement)
        while rows := cursor.fetchmany(_CHUNK):
            for subject, detail in rows:
                yield Finding(name, subject, detail)


@dataclass(frozen=True, slots=True)
class _Moved:
    """What the journal must say under `keys`, all together, of what the channel owes us."""

    subject: str
    keys: tuple[str, ...]
    channel: str
    amount: Money


def _captures(name: str) -> Iterator[Finding]:
    """Of every payment: one that took nothing has booked nothing."""
    payments = Payment.objects.order_by("pk").iterator(chunk_size=_CHUNK)
    yield from _not_booked(
        name,
        (
            _Moved(
                row.public_id, (f"{row.public_id}:capture:1",), row.channel, row.money(row.amount_captured)
            )
            for row in payments
        ),
    )


def _refunds(name: str) -> Iterator[Finding]:
    """Of every refund: one that failed has booked nothing, or booked it back."""
    refunds = Refund.objects.select_related("payment").order_by("pk").iterator(chunk_size=_CHUNK)
    yield from _not_booked(
        name,
        (
            _Moved(
                row.public_id,
                (f"{row.public_id}:refund", f"{row.public_id}:refund:returned"),
                row.payment.channel,
                row.payment.money(-row.amount if row.state == RefundState.SUCCEEDED else 0),
            )
            for row in refunds
        ),
    )


def _not_booked(name: str, expected: Iterator[_Moved]) -> Iterator[Finding]:
    while chunk := list(islice(expected, _CHUNK)):
        posted = entries_by_key([key for moved in chunk for key in moved.keys])
        for moved in chunk:
            booked: Counter[tuple[str, str]] = Counter()
            for entry in (entry for key in moved.keys for entry in posted.get(key, ())):
                if entry.account.startswith("receivable:"):
                    booked[entry.account, entry.amount.currency] += entry.amount.minor
            account = (f"receivable:{moved.channel}", moved.amount.currency)
            found = {which: minor for which, minor in booked.items() if minor}
            if found != ({account: moved.amount.minor} if moved.amount.minor else {}):
                told = ", ".join(
                    f"{minor} {currency} of {which}" for (which, currency), minor in found.items()
                )
                detail = f"moved {moved.amount.minor} of {account[0]}, the journal says {told or 'nothing'}"
                yield Finding(name, moved.subject, detail)
