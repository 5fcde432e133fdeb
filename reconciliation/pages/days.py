"""The daily report: three books of one channel beside each other, and the last weeks as a picture."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, Final

from django.contrib.admin import site
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from ledger.money import Money
from ledger.sheets import Value, rows_as_csv
from reconciliation import wording
from reconciliation.pages.statements import VIEW
from reconciliation.terms import terms_of
from reconciliation.three_books import DayReport, NamedDifference, channels_reported, day_reports
from reconciliation.trends import Trend, last_statement, trend

_DAYS: Final = 30
_MOST_DAYS: Final = 92
KINDS: Final[dict[str, Any]] = {
    "payment": gettext_lazy("Payments"),
    "refund": gettext_lazy("Refunds"),
    "refund_returned": gettext_lazy("Refunds that came back"),
    "dispute": gettext_lazy("Taken by disputes"),
    "dispute_won": gettext_lazy("Given back by disputes"),
    "dispute_fee": gettext_lazy("Fees of disputes"),
    "fee": gettext_lazy("Fees"),
    "payout": gettext_lazy("Payouts"),
    "deposit": gettext_lazy("Transfers at the bank"),
    "repair": gettext_lazy("Repairs"),
    "other": gettext_lazy("Other"),
}
BETWEEN: Final[dict[str, Any]] = {
    "orders_payments": gettext_lazy("orders ↔ payments"),
    "payments_statement": gettext_lazy("payments ↔ statement"),
    "payments_ledger": gettext_lazy("payments ↔ ledger"),
    "statement_ledger": gettext_lazy("statement ↔ ledger"),
}
WHY: Final[dict[str, Any]] = {
    "only_theirs": gettext_lazy("only the channel has it"),
    "only_ours": gettext_lazy("only we have it"),
    "differs": gettext_lazy("it differs"),
    "other_day": gettext_lazy("of another day of ours"),
    "elsewhere": gettext_lazy("on the statement of another day"),
    "fee": gettext_lazy("another fee than the tariff's"),
    "undone": gettext_lazy("corrected later"),
    "paid_not_ordered": gettext_lazy("paid, and no order"),
    "cancelled_not_refunded": gettext_lazy("the order was cancelled"),
    "surplus_not_refunded": gettext_lazy("the order was paid twice"),
}
_CSV = "channel day currency between_or_kind why orders payments statement ledger difference".split()


@site.admin_view
@require_safe
def three_books(request: HttpRequest) -> HttpResponse:
    _require(request)
    channels = channels_reported()
    channel = request.GET.get("channel", channels[0])
    if channel not in channels:
        raise Http404("No such channel.")
    day = _day(request.GET.get("day", ""), channel)
    past = trend(channel, day - timedelta(days=_DAYS - 1), day)
    context = {
        **site.each_context(request),
        "title": _("Three books"),
        "channels": channels,
        "channel": channel,
        "day": day,
        "before": day - timedelta(days=1),
        "after": day + timedelta(days=1),
        "reports": [_told(report) for report in day_reports(channel, day)],
        "trend": past,
        "kinds": [(wording.KINDS[one.kind], one) for one in past.kinds],
        "bars": _bars(past),
        "ages": past.ages,
    }
    return render(request, "reconciliation/three_books.html", context)


@site.admin_view
@require_safe
def three_books_csv(request: HttpRequest) -> StreamingHttpResponse:
    """All channels, or one, for a day or some: each figure a row."""
    _require(request)
    channels = channels_reported()
    wanted = [one for one in channels if request.GET.get("channel", one) == one]
    if not wanted:
        raise Http404("No such channel.")
    until = _day(request.GET.get("day", ""), wanted[0])
    since = max(
        _day(request.GET.get("since", "") or until.isoformat(), wanted[0]), until - timedelta(_MOST_DAYS)
    )
    rows = rows_as_csv(_CSV, _rows(wanted, since, until), byte_order_mark=True)
    answer = StreamingHttpResponse(rows, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="three-books-{since}-{until}.csv"'
    return answer


def _rows(channels: list[str], since: date, until: date) -> Iterator[list[Value]]:
    for number in range((until - since).days + 1):
        for channel in channels:
            for report in day_reports(channel, since + timedelta(days=number)):
                head: list[Value] = [channel, report.day, report.currency]
                for row in report.rows:
                    books: list[Value] = [row.orders, row.payments, row.statement, row.ledger]
                    yield [*head, row.kind, "", *books, None]
                for one in report.differences:
                    yield [*head, one.between, one.kind, None, None, None, None, one.amount]
                for one in report.unexplained:
                    yield [*head, one.between, f"unexplained:{one.kind}", None, None, None, None, one.amount]


def _told(report: DayReport) -> dict[str, Any]:
    """What the template shows."""

    def money(minor: int | None) -> Money | None:
        return None if minor is None else Money(minor, report.currency)

    return {
        "report": report,
        "rows": [
            {
                "title": KINDS[row.kind],
                "books": [money(one) for one in (row.orders, row.payments, row.statement, row.ledger)],
            }
            for row in report.rows
        ],
        "differences": [_words(one, report.currency) for one in report.differences],
        "unexplained": [_words(one, report.currency) for one in report.unexplained],
        "match": f"{report.match_permille / 10:.1f} %" if report.match_permille is not None else "",
    }


def _words(one: NamedDifference, currency: str) -> dict[str, Any]:
    why, _colon, kind = one.kind.partition(":")
    return {
        "between": BETWEEN[one.between],
        "why": WHY.get(why) or KINDS.get(why, why),
        "kind": KINDS.get(kind, kind),
        "count": one.count,
        "amount": Money(one.amount, currency),
    }


def _bars(past: Trend) -> list[dict[str, Any]]:
    """A bar for each day: how much of it matched, and how many differences it left."""
    most = max([day.differences for day in past.days], default=0) or 1
    width = 600 / max(len(past.days), 1)
    return [
        {
            "day": day.day,
            "x": f"{number * width:.1f}",
            "middle": f"{(number + 0.5) * width:.1f}",
            "width": f"{width * 0.7:.1f}",
            "matched": 0 if day.permille is None else day.permille * 90 // 1000,
            "top": 100 - (0 if day.permille is None else day.permille * 90 // 1000),
            "percent": "" if day.permille is None else f"{day.permille / 10:.1f} %",
            "differences": day.differences,
            "drop": day.differences * 36 // most,
            "is_here": day.is_here,
        }
        for number, day in enumerate(past.days)
    ]


def _day(said: str, channel: str) -> date:
    """The day that was asked for, or the last one with a statement; without any, the last one that is over."""
    try:
        return date.fromisoformat(said)
    except ValueError:
        yesterday = terms_of(channel).day_of(timezone.now()) - timedelta(days=1)
        return min(last_statement(channel) or yesterday, yesterday)


def _require(request: HttpRequest) -> None:
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
