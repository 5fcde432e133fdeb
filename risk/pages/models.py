"""A model's card: what it learnt from, how it did, how old it is, and which policies ask it."""

from collections.abc import Mapping
from typing import Any

from django.contrib.admin import site
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language, gettext
from django.views.decorators.http import require_safe

from risk import ages, wording
from risk.models import Policy, RiskModel
from risk.pages.plots import FRAME, plots_of
from risk.pages.showing import grouped, require


@site.admin_view
@require_safe
def model_card(request: HttpRequest, model: str) -> HttpResponse:
    """`model` is "name@version"."""
    require(request, "risk.view_riskmodel")
    name, _, version = model.partition("@")
    number = int(version) if version.isdecimal() and len(version) < 9 else 0
    row = RiskModel.objects.filter(name=name, version=number).defer("text").first()
    if row is None:
        raise Http404("There is no such model.")
    context = {
        **site.each_context(request),
        "title": gettext("Model %(name)s") % {"name": row},
        "model": row,
        "card": row.card,
        "payments": grouped(row.card.get("payments")),
        "frauds": grouped(row.card.get("frauds")),
        "later": _later(row.card.get("later", {})),
        "influence": _influence(row.card.get("later", {}).get("influence", {})),
        "plots": plots_of(row.card),
        **FRAME,
        "age": ages.age_of(row, timezone.now()),
        "old_days": ages.OLD_DAYS,
        "policies": Policy.objects.filter(model__name=str(row)).order_by("-created_at")[:10],
    }
    return render(request, "risk/model.html", context)


def _later(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How it did, in words."""
    titles = {
        "payments": gettext("Payments"),
        "frauds": gettext("Frauds among them"),
        "auc": gettext("Area under the curve (AUC)"),
        "ap": gettext("Average precision"),
        "recall_at_0.1pct": gettext("Frauds found when 0.1 % of the honest are stopped"),
    }
    return [(title, grouped(figures[name])) for name, title in titles.items() if name in figures]


def _influence(groups: Mapping[str, float]) -> list[tuple[str, float]]:
    """What moves most comes first."""
    locale = get_language() or "en"
    titles = {"ip": gettext("network address"), "other": gettext("other")}
    return sorted(
        ((titles.get(name) or wording.cause(name, locale), moved) for name, moved in groups.items()),
        key=lambda one: -one[1],
    )
