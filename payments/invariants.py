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
from payments.models import Attempt, Dispute, Payment, Refund, SavedMethod
from payments.states import RefundState
from payments.vault import unopenable

_CHUNK = 2000

_NOT_ONE_OPEN = """
SELECT ledger_public_id('pay', payment.id), format('is %s with %s open attempts', payment.state, count(attempt.id))
FROM payments_payment payment
LEFT JOIN payments_attempt attempt ON attempt.payment_id = payment.id AND attempt.kind = 'START'
    AND (attempt.state IN ('SENT', 'UNKNOWN') OR attempt.state = 'CREATED' AND payment.state <> 'IN_REVIEW')
GROUP BY payment.id, payment.state, payment.amount_authorized
HAVING (payment.state IN ('PROCESSING', 'REQUIRES_ACTION', 'UNKNOWN') AND payment.amount_authorized = 0)
        <> (count(attempt.id) = 1)
    OR count(attempt.id) > 1
"""
_NOBODY_ENDS = """
SELECT ledger_public_id('pay', payment.id), format('is %s, and nobody will ask, capture, close or expire it', state)
FROM payments_payment payment
WHERE state NOT IN ('SUCCEEDED', 'FAILED', 'CANCELLED')
    AND NOT (state = 'IN_REVIEW' AND review_pending AND decide_by IS NOT NULL)
    AND NOT (state = 'REQUIRES_ACTION' AND challenge_pending)
    AND NOT (state = 'AUTHORIZED' AND capture_mode = 'manual' AND held_until IS NOT NULL)
    AND NOT EXISTS (
        SELECT 1 FROM payments_attempt attempt
        WHERE attempt.payment_id = payment.id AND attempt.state IN ('SENT', 'UNKNOWN')
            AND attempt.next_check_at IS NOT NULL)
"""
_CHALLENGED_IN_VAIN = """
SELECT ledger_public_id('pay', payment.id), format('waits for %s to be answered, and is %s', challenge, state)
FROM payments_payment payment
WHERE challenge_pending AND (state <> 'REQUIRES_ACTION' OR challenge = '' OR NOT EXISTS (
    SELECT 1 FROM payments_attempt attempt
    WHERE attempt.payment_id = payment.id AND attempt.kind = 'START'
        AND attempt.state = CASE WHEN payment.amount_authorized > 0 THEN 'SUCCEEDED' ELSE 'CREATED' END))
"""
_ASKED_DIFFERENTLY = """
SELECT ledger_public_id('pay', payment.id), format('is about %s %s, %s asks for %s %s', payment.amount,
    payment.currency, ledger_public_id('att', attempt.id), attempt.amount, attempt.currency)
FROM payments_payment payment JOIN payments_attempt attempt ON attempt.payment_id = payment.id
WHERE attempt.currency <> payment.currency OR attempt.amount > payment.amount
    OR attempt.kind = 'START' AND attempt.amount <> payment.amount
"""
# A hold that is being captured or let go has its start, too; what ended without money has none.
_NOT_BROUGHT = """
SELECT ledger_public_id('pay', payment.id), format('is %s with %s taken by %s, its attempts brought %s by %s',
    payment.state, payment.amount_captured, payment.channel, coalesce(brought.amount, 0), brought.channels)
FROM payments_payment payment
LEFT JOIN (
    SELECT payment_id, sum(brought) AS amount,
        string_agg(channel, ' and ') FILTER (WHERE kind = 'START' AND state = 'SUCCEEDED') AS channels
    FROM payments_attempt GROUP BY payment_id
) brought ON brought.payment_id = payment.id
WHERE coalesce(brought.amount, 0) <> payment.amount_captured
    OR (payment.captures > 0) <> (payment.amount_captured > 0)
    OR payment.amount_captured > 0 AND brought.channels IS DISTINCT FROM payment.channel
    OR payment.state IN ('FAILED', 'CANCELLED') AND brought.channels IS NOT NULL
"""
# A capture that brought money brought its own sum; a start may bring what was taken at the provider's own pages.
_WRONG_PARTS = """
SELECT ledger_public_id('att', id), format('is %s of %s and brought %s', kind, amount, brought)
FROM payments_attempt
WHERE kind = 'VOID' AND brought <> 0 OR kind = 'CAPTURE' AND brought NOT IN (0, amount)
    OR brought > 0 AND state <> 'SUCCEEDED'
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
# A refund that failed is on the list of work: a person sees to it.
_KEPT_SURPLUS = """
SELECT ledger_public_id('pay', payment.id), 'was paid twice and the surplus is not going back'
FROM payments_payment payment
WHERE payment.surplus AND payment.amount_captured
    > payment.amount_refunded + payment.amount_refunding + payment.amount_disputed + coalesce((
    SELECT sum(amount) FROM payments_refund refund
    WHERE refund.payment_id = payment.id AND refund.state = 'FAILED' AND NOT refund.closed), 0)
