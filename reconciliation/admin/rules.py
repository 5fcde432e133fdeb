"""Rules that resolve discrepancies by themselves: written by one person, tried, switched on by another."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import site
from django.db.models import Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from ledger.errors import Refusal
from ledger.money import Money, UnknownCurrency
from reconciliation.admin.showing import APPROVE, MANAGE, VIEW, actor, names, require
from reconciliation.cases import resolvable
from reconciliation.errors import ResolveRuleNotFound
from reconciliation.models import ResolveRule
from reconciliation.services.activate_resolve_rule import activate_resolve_rule
from reconciliation.services.draft_resolve_rule import draft_resolve_rule
from reconciliation.services.retire_resolve_rule import retire_resolve_rule
from reconciliation.states import BY_RULE
from reconciliation.wording import KINDS, REPAIRS

_SHOWN = 50


class DraftForm(forms.Form):
    name = forms.SlugField(max_length=40, label=gettext_lazy("Name"), widget=UnfoldAdminTextInputWidget)
    kind = forms.ChoiceField(
        choices=list(KINDS.items()), label=gettext_lazy("Difference"), widget=UnfoldAdminSelectWidget
    )
    channel = forms.CharField(
        required=False,
        max_length=20,
        label=gettext_lazy("Channel"),
        help_text=gettext_lazy("Empty for all of them."),
        widget=UnfoldAdminTextInputWidget,
    )
    currency = forms.CharField(
        initial="CNY", max_length=3, label=gettext_lazy("Currency"), widget=UnfoldAdminTextInputWidget
    )
    max_amount = forms.DecimalField(
        min_value=0,
        label=gettext_lazy("At risk, at most"),
        widget=UnfoldAdminTextInputWidget({"inputmode": "decimal"}),
    )
    fee_tolerance = forms.IntegerField(
        required=False,
        min_value=0,
        label=gettext_lazy("Fees apart, at most"),
        help_text=gettext_lazy("In thousandths of the smallest coin; empty where fees do not matter."),
        widget=UnfoldAdminIntegerFieldWidget,
    )
    min_age_days = forms.IntegerField(
        initial=0,
        min_value=0,
        max_value=365,
        label=gettext_lazy("Days old, at least"),
        widget=UnfoldAdminIntegerFieldWidget,
    )
    action = forms.ChoiceField(
        choices=[(kind, REPAIRS[kind]) for kind in sorted(BY_RULE)],
        label=gettext_lazy("What is done"),
        widget=UnfoldAdminSelectWidget,
    )
    note = forms.CharField(
        max_length=300, label=gettext_lazy("What it is for"), widget=UnfoldAdminTextInputWidget
    )

    def clean(self) -> dict[str, Any]:
        """The amount in minor units: only here its currency is known."""
        given = super().clean() or {}
        try:
            money = Money.from_major(given.get("max_amount", 0), given.get("currency", ""))
            given["max_amount"] = money.minor
        except UnknownCurrency:
            self.add_error("currency", _("There is no such currency."))
        except ValueError:
            self.add_error("max_amount", _("Enter an amount like 12.50."))
        return given


@site.admin_view
@require_http_methods(["GET", "POST"])
def rules(request: HttpRequest) -> HttpResponse:
    require(request, VIEW)
    form = DraftForm(request.POST or None)
    if request.method == "POST":
        require(request, MANAGE)
        if form.is_valid() and (name := _drafted(request, form)):
            return redirect("resolve-rule", rule=name)
    listed = list(ResolveRule.objects.order_by("-created_at")[:_SHOWN])
    context = {
        **site.each_context(request),
        "title": _("Rules that resolve by themselves"),
        "rules": [(one, KINDS[one.kind], REPAIRS[one.action]) for one in listed],
        "form": form,
        "may_manage": request.user.has_perm(MANAGE),
    }
    return render(request, "reconciliation/resolve_rules.html", context, status=422 if form.errors else 200)


@site.admin_view
@require_http_methods(["GET", "POST"])
def rule(request: HttpRequest, rule: str) -> HttpResponse:
    require(request, VIEW)
    try:
        row = ResolveRule.objects.named(rule).get()
    except ResolveRuleNotFound as problem:
        raise Http404(str(problem)) from problem
    if request.method == "POST":
        _switch(request, row)
        return redirect("resolve-rule", rule=str(row))
    found = resolvable(row, timezone.now())
    done = row.repairs.select_related("discrepancy").order_by("-pk")
    people = names([row.created_by, row.activated_by])
    context = {
        **site.each_context(request),
        "title": str(row),
        "rule": row,
        "kind": KINDS[row.kind],
        "action": REPAIRS[row.action],
        "at_most": Money(row.max_amount, row.currency),
        "written_by": people.get(row.created_by, ""),
        "switched_on_by": people.get(row.activated_by, ""),
        "count": found.count(),
        "sum": Money(found.order_by().aggregate(sum=Sum("amount_at_risk"))["sum"] or 0, row.currency),
        "found": [(one, Money(one.amount_at_risk, one.currency)) for one in found[:_SHOWN]],
        "done": [(one, Money(one.amount, one.currency)) for one in done[:_SHOWN]],
        "mine": row.created_by == actor(request),
        "may_switch": request.user.has_perm(APPROVE),
    }
    return render(request, "reconciliation/resolve_rule.html", context)


def _drafted(request: HttpRequest, form: DraftForm) -> str:
    given = {**form.cleaned_data}
    try:
        return draft_resolve_rule(**given, actor=actor(request))
    except Refusal as refusal:
        form.add_error(refusal.param if refusal.param in form.fields else None, str(refusal))
        return ""


def _switch(request: HttpRequest, row: ResolveRule) -> None:
    require(request, APPROVE)
    reason = request.POST.get("reason", "").strip()
    try:
        if request.POST.get("do") == "retire":
            retire_resolve_rule(rule=str(row), actor=actor(request), reason=reason)
        else:
            activate_resolve_rule(rule=str(row), actor=actor(request), reason=reason)
    except Refusal as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Done; it holds from the next run on."))
