"""Checkout: contact, delivery, payment and the total on one page; one quote places one order."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from checkout import selectors
from checkout.errors import OrderNotFound, QuoteReplayed
from checkout.forms import CheckoutForm
from checkout.selectors.allowances import shortages_of
from checkout.services.place_order import place_order
from checkout.services.preview import Preview
from checkout.views import security, shortfalls
from checkout.views.cart import cart_lines
from checkout.views.payment import card_fields, first_method, saved_methods, start_payment
from checkout.views.refusals import words
from checkout.views.session import (
    cart_of,
    client_of,
    is_htmx,
    language,
    last_order,
    note_address,
    note_shown,
    offer,
    order_placed_with,
    remember_order,
    viewer_of,
)
from checkout.views.situation import situation_of
from ledger.errors import Refusal
from ledger.money import Money
from payments.selectors import offered_methods
from payments.states import PaymentMethod

_FIRST_REGION = "CN"


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def checkout(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _place(request)
    if not cart_of(request):
        return _nothing_to_buy(request)
    known = _known_of(request)
    note_shown(request, first=True)
    note_address(request, "country", known["country"], begins=True)
    if "line1" in known:
        note_address(request, "door", _door(known), begins=True)
    room = _room(request, known["country"])
    return _page(request, CheckoutForm(initial=known, saved=saved_methods(request), **room))


@require_safe
@never_cache
def summary(request: HttpRequest) -> HttpResponse:
    """The total for another place of delivery, with its quote; a part of the page, for htmx."""
    if not is_htmx(request) or not cart_of(request):
        return redirect("checkout:checkout")
    region = request.GET.get("country", _FIRST_REGION)
    note_address(request, "country", region)
    context = _summary(request, region)
    large = security.of_amount(_payable(context))
    return render(request, "checkout/_summary.html", {**context, **large, "partial": True})


def _place(request: HttpRequest) -> HttpResponse:
    quote = request.POST.get("quote", "")
    if already := order_placed_with(request, quote):
        return redirect("checkout:pay", already)
    if not cart_of(request):
        return _nothing_to_buy(request)
    room = _room(request, request.POST.get("country", _FIRST_REGION))
    form = CheckoutForm(request.POST, saved=saved_methods(request), **room)
    note_address(request, "door", _door(request.POST))
    if not form.is_valid():
        return _page(request, form, 422)
    try:
        placed = place_order(
            quote=quote,
            items=cart_of(request),
            address=form.address(),
            email=form.cleaned_data["email"],
            viewer=viewer_of(request),
            client=client_of(request),
            locale=language(),
        )
    except QuoteReplayed as replay:
        return redirect("checkout:pay", replay.context["order"])
    except Refusal as refusal:
        _blame(form, refusal)
        return _page(request, form, refusal.status)
    remember_order(request, quote, placed)
    return start_payment(request, placed.order.id, form)


def _door(told: Mapping[str, str]) -> str:
    """Where in the country a parcel goes; the country is counted when it is chosen."""
    return "|".join(told.get(part, "") for part in ("line1", "city", "postal_code"))


def _blame(form: CheckoutForm, refusal: Refusal) -> None:
    field = (refusal.param or "").removeprefix("address.")
    form.add_error(field if field in form.fields and field != "quote" else None, words(refusal))


def _nothing_to_buy(request: HttpRequest) -> HttpResponse:
    """An empty cart after Back or a reload mostly means that the order stands already."""
    order_id = last_order(request)
    try:
        order = selectors.order(order_id, viewer_of(request)) if order_id else None
    except OrderNotFound:
        order = None
    if order and not situation_of(order, timezone.now()).is_result:
        return redirect("checkout:pay", order.id)
    return redirect("checkout:cart")


def _page(request: HttpRequest, form: CheckoutForm, status: int = 200) -> HttpResponse:
    region = str(form["country"].value() or _FIRST_REGION)
    context = {"form": form, **_summary(request, region), **card_fields(form["instrument"].value())}
    context |= security.before_paying(request, _payable(context))
    return render(request, "checkout/checkout.html", context, status=status)


def _summary(request: HttpRequest, region: str) -> dict[str, Any]:
    lines = cart_lines(request)
    try:
        return {"lines": lines, "preview": offer(request, region)}
    except Refusal as refusal:
        return {"lines": lines, "preview": None, "refusal": words(refusal)}


def _payable(summary: Mapping[str, Any]) -> Money | None:
    preview: Preview | None = summary["preview"]
    return preview.breakdown.payable if preview else None


def _room(request: HttpRequest, region: str) -> dict[str, Any]:
    """Where the customer's limits leave none for this cart, told before the attempt."""
    viewer = viewer_of(request)
    if viewer.user_id is None:
        return {}
    try:
        amount = offer(request, region).breakdown.payable
    except Refusal:  # the summary says what is wrong
        return {}
    offered = offered_methods()
    short = shortages_of(user_id=viewer.user_id, amount=amount, methods=offered, now=timezone.now())
    return shortfalls.known(short, offered)


def _usual(order: selectors.OrderView, first: str) -> str:
    """The method of the last order; for cards, the one that is offered first."""
    method = order.payments[0].method if order.payments else PaymentMethod.CARD
    return first if method == PaymentMethod.CARD else method


def _known_of(request: HttpRequest) -> dict[str, str]:
    """What a returning customer need not type again: the address of the last order."""
    viewer = viewer_of(request)
    first = first_method(saved_methods(request))
    latest = selectors.orders_of(viewer, limit=1)
    if not latest:
        email = getattr(request.user, "email", "")
        return {"country": _FIRST_REGION, "email": email, "method": first}
    order = selectors.order(latest[0].id, viewer)
    place = order.address
    return {
        "email": order.email,
        "method": _usual(order, first),
        "country": place.country,
        "name": place.name,
        "phone": place.phone,
        "line1": place.line1,
        "line2": place.line2,
        "city": place.city,
        "region": place.region,
        "postal_code": place.postal_code,
    }
