"""The console's page that sends an order off, whole or in parts."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import site
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from checkout import selectors
from checkout.facts import READ_ORDERS, WRITE_ORDERS, Viewer
from checkout.selectors import OrderView
from checkout.selectors.shipments import left_of
from checkout.services.mark_delivered import mark_delivered
from checkout.services.ship_order import ship_order
from checkout.states import OrderState, ShipmentState
from ledger.errors import Refusal
from ledger.identifiers import new_key

SHIP = "checkout.ship_order"


class ShipForm(forms.Form):
    """A number a line, of what is left; `key` is made with the page, so that a form sent twice ships once."""

    key = forms.UUIDField(widget=forms.HiddenInput, initial=new_key)
    carrier = forms.CharField(label=gettext_lazy("Carrier"), max_length=60, widget=UnfoldAdminTextInputWidget)
    tracking = forms.CharField(
        label=gettext_lazy("Tracking number"),
        max_length=80,
        required=False,
        widget=UnfoldAdminTextInputWidget,
    )

    def __init__(self, *args: Any, left: dict[str, int], titles: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.codes = [code for code, units in left.items() if units]
        for code in self.codes:
            self.fields[f"line-{code}"] = forms.IntegerField(
                label=titles[code],
                min_value=0,
                max_value=left[code],
                initial=left[code],
                widget=UnfoldAdminIntegerFieldWidget,
            )

    @property
    def lines(self) -> dict[str, int]:
        wanted = {code: self.cleaned_data[f"line-{code}"] for code in self.codes}
        return {code: units for code, units in wanted.items() if units}


@site.admin_view
@require_http_methods(["GET", "POST"])
def ship(request: HttpRequest, order_id: str) -> HttpResponse:
    if not request.user.has_perm(SHIP):
        raise PermissionDenied
    viewer = Viewer(user_id=request.user.pk, scopes=frozenset({READ_ORDERS, WRITE_ORDERS}))
    order = selectors.order(order_id, viewer)
    titles = {line.sku: line.title(request.LANGUAGE_CODE) for line in order.lines}
    form = ShipForm(_posted(request), left=left_of(order.id), titles=titles)
    if request.method == "POST" and (arrived := request.POST.get("arrived")):
        _mark(request, arrived, viewer)
        return redirect(request.path)
    if form.is_bound and form.is_valid():
        _send(request, order, viewer, form)
        return redirect(request.path)
    context = {
        **site.each_context(request),
        "title": _("Ship"),
        "order": order,
        "form": form,
        "may_ship": bool(form.codes) and order.state in (OrderState.PAID, OrderState.FULFILLING),
    }
    return render(request, "checkout/ship.html", context)


def _posted(request: HttpRequest) -> Any:
    return request.POST if request.method == "POST" and "arrived" not in request.POST else None


def _send(request: HttpRequest, order: OrderView, viewer: Viewer, form: ShipForm) -> None:
    given = form.cleaned_data
    try:
        sent = ship_order(
            order=order.id,
            viewer=viewer,
            lines=form.lines,
            carrier=given["carrier"],
            tracking=given["tracking"],
            key=f"console:{given['key']}",
        )
    except Refusal as refusal:
        messages.error(request, str(refusal))
        return
    if sent.state == ShipmentState.WAITING_FOR_MONEY:
        messages.warning(
            request, _("Keep the goods here: the provider has not said that the money is taken.")
        )
    else:
        messages.success(request, _("Paid for: the goods may leave."))


def _mark(request: HttpRequest, arrived: str, viewer: Viewer) -> None:
    try:
        mark_delivered(shipment=arrived, viewer=viewer)
    except Refusal as refusal:
        messages.error(request, str(refusal))
