"""The console's page on which an operator refunds an order, article by article or by amount."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import site
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from checkout import selectors
from checkout.errors import OrderNotFound
from checkout.facts import READ_ORDERS, WRITE_REFUNDS, Viewer
from checkout.forms import OperatorRefundForm
from checkout.selectors import OrderView
from checkout.services.refund_order import refund_order
from checkout.states import OrderState
from ledger.errors import Refusal
from payments.selectors import PaymentView, RefundView, payment, refunds_of


@site.admin_view
@require_http_methods(["GET", "POST"])
def refund(request: HttpRequest, order: str) -> HttpResponse:
    if not request.user.has_perm("payments.request_refund"):
        raise PermissionDenied
    viewer = Viewer(user_id=request.user.pk, scopes=frozenset({READ_ORDERS, WRITE_REFUNDS}))
    try:
        found = selectors.order(order, viewer)
    except OrderNotFound as absent:
        raise Http404(str(absent)) from absent
    left = selectors.left_of(found.id)
    initial = {"restock": found.state == OrderState.PAID}
    form = OperatorRefundForm(
        request.POST or None, left=left, currency=found.payable.currency, initial=initial
    )
    if request.method == "POST" and form.is_valid():
        try:
            asked = _asked(found.id, viewer, form)
        except Refusal as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Done; the refund is %(state)s.") % {"state": asked.state})
            return redirect("refund-case", refund=asked.id)
    return render(request, "checkout/refund_order.html", _context(request, found, left, form))


def _asked(order: str, viewer: Viewer, form: OperatorRefundForm) -> RefundView:
    data: dict[str, Any] = form.cleaned_data
    return refund_order(
        order=order,
        viewer=viewer,
        amount=data["amount"],
        lines=form.lines(),
        shipping=data["shipping"],
        restock=data["restock"],
        reason=data["reason"],
        cause=data["cause"],
        key=data["key"],
    )


def _context(
    request: HttpRequest, found: OrderView, left: selectors.OrderLeft, form: forms.Form
) -> dict[str, Any]:
    paid = _paid_by(found)
    return {
        **site.each_context(request),
        "title": _("Refund an order"),
        "order": found,
        "left": left,
        "most": paid.refundable if paid else None,
        "form": form,
        "refunds": refunds_of(paid.id) if paid else [],
    }


def _paid_by(found: OrderView) -> PaymentView | None:
    return next((payment(one.id) for one in found.payments if one.captured.minor and not one.surplus), None)
