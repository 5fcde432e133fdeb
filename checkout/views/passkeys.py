"""A signed-in customer's passkeys: which there are, one more, one less."""

import json
import secrets

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from checkout import selectors
from checkout.services.add_passkey import add_passkey
from checkout.views.refusals import words
from checkout.views.session import viewer_of
from ledger.errors import Refusal
from risk import passkeys as kept
from risk.services.end_passkey import end_passkey

_NONCE = "passkey_nonce"


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required(login_url="checkout:sign-in")
def passkeys(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _change(request)
    viewer = viewer_of(request)
    possible = bool(kept.party()) and selectors.has_paid(viewer)
    nonce = request.session.setdefault(_NONCE, secrets.token_hex(16))
    task = kept.offer(viewer.customer, name=request.user.get_username(), nonce=nonce) if possible else {}
    context = {
        "keys": kept.of_customer(viewer.customer),
        "task": json.dumps(task) if task else "",
        "section": "cards",
    }
    return render(request, "checkout/passkeys.html", context)


def _change(request: HttpRequest) -> HttpResponse:
    viewer = viewer_of(request)
    if ended := request.POST.get("end", ""):
        if end_passkey(customer=viewer.customer, passkey=ended, actor=viewer.actor):
            messages.success(request, _("The passkey is removed. It confirms nothing any more."))
        return redirect("checkout:passkeys")
    try:
        add_passkey(
            viewer=viewer,
            nonce=request.session.pop(_NONCE, ""),
            answer=request.POST.get("answer", "")[:20_000],
            label=request.POST.get("label", ""),
        )
        messages.success(
            request, _("The passkey is added. Next time a payment must be confirmed, it is enough.")
        )
    except Refusal as refusal:
        messages.error(request, words(refusal))
    return redirect("checkout:passkeys")
