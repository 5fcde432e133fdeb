"""What a day brought: payments by hour and how they stand, and how soon channels answered."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection
from django.db.models import Count

from ledger.money import Money
from payments.models import Payment
from payments.states import PaymentState

HAS_MONEY = frozenset({PaymentState.SUCCEEDED, PaymentState.AUTHORIZED})
_ENDED = HAS_MONEY | {PaymentState.FAILED, PaymentState.CANCELLED}
_BEGUN = """
SELECT extract(hour FROM created_at AT TIME ZONE %(zone)s)::int, state, currency, count(*),
       count(*) FILTER (WHERE created_at < %(until)s),
       coalesce(sum(amount_captured) FILTER (WHERE created_at < %(until)s), 0)
  FROM payments_payment
 WHERE created_at >= %(begin)s AND created_at < %(end)s
 GROUP BY 1, 2, 3
"""
# Each channel's part is a range of `attempt_health`.
_ANSWERED = """
SELECT count(*), percentile_disc(0.95) WITHIN GROUP (ORDER BY latency_ms)
  FROM payments_attempt
 WHERE kind = 'START' AND channel = ANY(%(channels)s) AND sent_at >= %(begin)s AND sent_at < %(until)s
       AND latency_ms IS NOT NULL
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Payments that began before `until`, as they stand now, and of the whole day how many `by_hour` of the merchant's.

    `succeeded` took or hold the money; of `ended` nothing more is to come unless the customer tries again.
    """

    count: int
    succeeded: int
    ended: int
    taken: tuple[Money, ...]
    by_hour: tuple[int, ...]

    @property
    def success_permille(self) -> int | None:
        return 1000 * self.succeeded // self.ended if self.ended else None


@dataclass(frozen=True, slots=True)
class Answered:
    """How many new payments channels gave their first answer to, and within how long to 19 of 20 of them."""

    count: int
    p95_ms: int | None


def begun_on(begin: datetime, until: datetime, end: datetime) -> Begun:
    """Of the day from `begin` until before `end`. One statement over a range of `payment_created`."""
    hours, states, taken = dict[int, int](), dict[str, int](), dict[str, int]()
    with connection.cursor() as cursor:
        cursor.execute(
            _BEGUN, {"zone": settings.LEDGER_TIME_ZONE, "begin": begin, "until": until, "end": end}
        )
        for hour, state, currency, all_day, number, captured in cursor.fetchall():
            hours[hour] = hours.get(hour, 0) + all_day
            states[state] = states.get(state, 0) + number
            taken[currency] = taken.get(currency, 0) + int(captured)
    return Begun(
        count=sum(states.values()),
        succeeded=sum(states.get(state, 0) for state in HAS_MONEY),
        ended=sum(states.get(state, 0) for state in _ENDED),
        taken=tuple(Money(minor, currency) for currency, minor in sorted(taken.items()) if minor),
        by_hour=tuple(hours.get(hour, 0) for hour in range(24)),
    )


def answered_between(begin: datetime, until: datetime) -> Answered:
    with connection.cursor() as cursor:
        cursor.execute(_ANSWERED, {"channels": list(settings.CHANNELS), "begin": begin, "until": until})
        return Answered(*cursor.fetchone())


def references_paid_for(first: str, beyond: str) -> int:
    """For how many references from `first` until before `beyond` a payment was begun, in their order as text."""
    rows = Payment.objects.filter(reference__gte=first, reference__lt=beyond)
    return int(rows.aggregate(count=Count("reference", distinct=True))["count"])
