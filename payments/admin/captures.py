"""The console's page for money that is held: take a part of it, take it all, or let it go."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import site
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from ledger.errors import Refusal
from ledger.identifiers import new_key
from ledger.money import Money
from payments import selectors
from payments.errors import PaymentNotFound
from payments.selectors import PaymentView
from payments.services.cancel_payment import cancel_payment
from payments.services.capture_payment import capture_payment
from payments.services.release_rest import release_rest
from payments.states import PaymentState

CAPTURE = "payments.capture_payment"


class CaptureForm(forms.Form):
    """`key` is made with the page, so that a form that is sent twice captures once."""

    key = forms.UUIDField(widget=forms.HiddenInput, initial=new_key)
    amount = forms.DecimalField(
        label=gettext_lazy("Amount"),
        required=False,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text=gettext_lazy("Leave empty for all that is held."),
    )
    final = forms.BooleanField(
        label=gettext_lazy("Let go of the rest"),
        required=False,
        widget=UnfoldBooleanWidget(attrs={"class": "self-start"}),
    )
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=200, widget=UnfoldAdminTextInputWidget)

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currency = currency

    def clean_amount(self) -> Money | None:
        given = self.cleaned_data["amount"]
        try:
            return None if given is None else Money.from_major(given, self.currency)
        except ValueError as problem:
            raise forms.ValidationError(str(problem)) from problem


@site.admin_view
@require_http_methods(["GET", "POST"])
def held_money(request: HttpRequest, payment: str) -> HttpResponse:
    if not request.user.has_perm(CAPTURE):
        raise PermissionDenied
    try:
        found = selectors.payment(payment)
    except PaymentNotFound as problem:
        raise Http404(str(problem)) from problem
    form = CaptureForm(request.POST or None, currency=found.amount.currency)
    if request.method == "POST" and form.is_valid():
        _act(request, found, form.cleaned_data)
        return redirect(request.path)
    context = {
        **site.each_context(request),
        "title": _("Held money"),
        "payment": found,
        "attempts": selectors.attempts_of(found.id),
        "form": form,
    }
    return render(request, "payments/held_money.html", context)


def _act(request: HttpRequest, payment: PaymentView, given: dict[str, Any]) -> None:
    actor = f"user:{request.user.pk}"
    try:
        if request.POST.get("do") == "release":
            let_go = release_rest if payment.state == PaymentState.SUCCEEDED else cancel_payment
            let_go(payment=payment.id, actor=actor, reason="merchant", note=given["reason"])
        else:
            capture_payment(
                payment=payment.id,
                amount=given["amount"],
                final=given["final"],
                actor=actor,
                reason=given["reason"],
                key=f"console:{given['key']}",
            )
    except Refusal as refusal:
        messages.error(request, str(refusal))
        return
    after = selectors.payment(payment.id)
    if any(one.state in ("SENT", "UNKNOWN") for one in selectors.attempts_of(payment.id)):
        messages.warning(request, _("The provider has not answered clearly; it is being asked."))
    else:
        messages.success(request, _("Done. Captured: %(sum)s.") % {"sum": after.captured.formatted()})
