"""The figures of the days, what has moved, and what was warned of."""

from django.contrib.admin import site
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from risk import advised, daily
from risk.models import Alert
from risk.pages.showing import require
from risk.states import Action


@site.admin_view
@require_safe
def figures(request: HttpRequest) -> HttpResponse:
    require(request, "risk.view_decision")
    now = timezone.now()
    days = daily.days(now=now)
    context = {
        **site.each_context(request),
        "title": _("Risk figures"),
        "actions": [one.value for one in Action],
        "days": [(one, [(a.value, one.actions[a], one.permille(a)) for a in Action]) for one in days],
        "moved": daily.moved(now=now),
        "alerts": Alert.objects.order_by("-id")[:20],
        "advice": advised.outcomes(),
        "recent": daily.RECENT,
        "reference": daily.REFERENCE,
    }
    return render(request, "risk/figures.html", context)
