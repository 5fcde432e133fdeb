"""The page stands at once; its parts come after it, each by itself, to those who may open what is behind them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin import site
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from config.home.channels import channels
from config.home.decisions import decisions
from config.home.funnel import funnel
from config.home.sales import sales
from config.home.spans import spans, zone
from config.home.unsettled import unsettled
from config.home.work import QUEUES, SEE_STUCK, work


@dataclass(frozen=True, slots=True)
class Part:
    """Shown to who has one of `rights`; `facts` are what its template, of the same name, shows."""

    name: str
    title: Any
    rights: tuple[str, ...]
    facts: Callable[[HttpRequest, datetime], dict[str, Any]]
    wide: bool = False

    @property
    def template(self) -> str:
        return f"config/home/_{self.name}.html"

    def is_for(self, request: HttpRequest) -> bool:
        return any(request.user.has_perm(right) for right in self.rights)


PARTS = (
    Part("sales", _("Payments"), ("payments.view_payment",), sales, wide=True),
    Part("work", _("Open work"), (SEE_STUCK, *(one.right for one in QUEUES)), work),
    Part("funnel", _("From checkout to parcel"), ("checkout.view_order",), funnel),
    Part("decisions", _("Risk"), ("risk.view_decision",), decisions),
    Part("unsettled", _("Unsettled by age"), ("ledger.view_transaction",), unsettled),
    Part(
        "channels",
        _("Channels in the last 15 minutes"),
        ("payments.view_routingpolicy",),
        channels,
        wide=True,
    ),
)


@site.admin_view
@never_cache
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    return _page(request)


@site.admin_view
@never_cache
@require_safe
def part(request: HttpRequest, name: str) -> HttpResponse:
    """One part: for the page that waits for it, or within the whole page, where no script runs."""
    asked = next((one for one in PARTS if one.name == name), None)
    if asked is None:
        raise Http404("There is no such part.")
    if not asked.is_for(request):
        raise PermissionDenied
    facts = asked.facts(request, timezone.now())
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, asked.template, facts)
    return _page(request, asked, facts)


def _page(
    request: HttpRequest, asked: Part | None = None, facts: dict[str, Any] | None = None
) -> HttpResponse:
    three = spans(timezone.now())
    context = {
        **site.each_context(request),
        "title": _("Home"),
        "day": f"{three.today.until:%Y-%m-%d}",
        "time": f"{three.today.until:%H:%M}",
        "then": f"{three.week_ago.until:%Y-%m-%d}",
        "zone": zone().key,
        "parts": [one for one in PARTS if one.is_for(request)],
        "asked": asked,
        "app_list": site.get_app_list(request),
        **(facts or {}),
    }
    return render(request, "config/home/home.html", context)
