"""The cart: kept in the session, the same with and without JavaScript."""

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from checkout import selectors
from checkout.errors import CouponUnknown, SkuUnknown
from checkout.forms import CartLineForm
from checkout.selectors import SkuView
from checkout.selectors.coupons import cleaned
from checkout.views.posts import post_or_go_to
from checkout.views.refusals import words
from checkout.views.session import (
    cart_of,
    coupon_of,
    drop_coupon,
    is_htmx,
    language,
    put_in_cart,
    try_coupon,
)
from ledger.errors import Refusal
from ledger.money import Money

_FIRST_REGION = "CN"  # a coupon is good or not, wherever the parcel goes
_LONGEST_CODE = 100


@dataclass(frozen=True, slots=True)
class CartLine:
    sku: SkuView
    quantity: int

    @property
    def total(self) -> Money:
        return Money(self.sku.price.minor * self.quantity, self.sku.price.currency)

    @property
    def too_many(self) -> bool:
        return self.quantity > self.sku.available


def cart_lines(request: HttpRequest) -> list[CartLine]:
    """The cart with what each article is now; what is no longer for sale drops out."""
    lines = []
    for item in cart_of(request):
        try:
            lines.append(CartLine(selectors.sku(item.sku), item.quantity))
        except SkuUnknown:
            put_in_cart(request, item.sku, 0)
            messages.warning(request, _("An article is no longer for sale and was taken out of your cart."))
    return lines


@require_safe
@never_cache
def cart(request: HttpRequest) -> HttpResponse:
    return _page(request)


@post_or_go_to("checkout:cart")
def add(request: HttpRequest) -> HttpResponse:
    form = CartLineForm(request.POST)
    if not form.is_valid():
        return _refuse(request, form)
    try:
        article = selectors.sku(form.cleaned_data["sku"])
        put_in_cart(request, article.code, form.cleaned_data["quantity"], add=True)
    except Refusal as refusal:
        messages.error(request, words(refusal))
        return _added(request, refusal.status)
    messages.success(request, _("%(article)s is in your cart.") % {"article": article.title(language())})
    return _added(request)


@post_or_go_to("checkout:cart")
def update(request: HttpRequest) -> HttpResponse:
    form = CartLineForm(request.POST)
    if not form.is_valid():
        return _refuse(request, form)
    try:
        put_in_cart(request, form.cleaned_data["sku"], form.wanted())
    except Refusal as refusal:
        messages.error(request, words(refusal))
        return _page(request, refusal.status)
    return _page(request) if is_htmx(request) else redirect("checkout:cart")


@post_or_go_to("checkout:cart")
def coupon(request: HttpRequest) -> HttpResponse:
    """A code is tried, or taken out again."""
    if "remove" in request.POST:
        drop_coupon(request)
        return redirect("checkout:cart")
    code = cleaned(request.POST.get("code", "")[:_LONGEST_CODE])
    try:
        if not code:
            raise CouponUnknown("Enter the code.", param="coupon")
        try_coupon(request, code, _FIRST_REGION)
    except Refusal as refusal:
        messages.error(request, words(refusal))
        return _page(request, refusal.status)
    messages.success(request, _("The coupon is taken off at checkout."))
    return redirect("checkout:cart")


def _refuse(request: HttpRequest, form: CartLineForm) -> HttpResponse:
    for problem in form.problems():
        messages.error(request, problem)
    return _page(request, 422)


def _added(request: HttpRequest, status: int = 200) -> HttpResponse:
    if is_htmx(request):
        return render(request, "checkout/_added.html", status=status)
    return redirect("checkout:cart") if status == 200 else _page(request, status)


def _page(request: HttpRequest, status: int = 200) -> HttpResponse:
    lines = cart_lines(request)
    context = {
        "lines": lines,
        "subtotal": _subtotal(lines),
        "coupon": coupon_of(request),
        "blocked": any(line.too_many for line in lines),
    }
    template = "checkout/_cart.html" if is_htmx(request) else "checkout/cart.html"
    return render(request, template, context, status=status)


def _subtotal(lines: list[CartLine]) -> Money | None:
    """None when the articles have different currencies: such a cart cannot be one order."""
    if len({line.sku.price.currency for line in lines}) != 1:
        return None
    return Money(sum(line.total.minor for line in lines), lines[0].sku.price.currency)
