"""Profit and loss of a period, by day, channel, article and order."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from django.contrib.admin import site
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from ledger.models.days import today
from ledger.money import Money
from ledger.reports.cells import By
from ledger.reports.profit import (
    Period,
    Profit,
    ProfitRow,
    cell_of,
    every_profit_by,
    profit_by,
    profit_of,
)
from ledger.reports.trial import currencies
from ledger.rules import Kind
from ledger.sheets import Value, money_columns
from ledger.views import frame
from ledger.views.frame import figure

_HEIGHT = 120  # of the chart's bars, together
_STEP = 10
_DAYS, _PAGE = 366, 50  # rows of a page


@site.admin_view
@require_safe
def profit(request: HttpRequest) -> HttpResponseBase:
    frame.require(request, frame.SEE)
    period, by = frame.period(request), _by(request)
    if frame.wants_sheet(request):
        header = ("first", "last", "by", "key", "account", *money_columns("effect_on_profit"))
        return frame.sheet(request, "profit", header, _as_rows(period, by))
    found = profit_of(period)
    after = request.GET["after"].replace("\x00", "") if "after" in request.GET else None
    days = profit_by(period, By.DAY, limit=_DAYS)
    rows = days if by == By.DAY else profit_by(period, by, after=after, limit=_PAGE)
    return frame.page(
        request,
        "profit",
        _("Profit and loss"),
        period=period,
        currencies=currencies(),
        spans=_spans(),
        dates=(period.first.isoformat(), period.last.isoformat()),
        parts=_parts(period, found),
        profit=figure(found.profit, period.cell()),
        chart=_chart(period, days.rows),
        by=by.value,
        ways=[
            (By.DAY, _("Day")),
            (By.CHANNEL, _("Channel")),
            (By.ITEM, _("Article")),
            (By.ORDER, _("Order")),
        ],
        heads=[head.rstrip(":").replace("_", " ") for head in found.heads],
        rows=[_row(period, by, found, row) for row in rows.rows],
        after=rows.rows[-1].key if rows.more else None,
        nothing={By.CHANNEL: _("no channel"), By.ITEM: _("not by article"), By.ORDER: _("no order")}.get(
            by, ""
        ),
    )


def _by(request: HttpRequest) -> By:
    asked = request.GET.get("by", "")
    return By(asked) if asked in {By.DAY, By.CHANNEL, By.ITEM, By.ORDER} else By.DAY


def _spans() -> list[tuple[str, str]]:
    """(name, query) of the periods that are asked for most."""
    now = today()
    month = now.replace(day=1)
    before = month - timedelta(days=1)
    return [
        (name, f"first={first.isoformat()}&last={last.isoformat()}")
        for name, first, last in (
            (_("this month"), month, now),
            (_("last month"), before.replace(day=1), before),
            (_("30 days"), now - timedelta(days=29), now),
            (_("this year"), now.replace(month=1, day=1), now),
        )
    ]


def _parts(period: Period, found: Profit) -> list[dict[str, Any]]:
    """Income and expense, each with its lines and its sum."""
    return [
        {
            "title": title,
            "lines": [
                (line.account, figure(line.amount, period.cell(line.account)))
                for line in found.lines
                if line.kind == kind
            ],
            "total": figure(total, period.cell(kind=kind.value)),
        }
        for kind, title, total in (
            (Kind.INCOME, _("Income"), found.income),
            (Kind.EXPENSE, _("Expense"), found.expense),
        )
    ]


def _row(period: Period, by: By, found: Profit, row: ProfitRow) -> dict[str, Any]:
    none = Money(0, period.currency)
    return {
        "key": row.key,
        "cells": [
            figure(row.amounts.get(head, none), cell_of(period, by, row.key, head)) for head in found.heads
        ],
        "profit": figure(row.profit, cell_of(period, by, row.key)),
    }


def _chart(period: Period, found: Iterable[ProfitRow]) -> dict[str, Any]:
    """A bar for each day of the period, as integers for an SVG: its profit above the line, its loss below."""
    rows = {row.key: row for row in found}
    most = max([row.profit.minor for row in rows.values()] + [0])
    least = min([row.profit.minor for row in rows.values()] + [0])
    reach = max(most - least, 1)
    line = _HEIGHT * most // reach
    days = (period.last - period.first).days + 1
    bars = [
        _bar(period, number, rows[day], line, reach)
        for number in range(days)
        if (day := (period.first + timedelta(days=number)).isoformat()) in rows
    ]
    return {"width": days * _STEP, "height": _HEIGHT, "line": line, "bars": bars}


def _bar(period: Period, number: int, row: ProfitRow, line: int, reach: int) -> dict[str, Any]:
    height = max(_HEIGHT * abs(row.profit.minor) // reach, 1)
    return {
        "x": number * _STEP + 1,
        "y": line - height if row.profit.minor > 0 else line,
        "width": _STEP - 2,
        "height": height,
        "day": row.key,
        "figure": figure(row.profit, cell_of(period, By.DAY, row.key)),
    }


def _as_rows(period: Period, by: By) -> Iterator[tuple[Value, ...]]:
    for row in every_profit_by(period, by):
        for head, amount in row.amounts.items():
            yield period.first, period.last, by.value, row.key, head.rstrip(":"), amount
