"""Refunds that wait for a person: those to approve, and those that failed. One screen each, one button a way out."""

from collections.abc import Callable, Iterable
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.contrib.admin import site
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.views.decorators.http import require_http_methods, require_safe
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from ledger.errors import Refusal
from ledger.money import Money
from ledger.wording import in_words
from payments import selectors
from payments.channels import registry
from payments.channels.contract import Capability
from payments.errors import ChannelNotFound, PaymentNotFound, RefundNotFound
from payments.selectors import PaymentView, RefundView
from payments.services.approve_refund import approve_refund
from payments.services.close_refund import close_refund
from payments.services.finish_abnormal_refund import finish_abnormal_refund
from payments.services.reject_refund import reject_refund
from payments.services.request_refund import request_refund
from payments.services.retry_refund import retry_refund
from payments.services.settle_refund_by_hand import settle_refund_by_hand
from payments.states import RefundCause

VIEW, ASK, APPROVE = "payments.view_refund", "payments.request_refund", "payments.approve_refund"


@site.admin_view
@require_safe
def queue(request: HttpRequest) -> HttpResponse:
    _require(request, VIEW)
    waiting, stuck = selectors.refunds_to_approve(), selectors.refunds_needing_a_person()
    names = _names(refund.hand_by or refund.requested_by for refund in (*waiting, *stuck))
    context = {
        **site.each_context(request),
        "title": _("Refunds to approve"),
        "waiting": [(one, names.get(one.hand_by or one.requested_by)) for one in waiting],
        "stuck": [(one, names.get(one.requested_by)) for one in stuck],
    }
    return render(request, "payments/refund_queue.html", context)


@site.admin_view
@require_http_methods(["GET", "POST"])
def case(request: HttpRequest, refund: str) -> HttpResponse:
    _require(request, VIEW)
    try:
        view = selectors.refund(refund)
    except RefundNotFound as problem:
        raise Http404(str(problem)) from problem
    if request.method == "POST":
        return _do(request, view)
    asked_by = view.hand_by or view.requested_by
    names = _names([view.requested_by, view.approved_by, view.hand_by])
    context = {
        **site.each_context(request),
        "title": _("Refund"),
        "refund": view,
        "payment": selectors.payment(view.payment),
        "others": [one for one in selectors.refunds_of(view.payment) if one.id != view.id],
        "asked_by": names.get(view.requested_by, view.requested_by),
        "approved_by": names.get(view.approved_by, view.approved_by),
        "hand_by": names.get(view.hand_by, view.hand_by),
        "waits": view.state == "AWAITING_APPROVAL",
        "mine": asked_by == _actor(request) or view.requested_by == _actor(request),
        "failed": view.state == "FAILED" and view.needs_person,
        "abnormal": view.state != "FAILED" and view.needs_person,
        "finishable": _finishable(view),
        "may_ask": request.user.has_perm(ASK),
        "may_approve": request.user.has_perm(APPROVE),
    }
    return render(request, "payments/refund_case.html", context)


def _do(request: HttpRequest, refund: RefundView) -> HttpResponse:
    known: dict[str, tuple[str, Callable[[HttpRequest, RefundView, str], RefundView]]] = {
        "approve": (APPROVE, _approve),
        "reject": (APPROVE, _reject),
        "retry": (ASK, _retry),
        "by_hand": (ASK, _by_hand),
        "finish": (ASK, _finish),
        "close": (ASK, _close),
    }
    right, act = known.get(request.POST.get("do", ""), ("", None))
    if act is None:
        raise Http404("No such action.")
    _require(request, right)
    reason = request.POST.get("reason", "").strip()
    if not reason:
        messages.error(request, _("Say why: the reason is kept with the refund."))
        return redirect("refund-case", refund=refund.id)
    try:
        after = act(request, refund, reason)
    except Refusal as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Done; the refund is %(state)s.") % {"state": in_words(after.state)})
    return redirect("refund-case", refund=refund.id)


def _approve(request: HttpRequest, refund: RefundView, reason: str) -> RefundView:
    return approve_refund(refund=refund.id, actor=_actor(request), reason=reason)


def _reject(request: HttpRequest, refund: RefundView, reason: str) -> RefundView:
    return reject_refund(refund=refund.id, actor=_actor(request), reason=reason)


