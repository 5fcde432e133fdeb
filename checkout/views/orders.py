"""A customer's orders: the list, one order, and what can be done with it."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from checkout import selectors
from checkout.errors import OrderNotFound
from checkout.facts import Item
from checkout.forms import RefundForm
from checkout.selectors import OrderView
from checkout.services.cancel_order import cancel_order
from checkout.services.refund_order import refund_order
from checkout.services.reopen_order import reopen_order
from checkout.states import OrderState
from checkout.views.posts import post_or_go_to
from checkout.views.refusals import words
from checkout.views.session import fill_cart, viewer_of
from ledger.errors import Refusal
from payments.selectors import RefundView, refunds_of
from payments.states import RefundState

_ON_ONE_PAGE = 20


@require_safe
@never_cache
def orders(request: HttpRequest) -> HttpResponse:
    found = selectors.orders_of(viewer_of(request), limit=_ON_ONE_PAGE, before=request.GET.get("before", ""))
    older = found[-1].id if len(found) == _ON_ONE_PAGE else ""
    return render(request, "checkout/orders.html", {"orders": found, "older": older})


@require_safe
@never_cache
def order(request: HttpRequest, order_id: str) -> HttpResponse:
    return _page(request, selectors.order(order_id, viewer_of(request)))


@post_or_go_to("checkout:order")
def cancel(request: HttpRequest, order_id: str) -> HttpResponse:
    try:
        cancel_order(order=order_id, viewer=viewer_of(request))
    except OrderNotFound:
        raise
    except Refusal as refusal:
        messages.error(request, words(refusal))
    else:
        messages.success(request, _("The order is cancelled. Nothing was charged."))
    return redirect("checkout:order", order_id)


@post_or_go_to("checkout:order")
def refund(request: HttpRequest, order_id: str) -> HttpResponse:
    found = selectors.order(order_id, viewer_of(request))
    form = RefundForm(request.POST, left=selectors.left_of(found.id))
    if not form.is_valid():
        return _page(request, found, form, 422)
    data = form.cleaned_data
    try:
        asked = refund_order(
            order=order_id,
            viewer=viewer_of(request),
            lines=form.lines(),
            reason=data["reason"],
            key=data["key"],
        )
    except Refusal as refusal:
        form.add_error(None, words(refusal))
        return _page(request, found, form, refusal.status)
    if asked.state == RefundState.AWAITING_APPROVAL:
        messages.success(
            request, _("We have your request and look at it. You will see here what becomes of it.")
        )
    else:
        messages.success(request, _("Your refund is on its way. You will see it here and on your statement."))
    return redirect("checkout:order", order_id)


@post_or_go_to("checkout:order")
def again(request: HttpRequest, order_id: str) -> HttpResponse:
    """Open the cancelled order again; where that cannot be, put its articles into the cart."""
    viewer = viewer_of(request)
    found = selectors.order(order_id, viewer)
    if found.can_reopen:
        try:
            reopen_order(order=order_id, viewer=viewer)
            return redirect("checkout:pay", order_id)
        except Refusal as refusal:
            messages.warning(request, words(refusal))
    fill_cart(request, [Item(line.sku, line.quantity) for line in found.lines])
    return redirect("checkout:cart")


def _page(
    request: HttpRequest, found: OrderView, form: RefundForm | None = None, status: int = 200
) -> HttpResponse:
    context: dict[str, Any] = {
        "order": found,
        "refunds": _refunds_of(found),
        "form": form or RefundForm(left=selectors.left_of(found.id)),
        "sent": found.state != OrderState.PAID,
    }
    return render(request, "checkout/order.html", context, status=status)


def _refunds_of(found: OrderView) -> list[RefundView]:
    return [refund for payment in found.payments for refund in refunds_of(payment.id)]
