"""The payment page, the provider's way back to it, and the result."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import segno
from csp.decorators import csp_replace
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import HttpResponseClientRedirect

from checkout import selectors
from checkout.forms import PayForm
from checkout.selectors import OrderView
from checkout.selectors.allowances import payment_options
from checkout.services.pay_order import pay_order
from checkout.views import advice, confirm, security, shortfalls
from checkout.views.refusals import words
from checkout.views.session import client_of, is_htmx, note_shown, viewer_of
from checkout.views.situation import Situation, Stage, situation_of
from ledger.errors import Refusal
from payments.services.refresh_payment import refresh_payment
from payments.states import PaymentMethod
from payments.vault import SavedMethodView, saved_methods_of

# A result page that may still change looks for news more rarely than a payment page.
_SECONDS_BETWEEN_POLLS = {Stage.REVIEW: 5, Stage.ASKING: 4, Stage.TRANSFER: 15, Stage.CONFIRM: 10}


def start_payment(request: HttpRequest, order_id: str, form: PayForm) -> HttpResponse:
    """Start the payment and go to its page, which also says why when it was refused."""
    try:
        pay_order(
            order=order_id,
            viewer=viewer_of(request),
            method=form.cleaned_data["method"],
            instrument=form.cleaned_data["instrument"],
            saved_method=form.cleaned_data["saved_method"],
            keep_instrument=form.cleaned_data["keep"],
            client=client_of(request),
            return_url=request.build_absolute_uri(reverse("checkout:return", args=[order_id])),
        )
    except Refusal as refusal:
        messages.error(request, words(refusal))
    return redirect("checkout:pay", order_id)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def pay(request: HttpRequest, order_id: str) -> HttpResponse:
    order, situation = _now(request, order_id)
    if request.method == "POST":
        form = PayForm(request.POST, saved=saved_methods(request), **_room(request, order))
        if form.is_valid():
            return start_payment(request, order.id, form)
        return _render(request, "checkout/payment.html", order, situation, form, status=422)
    if situation.is_result:
        return redirect("checkout:result", order.id)
    if "choose" in request.GET and situation.action:
        # What was begun stays open until another method is picked: starting that one closes it.
        situation = replace(situation, stage=Stage.CHOOSE)
    if situation.stage == Stage.CHOOSE:
        note_shown(request)
    return _render(request, "checkout/payment.html", order, situation)


@require_safe
@never_cache
def status(request: HttpRequest, order_id: str) -> HttpResponse:
    """What the payment page asks every two seconds: nothing new, a new part, or where to go."""
    order, situation = _now(request, order_id)
    if not is_htmx(request):
        return redirect("checkout:pay", order.id)
    if request.GET.get("seen") == situation.mark:
        return HttpResponse(status=204)
    if situation.is_result:
        return HttpResponseClientRedirect(reverse("checkout:result", args=[order.id]))
    if request.GET.get("on") == "result" or situation.stage == Stage.CHOOSE:
        return HttpResponseClientRedirect(reverse("checkout:pay", args=[order.id]))
    return _render(request, "checkout/_status.html", order, situation)


@require_safe
@never_cache
def result(request: HttpRequest, order_id: str) -> HttpResponse:
    order, situation = _now(request, order_id)
    if not situation.is_result:
        return redirect("checkout:pay", order.id)
    return _render(request, "checkout/result.html", order, situation)


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@xframe_options_sameorigin
@csp_replace({"frame-ancestors": ["'self'"]})  # type: ignore[arg-type] # says that views take no arguments
def come_back(request: HttpRequest, order_id: str) -> HttpResponse:
    """Where a provider sends the customer afterwards, on the whole page or inside our frame.

    A frame reached from another site carries no session, so there the page only tells its parent to go on.
    The provider is asked: that someone came back proves nothing. Some providers let the browser post their result
    here, from their site and so without a session: it is not read, and the browser is told to come with GET.
    """
    if request.method == "POST":
        return redirect(f"{reverse('checkout:return', args=[order_id])}?continue=1")
    on_whole_page = request.headers.get("Sec-Fetch-Dest") == "document" or "continue" in request.GET
    if not on_whole_page:
        return render(request, "checkout/return.html", {"order_id": order_id})
    order, situation = _now(request, order_id)
    if situation.payment and not situation.is_result:
        try:
            refresh_payment(payment=situation.payment.id)
        except Refusal as refusal:
            messages.warning(request, words(refusal))
    return redirect("checkout:pay", order.id)


def _now(request: HttpRequest, order_id: str) -> tuple[OrderView, Situation]:
    order = selectors.order(order_id, viewer_of(request))
    return order, situation_of(order, timezone.now())


def _render(
    request: HttpRequest,
    template: str,
    order: OrderView,
    situation: Situation,
    form: PayForm | None = None,
    status: int = 200,
) -> HttpResponse:
    if form is None:
        saved = saved_methods(request)
        method = situation.payment.method if situation.payment else first_method(saved)
        room = _room(request, order) if situation.stage == Stage.CHOOSE else {}
        form = PayForm(initial={"method": method}, saved=saved, **room)
    context = {
        "order": order,
        "situation": situation,
        "stage": situation.stage,
        "payment": situation.payment,
        "reason": advice.reason(situation.payment) if situation.payment else "",
        "next_step": advice.next_step(situation.payment) if situation.payment else "",
        "form": form,
        "qr": _drawn(situation),
        "posted": _read(situation, Stage.FORM),
        "transfer": _transfer(situation),
        **confirm.asked(request, situation),
        **security.on_the_way(request, order, situation),
        "on_phone": client_of(request).device_kind == "phone",
        "poll_seconds": _SECONDS_BETWEEN_POLLS.get(situation.stage, 2),
        **card_fields(form["instrument"].value()),
    }
    return render(request, template, context, status=status)


def _room(request: HttpRequest, order: OrderView) -> dict[str, Any]:
    """Where the customer's limits leave none, told before the attempt."""
    options = payment_options(order.id, viewer_of(request), timezone.now())
    short = {one.method: one.shortage for one in options if one.shortage}
    return shortfalls.known(short, [one.method for one in options])