def _retry(request: HttpRequest, refund: RefundView, reason: str) -> RefundView:
    return retry_refund(refund=refund.id, actor=_actor(request), reason=reason)


def _finish(request: HttpRequest, refund: RefundView, reason: str) -> RefundView:
    return finish_abnormal_refund(refund=refund.id, actor=_actor(request), reason=reason)


def _close(request: HttpRequest, refund: RefundView, reason: str) -> RefundView:
    return close_refund(refund=refund.id, actor=_actor(request), reason=reason)


def _by_hand(request: HttpRequest, refund: RefundView, reason: str) -> RefundView:
    return settle_refund_by_hand(
        refund=refund.id,
        account=request.POST.get("account", "").strip(),
        reference=request.POST.get("reference", ""),
        actor=_actor(request),
        reason=reason,
    )


class AskForm(forms.Form):
    """`key` makes a double click one refund."""

    key = forms.CharField(min_length=16, max_length=64, initial=lambda: uuid4().hex, widget=forms.HiddenInput)
    amount = forms.DecimalField(required=False, widget=UnfoldAdminTextInputWidget({"inputmode": "decimal"}))
    reason = forms.CharField(max_length=300, widget=UnfoldAdminTextInputWidget)
    cause = forms.ChoiceField(
        required=False,
        choices=[
            ("", _lazy("Nothing of these")),
            (RefundCause.FRAUDULENT, _lazy("It was a fraud: the next decisions learn from it")),
            (RefundCause.DUPLICATE, _lazy("It was paid twice")),
            (RefundCause.REQUESTED_BY_CUSTOMER, _lazy("The customer asked for it")),
        ],
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(self, *args: Any, left: Money, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._left = left

    def clean_amount(self) -> Money | None:
        entered = self.cleaned_data["amount"]
        try:
            return None if entered is None else Money.from_major(entered, self._left.currency)
        except ValueError as wrong:
            raise forms.ValidationError(_("Enter an amount like 12.50.")) from wrong


@site.admin_view
@require_http_methods(["GET", "POST"])
def ask(request: HttpRequest, payment: str) -> HttpResponse:
    """Money of one payment, whatever it was for; articles are chosen on the order's page."""
    _require(request, ASK)
    try:
        found = selectors.payment(payment)
    except PaymentNotFound as problem:
        raise Http404(str(problem)) from problem
    form = AskForm(request.POST or None, left=found.refundable)
    if request.method == "POST" and form.is_valid():
        try:
            return _asked(request, found, form.cleaned_data)
        except Refusal as refusal:
            form.add_error("amount" if refusal.param == "amount" else None, str(refusal))
    context = {
        **site.each_context(request),
        "title": _("Refund a payment"),
        "payment": found,
        "form": form,
        "refunds": selectors.refunds_of(found.id),
    }
    return render(request, "payments/refund_ask.html", context, status=422 if form.errors else 200)


def _asked(request: HttpRequest, payment: PaymentView, data: dict[str, Any]) -> HttpResponse:
    refund = request_refund(
        payment=payment.id,
        amount=data["amount"],
        reason=data["reason"],
        cause=data["cause"],
        actor=_actor(request),
        key=f"{payment.id}:console:{data['key']}",
    )
    messages.success(request, _("Done; the refund is %(state)s.") % {"state": in_words(refund.state)})
    return redirect("refund-case", refund=refund.id)


def _finishable(refund: RefundView) -> bool:
    try:
        return Capability.ABNORMAL_REFUND in registry.channel(refund.channel).capabilities
    except ChannelNotFound:
        return False


def _require(request: HttpRequest, right: str) -> None:
    if not request.user.has_perm(right):
        raise PermissionDenied


def _actor(request: HttpRequest) -> str:
    return f"user:{request.user.pk}"


def _names(actors: Iterable[str]) -> dict[str, str]:
    """People's names for "user:12"; programs and guests go by what they are."""
    wanted = set(actors)
    keys = {actor.removeprefix("user:") for actor in wanted if actor.startswith("user:")}
    people: Any = get_user_model().objects.filter(pk__in=[key for key in keys if key.isdecimal()])
    known = {f"user:{person.pk}": person.get_full_name() or person.get_username() for person in people}
    return {actor: known.get(actor, actor) for actor in wanted}
