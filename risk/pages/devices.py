"""Devices: what is known of each, how far it was trusted, and whether it may pay."""

from django.contrib import messages
from django.contrib.admin import site
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from ledger.errors import Refusal
from ledger.selectors import names_of
from ledger.wording import said
from risk import devices as seen
from risk.errors import DeviceNotFound
from risk.pages.showing import actor, listed, require
from risk.selectors import DecisionView
from risk.services.freeze_device import freeze_device
from risk.services.unfreeze_device import unfreeze_device

VIEW, FREEZE = "risk.view_device", "risk.freeze_device"


@site.admin_view
@require_safe
def devices(request: HttpRequest) -> HttpResponse:
    require(request, VIEW)
    query, frozen = request.GET.get("q", "").strip(), "frozen" in request.GET
    context = {
        **site.each_context(request),
        "title": _("Devices"),
        "devices": seen.devices(frozen=frozen, query=query),
        "query": query,
        "frozen": frozen,
    }
    return render(request, "risk/devices.html", context)


@site.admin_view
@require_http_methods(["GET", "POST"])
def device(request: HttpRequest, device: str) -> HttpResponse:
    require(request, VIEW)
    if request.method == "POST":
        return _change(request, device)
    try:
        view, freezes = seen.device(device), seen.freezes_of(device)
    except DeviceNotFound as problem:
        raise Http404(str(problem)) from problem
    decided = seen.decisions_on(device, locale=get_language() or "en")
    context = {
        **site.each_context(request),
        "title": _("Device"),
        "device": view,
        "freezes": freezes,
        "standing": any(not one.ended_by for one in freezes),
        "uses": seen.used_by(device),
        "twins": seen.twins_of(device),
        "decided": [(one, _factors(one)) for one in decided],
        "people": names_of([who for one in freezes for who in (one.created_by, one.ended_by)]),
        "may_freeze": request.user.has_perm(FREEZE),
    }
    return render(request, "risk/device.html", context)


def _change(request: HttpRequest, device: str) -> HttpResponse:
    require(request, FREEZE)
    given = {"device": device, "reason": request.POST.get("reason", ""), "actor": actor(request)}
    try:
        if request.POST.get("do") == "unfreeze":
            unfreeze_device(**given)
            messages.success(request, _("It may pay again, from the next decision on."))
        else:
            freeze_device(**given)
            messages.success(request, _("It is frozen: every payment from it is refused."))
    except Refusal as refusal:
        messages.error(request, said(refusal.message))
    return redirect("risk-device", device=device)


def _factors(decision: DecisionView) -> str:
    """What made the trust in it."""
    titles = {
        "age": _("age"),
        "consistency": _("consistent use"),
        "security": _("proofs"),
        "activity": _("recent activity"),
        "place": _("same place"),
    }
    factors = decision.inputs.get("device", {}).get("factors", {})
    return listed(f"{titles[name]} {factors[name]}" for name in titles if name in factors)