def _drawn(situation: Situation) -> str:
    if situation.stage != Stage.QR or situation.action is None:
        return ""
    return segno.make(situation.action.value, error="m").svg_inline(omitsize=True, border=1, dark="#13201b")


def _read(situation: Situation, stage: Stage) -> dict[str, Any]:
    """What the customer has to do, where that is more than an address: fields to post, words for a transfer."""
    if situation.stage != stage or situation.action is None:
        return {}
    told: dict[str, Any] = json.loads(situation.action.value)
    return told


def _transfer(situation: Situation) -> dict[str, Any]:
    """The account's number as people write it, in groups of four; it is copied without the spaces."""
    told = _read(situation, Stage.TRANSFER)
    if told:
        account = told["account"]
        told["grouped"] = " ".join(account[place : place + 4] for place in range(0, len(account), 4))
        told["valid_until"] = datetime.fromisoformat(told["valid_until"])
    return told


def saved_methods(request: HttpRequest) -> Sequence[SavedMethodView]:
    """The cards that the signed-in customer may pay with."""
    return [kept for kept in saved_methods_of(viewer_of(request).customer) if kept.usable]


def first_method(saved: Sequence[SavedMethodView]) -> str:
    """What is chosen already: the customer's default card, else a new one."""
    return next((kept.id for kept in saved if kept.is_default), PaymentMethod.CARD)


def card_fields(token: Any) -> dict[str, str]:
    """What the card fields need; they live on the provider's origin. A token given before is kept."""
    return {
        "card_script": settings.STRIPE["js_url"],
        "card_key": settings.STRIPE["publishable_key"],
        "card_token": str(token or ""),
    }
