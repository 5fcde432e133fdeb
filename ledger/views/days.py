"""Which days are closed, and the page on which finance closes more."""

from datetime import date

from django.conf import settings
from django.contrib import messages
from django.contrib.admin import site
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from ledger.errors import Refusal
from ledger.reports.days import (
    closes_on,
    first_open_day,
    last_due_day,
    last_ended_day,
    moved_by_day,
    why_not_closed,
)
from ledger.selectors import closed_days, names_of
from ledger.services.close_day import close_day
from ledger.views import frame


@site.admin_view
@require_http_methods(["GET", "HEAD", "POST"])
def days(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        frame.require(request, frame.CLOSE)
        _close(request)
        return redirect("books-days")
    frame.require(request, frame.SEE)
    first, ended = first_open_day(), last_ended_day()
    through = min(frame.day(request, "through", ended), ended)
    open_ = first is not None and first <= through
    closed = closed_days(limit=62)
    names = names_of(row.closed_by for row in closed)
    return frame.page(
        request,
        "days",
        _("Days"),
        first=first,
        through=through,
        ended=ended,
        nothing_ended=first is None or first > ended,
        count=(through - first).days + 1 if first and open_ else 0,
        moved=moved_by_day(first, through) if first and open_ else [],
        may_close=request.user.has_perm(frame.CLOSE),
        closed=[(row, names[row.closed_by]) for row in closed],
        close_after=settings.LEDGER_CLOSE_AFTER_DAYS,
        closes_on=closes_on(first) if first else None,
        due=last_due_day(),
        refused=why_not_closed(first) if first else "",
    )


def _close(request: HttpRequest) -> None:
    try:
        through = date.fromisoformat(request.POST.get("through", ""))
    except ValueError:
        messages.error(request, _("Say through which day: none was closed."))
        return
    if request.POST.get("confirmed") != through.isoformat():
        messages.error(request, _("Tick that you want these days closed for good: none was closed."))
        return
    try:
        closed = close_day(day=through, actor=frame.actor(request))
    except Refusal as refusal:
        messages.error(request, _("Not closed: %(why)s.") % {"why": str(refusal)})
        return
    said = ngettext("%(count)s day is closed.", "%(count)s days are closed.", len(closed))
    messages.success(request, said % {"count": len(closed)})
