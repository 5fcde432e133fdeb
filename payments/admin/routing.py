"""Routing policies: written by one person, tried on the payments of the past, switched on by another."""

from datetime import timedelta

from django import forms
from django.contrib import messages
from django.contrib.admin import site
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from ledger.errors import Refusal
from ledger.money import Money
from payments import replays
from payments.admin.channels import SWITCH, VIEW, actor, require
from payments.errors import RoutingPolicyNotFound
from payments.models import RoutingPolicy
from payments.services.activate_routing_policy import activate_routing_policy
from payments.services.draft_routing_policy import draft_routing_policy
from payments.services.retire_routing_policy import retire_routing_policy

_SHOWN = 50
_EXAMPLE = [
    {
        "id": "large_sums",
        "when": "payment.amount > 5000000",
        "then": "prefer",
        "channels": ["stripe"],
        "why": "The wallets refuse them",
    }
]


class DraftForm(forms.Form):
    name = forms.SlugField(max_length=40, widget=UnfoldAdminTextInputWidget)
    rules = forms.JSONField(
        initial=_EXAMPLE,
        widget=UnfoldAdminTextareaWidget({"rows": 12}),
        help_text="then: prefer, exclude or only. payment has method, amount, currency, country, device, needs.",
    )
    cost = forms.IntegerField(initial=0, min_value=0, widget=UnfoldAdminIntegerFieldWidget)
    success = forms.IntegerField(initial=0, min_value=0, widget=UnfoldAdminIntegerFieldWidget)
    least = forms.IntegerField(initial=20, min_value=0, widget=UnfoldAdminIntegerFieldWidget)
    note = forms.CharField(required=False, max_length=500, widget=UnfoldAdminTextInputWidget)


DraftForm.base_fields[
    "cost"
].help_text = "Points lost by each basis point above the cheapest; a share is 1000."
DraftForm.base_fields["success"].help_text = "Points lost by each ‰ of success below the best."
DraftForm.base_fields["least"].help_text = "Payments in 15 minutes that make a success count."


@site.admin_view
@require_http_methods(["GET", "POST"])
def policies(request: HttpRequest) -> HttpResponse:
    require(request, VIEW)
    form = DraftForm(request.POST or None)
    if request.method == "POST":
        require(request, SWITCH)
        if form.is_valid() and (name := _drafted(request, form)):
            return redirect("routing-policy", policy=name)
    context = {
        **site.each_context(request),
        "title": _("Routing policies"),
        "policies": RoutingPolicy.objects.order_by("-created_at")[:_SHOWN],
        "form": form,
        "may_switch": request.user.has_perm(SWITCH),
    }
    return render(request, "payments/routing_policies.html", context, status=422 if form.errors else 200)


@site.admin_view
@require_http_methods(["GET", "POST"])
def policy(request: HttpRequest, policy: str) -> HttpResponse:
    require(request, VIEW)
    try:
        row = replays.policy_named(policy)
    except RoutingPolicyNotFound as problem:
        raise Http404(str(problem)) from problem
    if request.method == "POST":
        require(request, SWITCH)
        _switch(request, row)
        return redirect("routing-policy", policy=str(row))
    replay = _replayed(request, row)
    costs = replay.cost_difference().items() if replay else ()
    context = {
        **site.each_context(request),
        "title": str(row),
        "policy": row,
        "replay": replay,
        "flows": [(*pair, number) for pair, number in replay.flows.items()] if replay else [],
        "costs": [Money(minor, currency) for currency, minor in costs],
        "listed": [(one, Money(one.amount, one.currency)) for one in replay.listed] if replay else [],
        "mine": row.created_by == actor(request),
        "may_switch": request.user.has_perm(SWITCH),
    }
    return render(request, "payments/routing_policy.html", context)


def _drafted(request: HttpRequest, form: DraftForm) -> str:
    given = form.cleaned_data
    points = {name: given[name] for name in ("cost", "success", "least")}
    try:
        return draft_routing_policy(
            name=given["name"], rules=given["rules"], points=points, actor=actor(request), note=given["note"]
        )
    except Refusal as refusal:
        form.add_error(refusal.param if refusal.param in form.fields else "rules", str(refusal))
        return ""


def _switch(request: HttpRequest, row: RoutingPolicy) -> None:
    reason = request.POST.get("reason", "").strip()
    if not reason:
        messages.error(request, _("Say why: the reason is kept in the audit journal."))
        return
    try:
        if request.POST.get("do") == "retire":
            retire_routing_policy(actor=actor(request), reason=reason)
        else:
            activate_routing_policy(policy=str(row), actor=actor(request), reason=reason)
    except Refusal as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Done; it holds for new payments within a second."))


def _replayed(request: HttpRequest, row: RoutingPolicy) -> replays.Replay | None:
    """Yesterday's payments through the policy, when asked for: it takes a while in a large shop."""
    if "replay" not in request.GET:
        return None
    try:
        return replays.replay(str(row), timezone.now() - timedelta(hours=24))
    except Refusal as refusal:
        messages.error(request, str(refusal))
        return None
