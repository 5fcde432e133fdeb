"""Today so far, and what it is compared with: the same part of yesterday and of the same weekday a week ago."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo

from django.conf import settings

T_co = TypeVar("T_co", covariant=True)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Span:
    """A day of the merchant's from `begin`, its midnight, to `end`; it is looked at before `until`."""

    begin: datetime
    until: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Three(Generic[T_co]):
    """One of each day that is compared."""

    today: T_co
    yesterday: T_co
    week_ago: T_co

    def each(self, make: Callable[[T_co], R]) -> "Three[R]":
        return Three(make(self.today), make(self.yesterday), make(self.week_ago))

    @property
    def days(self) -> tuple[T_co, T_co, T_co]:
        return self.today, self.yesterday, self.week_ago


def zone() -> ZoneInfo:
    """The merchant's time zone."""
    return ZoneInfo(settings.LEDGER_TIME_ZONE)


def spans(now: datetime) -> Three[Span]:
    """Each until the time of day that it is `now` where the merchant is."""
    return Three(0, 1, 7).each(lambda days: _span(now.astimezone(zone()), days))


def _span(here: datetime, days: int) -> Span:
    day = here.date() - timedelta(days=days)
    midnight, next_midnight = (
        datetime.combine(one, time(), zone()) for one in (day, day + timedelta(days=1))
    )
    return Span(begin=midnight, until=datetime.combine(day, here.timetz()), end=next_midnight)
