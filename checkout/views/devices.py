"""A signed-in customer's devices: which there are, and which of them may not pay any more."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from checkout.views.refusals import words
from checkout.views.session import client_of, viewer_of
from ledger.errors import Refusal
from risk import devices as seen
from risk.services.freeze_device import freeze_device
from risk.services.unfreeze_device import unfreeze_device


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required(login_url="checkout:sign-in")
def devices(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _change(request)
    viewer = viewer_of(request)
    context = {
        "devices": seen.of_customer(viewer.customer, here=client_of(request).device_id),
        "me": viewer.actor,
        "section": "cards",
    }
    return render(request, "checkout/devices.html", context)


def _change(request: HttpRequest) -> HttpResponse:
    viewer = viewer_of(request)
    try:
        if frozen := request.POST.get("freeze", ""):
            freeze_device(
                device=frozen, reason="the customer's wish", actor=viewer.actor, customer=viewer.customer
            )
            messages.success(request, _("The device is frozen. Nothing can be paid from it on your account."))
        elif thawed := request.POST.get("unfreeze", ""):
            unfreeze_device(
                device=thawed,
                reason="the customer's wish",
                actor=viewer.actor,
                customer=viewer.customer,
                asked_from=client_of(request).device_id,
            )
            messages.success(request, _("The device can pay again."))
    except Refusal as refusal:
        messages.error(request, words(refusal))
    return redirect("checkout:devices")
