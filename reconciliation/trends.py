"""A channel's last weeks: how much matched, which differences were found, and what is not settled by age."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Count, F, QuerySet, Sum

from ledger.money import Money
from reconciliation.at_bank import on_their_way
from reconciliation.models import Discrepancy, StatementFile
from reconciliation.states import CLOSED

# Days since it was paid out, and what they are called.
_AGES: Final = ((1, "0-1"), (3, "2-3"), (7, "4-7"), (10_000, "8+"))


@dataclass(frozen=True, slots=True)
class TrendDay:
    day: date
    is_here: bool
    permille: int | None
    differences: int


@dataclass(frozen=True, slots=True)
class KindCount:
    kind: str
    count: int
    still_open: int


@dataclass(frozen=True, slots=True)
class Age:
    """Payouts on their way for so many days."""

    days: str
    amount: Money
    permille: int  # of the largest


@dataclass(frozen=True, slots=True)
class Trend:
    days: tuple[TrendDay, ...]
    kinds: tuple[KindCount, ...]
    ages: tuple[Age, ...]


def last_statement(channel: str) -> date | None:
    """The last day whose statement of movements is here."""
    return _files(channel).order_by("-day_on").values_list("day_on", flat=True).first()


def trend(channel: str, since: date, until: date) -> Trend:
    """From day to day, both included. Four statements."""
    here = {row.day_on: row for row in _files(channel).filter(day_on__range=(since, until))}
    found = Discrepancy.objects.filter(file__channel=channel, file__day_on__range=(since, until))
    by_day = dict(found.order_by().values_list("file__day_on").annotate(Count("pk")))
    closed = dict(found.filter(state__in=CLOSED).order_by().values_list("kind").annotate(Count("pk")))
    kinds = found.order_by().values_list("kind").annotate(number=Count("pk")).order_by("-number", "kind")
    return Trend(
        days=tuple(
            _day(since + timedelta(days=number), here, by_day) for number in range((until - since).days + 1)
        ),
        kinds=tuple(KindCount(name, number, number - closed.get(name, 0)) for name, number in kinds),
        ages=tuple(_ages(channel, until)),
    )


def _files(channel: str) -> QuerySet[StatementFile]:
    kind = settings.SETTLEMENT.get(channel, {}).get("fees", "")
    return StatementFile.objects.live().filter(channel=channel, kind=kind)


def _day(day: date, here: dict[date, StatementFile], differences: dict[date, int]) -> TrendDay:
    row = here.get(day)
    permille = row.matched * 1000 // row.rows if row and row.rows else None
    return TrendDay(day, row is not None, permille, differences.get(day, 0))


def _ages(channel: str, today: date) -> list[Age]:
    waiting = on_their_way().filter(channel=channel, paid_on__lte=today)
    rows = waiting.annotate(left=F("net_amount") - F("deposited_amount")).order_by()
    sums: dict[tuple[str, str], int] = {}
    for paid_on, currency, left in rows.values_list("paid_on", "currency").annotate(Sum("left")):
        age = next(name for most, name in _AGES if (today - paid_on).days <= most)
        sums[age, currency] = sums.get((age, currency), 0) + left
    largest = max(map(abs, sums.values()), default=0) or 1
    order = [name for _, name in _AGES]
    return [
        Age(age, Money(left, currency), abs(left) * 1000 // largest)
        for (age, currency), left in sorted(sums.items(), key=lambda one: (order.index(one[0][0]), one[0][1]))
    ]
