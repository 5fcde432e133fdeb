"""A signed-in customer's cards: the list, one card with its limits, and giving it up."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from checkout.forms import SavedMethodForm
from checkout.views.posts import post_or_go_to
from checkout.views.refusals import words
from checkout.views.session import viewer_of
from ledger.errors import Refusal
from ledger.money import Money
from payments import vault
from payments.errors import SavedMethodNotFound
from payments.services.change_saved_method import change_saved_method
from payments.services.delete_saved_method import delete_saved_method
from payments.vault import SavedMethodView

_CURRENCY = "CNY"


@require_safe
@never_cache
@login_required(login_url="checkout:sign-in")
def saved_methods(request: HttpRequest) -> HttpResponse:
    kept = vault.saved_methods_of(viewer_of(request).customer)
    return render(request, "checkout/saved_methods.html", {"cards": kept, "section": "cards"})


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required(login_url="checkout:sign-in")
def saved_method(request: HttpRequest, method_id: str) -> HttpResponse:
    viewer = viewer_of(request)
    card = vault.saved_method(method_id, viewer.customer)
    currency = next((limit.currency for limit in (card.single_limit, card.daily_limit) if limit), _CURRENCY)
    if request.method != "POST":
        return _page(request, card, SavedMethodForm(initial=_now(card), currency=currency))
    form = SavedMethodForm(request.POST, currency=currency)
    if not form.is_valid():
        return _page(request, card, form, 422)
    try:
        change_saved_method(
            method=card.id,
            customer=viewer.customer,
            actor=viewer.actor,
            label=form.cleaned_data["label"],
            limits=form.limits(),
        )
    except Refusal as refusal:
        form.add_error(refusal.param if refusal.param in form.fields else None, words(refusal))
        return _page(request, card, form, refusal.status)
    messages.success(request, _("Saved."))
    return redirect("checkout:saved-methods")


@post_or_go_to("checkout:saved-method")
@login_required(login_url="checkout:sign-in")
def make_default(request: HttpRequest, method_id: str) -> HttpResponse:
    viewer = viewer_of(request)
    change_saved_method(method=method_id, customer=viewer.customer, actor=viewer.actor, is_default=True)
    return redirect("checkout:saved-methods")


@post_or_go_to("checkout:saved-method")
@login_required(login_url="checkout:sign-in")
def delete(request: HttpRequest, method_id: str) -> HttpResponse:
    viewer = viewer_of(request)
    try:
        delete_saved_method(method=method_id, customer=viewer.customer, actor=viewer.actor)
    except SavedMethodNotFound as refusal:
        messages.warning(request, words(refusal))
    else:
        messages.success(request, _("The card is removed. It can pay nothing any more."))
    return redirect("checkout:saved-methods")


def _now(card: SavedMethodView) -> dict[str, Any]:
    return {
        "label": card.label,
        "single_limit": _number(card.single_limit),
        "daily_limit": _number(card.daily_limit),
    }


def _number(limit: Money | None) -> str:
    return "" if limit is None else str(limit.major)


def _page(
    request: HttpRequest, card: SavedMethodView, form: SavedMethodForm, status: int = 200
) -> HttpResponse:
    context = {"card": card, "form": form, "section": "cards"}
    return render(request, "checkout/saved_method.html", context, status=status)