"""
_APPROVED_ALONE = """
SELECT ledger_public_id('ref', id), format('was asked for and approved by %s', approved_by)
FROM payments_refund WHERE approved_by <> '' AND approved_by IN (requested_by, hand_by)
UNION ALL
SELECT ledger_public_id('ref', id), 'was settled by hand, and nobody approved it'
FROM payments_refund WHERE state = 'SUCCEEDED' AND hand_by <> '' AND approved_by = ''
"""
_WRONG_DISPUTED = """
SELECT ledger_public_id('pay', payment.id), format('says %s disputed, its disputes keep %s',
    payment.amount_disputed, coalesce(sums.kept, 0))
FROM payments_payment payment
LEFT JOIN (
    SELECT payment_id, sum(withdrawn - reinstated) AS kept FROM payments_dispute GROUP BY payment_id
) sums ON sums.payment_id = payment.id
WHERE coalesce(sums.kept, 0) <> payment.amount_disputed
"""
# Money may go out twice when a dispute comes on top of a refund; never without anybody's knowing.
_UNSEEN_DOUBLE = """
SELECT ledger_public_id('pay', payment.id), format('%s refunded, %s on its way and %s disputed of %s: nobody was told',
    payment.amount_refunded, payment.amount_refunding, payment.amount_disputed, payment.amount_captured)
FROM payments_payment payment
WHERE payment.amount_disputed > 0 AND payment.amount_refunded + payment.amount_refunding > 0
    AND payment.amount_refunded + payment.amount_refunding + payment.amount_disputed > payment.amount_captured
    AND NOT EXISTS (
        SELECT 1 FROM payments_dispute dispute WHERE dispute.payment_id = payment.id AND dispute.double_risk)
"""
_STATE_AGAINST_BOOKS = """
SELECT ledger_public_id('dsp', id), format('is %s with %s kept and %s lost', state, withdrawn - reinstated, lost)
FROM payments_dispute
WHERE lost <> CASE WHEN state IN ('LOST', 'ACCEPTED', 'EXPIRED') THEN withdrawn - reinstated ELSE 0 END
"""

# A card is kept because a payment with it succeeded, and pays for nobody but its own customer.
_NOT_AGREED = """
SELECT ledger_public_id('sm', method.id), 'is kept, and no payment with it has succeeded'
FROM payments_savedmethod method
WHERE method.state IN ('ACTIVE', 'EXPIRED') AND NOT EXISTS (
    SELECT 1 FROM payments_attempt attempt
    WHERE attempt.saved_method_id = method.id AND attempt.kind = 'START' AND attempt.answered_at IS NOT NULL)
