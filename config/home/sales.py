"""The day's payments: how many, how they ended, what they brought, and how soon channels answered."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from config.home.figures import Figure, count, figure, percent, points, rows, within
from config.home.spans import Three, spans
from ledger.money import Money
from payments.daily import HAS_MONEY, Begun, answered_between, begun_on

_LIST = "admin:payments_payment_changelist"
_STEP, _HEIGHT = 10, 100  # of the chart: an hour, and as many payments as the fullest hour had


def sales(request: HttpRequest, now: datetime) -> dict[str, Any]:
    """Six statements."""
    three = spans(now)
    begun = three.each(lambda span: begun_on(span.begin, span.until, span.end))
    answered = three.each(lambda span: answered_between(span.begin, span.until))
    today, range_ = begun.today, within(three.today)
    number = figure(
        begun.each(lambda one: one.count), count, href=rows(_LIST, **range_) if today.count else ""
    )
    success = figure(
        begun.each(lambda one: one.success_permille),
        percent,
        differ=points,
        note=_("%(part)s of %(whole)s that ended")
        % {"part": count(today.succeeded), "whole": count(today.ended)},
        href=rows(_LIST, state__in=",".join(sorted(HAS_MONEY)), **range_) if today.succeeded else "",
    )
    slowest = figure(
        answered.each(lambda one: one.p95_ms),
        lambda ms: f"{count(ms)} ms",
        note=_("p95 of %(count)s first answers of channels") % {"count": count(answered.today.count)},
    )
    return {
        "tiles": [
            (_("Payments begun"), [number]),
            (_("Success rate"), [success]),
            (_("Taken by them"), _taken(begun, range_)),
            (_("Channels answer within"), [slowest]),
        ],
        "chart": _chart(begun.each(lambda one: one.by_hour)),
    }


def _taken(begun: Three[Begun], range_: dict[str, Any]) -> list[Figure]:
    """One for each currency of any of the days: sums of two are never added up."""
    sums = begun.each(lambda one: {money.currency: money.minor for money in one.taken})
    return [
        figure(
            sums.each(lambda of_day, currency=currency: of_day.get(currency, 0)),  # type: ignore[misc]
            lambda minor, currency=currency: Money(minor, currency).formatted(),  # type: ignore[misc]
            href=rows(_LIST, currency__exact=currency, amount_captured__gt=0, **range_)
            if currency in sums.today
            else "",
        )
        for currency in sorted({currency for of_day in sums.days for currency in of_day})
    ]


def _chart(hours: Three[Sequence[int]]) -> dict[str, Any]:
    """Bars for today and a line for each of the other days, as integers for an SVG."""
    most = max((max(one, default=0) for one in hours.days), default=0)
    return {
        "most_text": count(most),
        "width": 24 * _STEP,
        "height": _HEIGHT,
        "bars": [
            {"x": hour * _STEP + 1, "y": _HEIGHT - (height := _height(number, most)), "height": height}
            for hour, number in enumerate(hours.today)
            if number
        ],
        "yesterday": _line(hours.yesterday, most),
        "week_ago": _line(hours.week_ago, most),
        "rows": [
            (f"{hour:02d}:00", *numbers)
            for hour, numbers in enumerate(zip(*hours.days, strict=True))
            if any(numbers)
        ],
    }


def _line(of_day: Sequence[int], most: int) -> str:
    """Through the middle of each hour; none for a day on which nothing was."""
    known = enumerate(of_day) if any(of_day) else ()
    return " ".join(
        f"{hour * _STEP + _STEP // 2},{_HEIGHT - _height(number, most)}" for hour, number in known
    )


def _height(number: int, most: int) -> int:
    return max(_HEIGHT * number // most, 1) if number else 0
