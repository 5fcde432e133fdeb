"""What the pages of the books have in common: who may see them, days in an address, figures that open, and CSV."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.contrib.admin import site
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from ledger.models.days import today
from ledger.money import Money
from ledger.reports.cells import FIRST_DAY, LAST_DAY, Cell
from ledger.reports.profit import Period
from ledger.reports.trial import currencies
from ledger.services.note_export import note_export
from ledger.sheets import Value, rows_as_csv

SEE, CLOSE = "ledger.view_transaction", "ledger.close_day"
_LONGEST = timedelta(days=365)
_PAGES = (
    ("books-trial", _("Trial balance")),
    ("books-profit", _("Profit and loss")),
    ("books-unsettled", _("Unsettled")),
    ("books-days", _("Days")),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """An amount as it is shown; `href` leads to its lines, "" where there are none."""

    text: str
    href: str = ""
    negative: bool = False


def figure(amount: Money, cell: Cell | None = None) -> Figure:
    href = f"{reverse('books-lines')}?{cell.query}" if cell and amount.minor else ""
    return Figure(amount.grouped() if amount.minor else "–", href, amount.minor < 0)


def require(request: HttpRequest, right: str) -> None:
    if not request.user.has_perm(right):
        raise PermissionDenied


def actor(request: HttpRequest) -> str:
    return f"user:{request.user.pk}"


def page(
    request: HttpRequest, template: str, title: str, *, after: str | None = None, **context: Any
) -> HttpResponse:
    """The template below the tabs of the books; `after` is where the next page begins."""
    query = request.GET.copy()
    for name in ("csv", "after"):
        query.pop(name, None)
    more = query.copy()
    if after is not None:
        more["after"] = after
    here = request.resolver_match.url_name if request.resolver_match else ""
    tabs = [{"title": name, "link": reverse(url), "active": url == here} for url, name in _PAGES]
    shown = {
        **site.each_context(request),
        "title": title,
        "tabs": tabs,
        "query": query.urlencode(),
        "more": "" if after is None else more.urlencode(),
    }
    return render(request, f"ledger/{template}.html", shown | context)


def sheet(
    request: HttpRequest, report: str, header: Iterable[str], rows: Iterable[Iterable[Value]]
) -> HttpResponseBase:
    """The report as a file, sent while it is read; that it was taken stands in the audit journal."""
    asked = {name: str(value) for name, value in request.GET.items() if name != "after"}
    note_export(report=report, asked=asked, actor=actor(request))
    text = rows_as_csv(header, rows, byte_order_mark=request.GET.get("csv") == "excel")
    name = f"{report}-{today().isoformat()}.csv"
    return StreamingHttpResponse(
        text,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


def wants_sheet(request: HttpRequest) -> bool:
    return bool(request.GET.get("csv"))


def day(request: HttpRequest, name: str, default: date) -> date:
    """The day in the address; the default for what is none."""
    try:
        asked = date.fromisoformat(request.GET.get(name, ""))
    except ValueError:
        return default
    return asked if FIRST_DAY <= asked <= LAST_DAY else default


def span(request: HttpRequest, default: date) -> tuple[date, date]:
    """`first` and `last` of the address, a year at most; from `default` until today when nothing is said."""
    last = day(request, "last", today())
    first = day(request, "first", min(default, last))
    return max(min(first, last), last - _LONGEST), last


def period(request: HttpRequest) -> Period:
    """The period in the address: this month so far when nothing is said."""
    first, last = span(request, today().replace(day=1))
    known = currencies() or ["CNY"]
    asked = request.GET.get("currency", "")
    currency = asked if asked in known else "CNY" if "CNY" in known else known[0]
    return Period(first=first, last=last, currency=currency)