UNION ALL
SELECT ledger_public_id('att', attempt.id), format('of %L charges a card of %L', payment.customer, vault.customer)
FROM payments_attempt attempt
JOIN payments_payment payment ON payment.id = attempt.payment_id
JOIN payments_savedmethod method ON method.id = attempt.saved_method_id
JOIN payments_customervault vault ON vault.id = method.vault_id
WHERE payment.customer <> vault.customer OR attempt.channel <> method.channel
"""


def check() -> Iterator[Check]:
    yield _by_sql("payments.one_open_attempt", Payment, _NOT_ONE_OPEN)
    yield _by_sql("payments.somebody_ends_it", Payment, _NOBODY_ENDS)
    yield _by_sql("payments.challenges_can_be_answered", Payment, _CHALLENGED_IN_VAIN)
    yield _by_sql("payments.attempts_ask_for_it", Attempt, _ASKED_DIFFERENTLY)
    yield _by_sql("payments.one_start_brought_it", Payment, _NOT_BROUGHT)
    yield _by_sql("payments.parts_brought_theirs", Attempt, _WRONG_PARTS)
    yield _by_sql(
        "payments.success_was_published", Payment, _WITHOUT_EVENT.format(days=settings.EVENTS_KEPT_DAYS)
    )
    yield _by_sql("payments.refund_sums", Refund, _WRONG_REFUND_SUMS)
    yield _by_sql("payments.surplus_goes_back", Payment, _KEPT_SURPLUS)
    yield _by_sql("payments.refunds_second_person", Refund, _APPROVED_ALONE)
    yield _by_sql("payments.disputed_sums", Payment, _WRONG_DISPUTED)
    yield _by_sql("payments.double_risk_is_seen", Payment, _UNSEEN_DOUBLE)
    yield _by_sql("payments.lost_disputes_are_losses", Dispute, _STATE_AGAINST_BOOKS)
    yield _by_sql("payments.kept_cards_are_agreed_to", SavedMethod, _NOT_AGREED)
    yield "payments.vaults_open", SavedMethod.objects.count(), unopenable("payments.vaults_open")
    yield "payments.disputes_in_journal", Dispute.objects.count(), _disputes("payments.disputes_in_journal")
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
    """What the journal must say under `keys`, all together, of what the channel owes us or the bank has."""

    subject: str
    keys: tuple[str, ...]
    channel: str
    amount: Money
    kind: str = "receivable"


def _captures(name: str) -> Iterator[Finding]:
    """Of every payment: one that took nothing has booked nothing."""
    payments = Payment.objects.order_by("pk").iterator(chunk_size=_CHUNK)
    yield from _not_booked(
        name,
        (
            _Moved(
                row.public_id,
                tuple(f"{row.public_id}:capture:{n}" for n in range(1, max(1, row.captures) + 1)),
                row.channel,
                row.money(row.amount_captured),
            )
            for row in payments
        ),
    )


def _refunds(name: str) -> Iterator[Finding]:
    """Of every refund: one that failed booked nothing, or booked it back; one settled by hand left a bank account."""
    refunds = Refund.objects.select_related("payment").order_by("pk").iterator(chunk_size=_CHUNK)
    yield from _not_booked(name, (moved for row in refunds for moved in _moved_by(row)))


def _moved_by(row: Refund) -> Iterator[_Moved]:
    done = row.state == RefundState.SUCCEEDED
    tries = (f"{row.public_id}:refund{f':{n}' if n > 1 else ''}" for n in range(1, row.movement + 1))
    keys = tuple(key for first in tries for key in (first, f"{first}:returned"))
    returned, paid = (0, -row.amount) if row.by_hand else (-row.amount, 0)
    yield _Moved(row.public_id, keys, row.payment.channel, row.payment.money(returned if done else 0))
    by_hand = (f"{row.public_id}:refund:hand",)
    yield _Moved(row.public_id, by_hand, row.hand_account, row.payment.money(paid if done else 0), "bank")


def _disputes(name: str) -> Iterator[Finding]:
    """Each total of a dispute is what stands under its keys, in the account that the total is about."""
    rows = Dispute.objects.order_by("pk").iterator(chunk_size=_CHUNK)
    while chunk := list(islice(rows, _CHUNK)):
        keys = {row.pk: [key for kind in row.postings for key in row.posting_keys(kind)] for row in chunk}
        posted = entries_by_key([key for of_row in keys.values() for key in of_row])
        for row in chunk:
            booked: Counter[str] = Counter()
            for entry in (entry for key in keys[row.pk] for entry in posted.get(key, ())):
                booked[f"{entry.account} {entry.amount.currency}"] += entry.amount.minor
            kept = row.withdrawn - row.reinstated
            wanted = {
                f"receivable:{row.channel} {row.currency}": -kept - row.fee,
                f"disputed:{row.channel} {row.currency}": kept - row.lost,
                f"dispute_losses {row.currency}": row.lost,
                f"dispute_fees {row.currency}": row.fee,
            }
            if {k: v for k, v in booked.items() if v} != {k: v for k, v in wanted.items() if v}:
                yield Finding(name, row.public_id, f"says {wanted}, the journal says {dict(booked)}")


def _not_booked(name: str, expected: Iterator[_Moved]) -> Iterator[Finding]:
    while chunk := list(islice(expected, _CHUNK)):
        posted = entries_by_key([key for moved in chunk for key in moved.keys])
        for moved in chunk:
            booked: Counter[tuple[str, str]] = Counter()
            for entry in (entry for key in moved.keys for entry in posted.get(key, ())):
                if entry.account.startswith(f"{moved.kind}:"):
                    booked[entry.account, entry.amount.currency] += entry.amount.minor
            account = (f"{moved.kind}:{moved.channel}", moved.amount.currency)
            found = {which: minor for which, minor in booked.items() if minor}
            if found != ({account: moved.amount.minor} if moved.amount.minor else {}):
                told = ", ".join(
                    f"{minor} {currency} of {which}" for (which, currency), minor in found.items()
                )
                detail = f"moved {moved.amount.minor} of {account[0]}, the journal says {told or 'nothing'}"
                yield Finding(name, moved.subject, detail)
