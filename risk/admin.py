"""The console's view of risk: decisions and policies are read, lists and the active policy change through services."""

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from ledger.admin import ReadOnlyAdmin, ThroughService
from ledger.errors import Refusal
from risk import challenges, naming, selectors, wording
from risk.models import Decision, ListEntry, Policy, RiskCase, RiskModel
from risk.services.add_list_entry import add_list_entry
from risk.services.crown_model import crown_model
from risk.services.end_list_entry import end_list_entry

_LEVELS = {"LOW": "success", "MEDIUM": "warning", "HIGH": "danger"}
_ACTIONS = {"accept": "success", "challenge": "warning", "review": "info", "reject": "danger"}
_STATES = {
    "ACTIVE": "success",
    "SHADOW": "info",
    "OPEN": "warning",
    "ASSIGNED": "info",
    "ESCALATED": "danger",
    "CHAMPION": "success",
    "CHALLENGER": "info",
}
_LISTS = {"fatal": "danger", "black": "danger", "grey": "warning", "white": "success"}


def _pretty(value: Any) -> SafeString:
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
    return format_html('<pre class="text-xs whitespace-pre-wrap">{}</pre>', text)


class ReadOnly(ReadOnlyAdmin):
    actions = None


@admin.register(Decision)
class DecisionAdmin(ReadOnly):
    list_display = (
        "public_id",
        "subject",
        "stage",
        "money",
        "level_badge",
        "score",
        "action_badge",
        "why",
        "created_at",
    )
    list_filter = ("action", "level", "stage")
    search_fields = ("subject__exact",)
    search_help_text = _("pay_… or ord_…")
    ordering = ("-id",)
    list_select_related = ("policy",)
    readonly_fields = (
        "public_id",
        "subject",
        "stage",
        "money",
        "level_badge",
        "score",
        "action_badge",
        "policy",
        "in_words",
        "why",
        "challenged",
        "replays",
        "latency_us",
        "created_at",
        "looked_at",
    )
    fields = readonly_fields

    @display(description=_("Amount"))
    def money(self, row: Decision) -> str:
        return wording.amount(row.amount, row.currency, get_language() or "en")

    @display(description=_("Level"), label=_LEVELS)
    def level_badge(self, row: Decision) -> str:
        return row.level

    @display(description=_("Action"), label=_ACTIONS)
    def action_badge(self, row: Decision) -> str:
        return row.action

    @display(description=_("Reasons"))
    def why(self, row: Decision) -> str:
        reasons = selectors.reasons_in_words(row.reasons, get_language() or "en")
        return (
            format_html_join("", "<div>{} ({})</div>", ((r.text, f"{r.weight:+d}") for r in reasons)) or "–"
        )

    @display(description=_("In words"))
    def in_words(self, row: Decision) -> str:
        return selectors.decision_view(row, get_language() or "en").explanation or "–"

    @display(description=_("Challenge"))
    def challenged(self, row: Decision) -> str:
        asked = challenges.of_decision(row)
        if asked is None:
            return "–"
        return f"{asked.id}: {asked.kind}, {asked.state}. {asked.reason}"

    @display(description=_("Judged again, it comes out the same"), boolean=True)
    def replays(self, row: Decision) -> bool:
        return selectors.replay_row(row).same

    @display(description=_("What was looked at"))
    def looked_at(self, row: Decision) -> SafeString:
        return _pretty(row.inputs)


@admin.register(Policy)
class PolicyAdmin(ReadOnly):
    list_display = ("__str__", "state_badge", "note", "created_by", "created_at")
    ordering = ("-created_at",)
    readonly_fields = (
        "name",
        "version",
        "state_badge",
        "note",
        "created_by",
        "created_at",
        "rules_shown",
        "thresholds_shown",
        "limits_shown",
        "rates_shown",
    )
    fields = readonly_fields

    @display(description=_("State"), label=_STATES)
    def state_badge(self, row: Policy) -> str:
        return str(row.state)

    @display(description=_("Rules"))
    def rules_shown(self, row: Policy) -> SafeString:
        return _pretty(row.rules)

    @display(description=_("Thresholds"))
    def thresholds_shown(self, row: Policy) -> SafeString:
        return _pretty(row.thresholds)

    @display(description=_("Limits by verification level (fen)"))
    def limits_shown(self, row: Policy) -> SafeString:
        return _pretty(row.limits)

    @display(description=_("CNY for one unit"))
    def rates_shown(self, row: Policy) -> SafeString:
        return _pretty(row.rates)


class ListEntryForm(forms.ModelForm):  # type: ignore[type-arg]
    value = forms.CharField(
        max_length=128,
        widget=UnfoldAdminTextInputWidget,
        help_text=_(
            "An e-mail address, a phone with +, cus_…, a card's fingerprint, a device's id, an IP address."
            " Kept as a hash only."
        ),
    )

    class Meta:
        model = ListEntry
        fields = ("kind", "entity", "label", "reason", "expires_at")

    def _post_clean(self) -> None:
        """Nothing of the instance is validated here: the service says what is wrong."""


@admin.register(ListEntry)
class ListEntryAdmin(ThroughService):
    form = ListEntryForm
    list_display = (
        "public_id",
        "kind_badge",
        "entity",
        "label",
        "reason",
        "source",
        "created_by",
        "expires_at",
        "ended_at",
    )
    list_filter = ("kind", "entity")
    ordering = ("-id",)
    actions = ("end",)
    actions_list = ("bring", "take")

    @action(description=_("Import a file"), url_path="bring", permissions=["bring"])
    def bring(self, request: HttpRequest) -> HttpResponse:
        return redirect("risk-import-list")

    @action(description=_("Export"), url_path="take", permissions=["view"])
    def take(self, request: HttpRequest) -> HttpResponse:
        return redirect("risk-export-list")

    def has_bring_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("risk.add_listentry"))

    @display(description=_("List"), label=_LISTS)
    def kind_badge(self, row: ListEntry) -> str:
        return row.kind

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_end_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("risk.add_listentry"))

    def call(self, obj: ListEntry, given: dict[str, Any], actor: str) -> str:
        value = naming.told(given["entity"], given["value"])
        name = add_list_entry(**{**given, "value": value}, actor=actor)
        return str(_("%(name)s decides from the next question on.") % {"name": name})

    @action(description=_("End the chosen entries"), permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet[ListEntry]) -> None:
        for row in queryset:
            try:
                end_list_entry(
                    entry=row.public_id, actor=f"user:{request.user.pk}", reason="ended in the console"
                )
            except Refusal as refusal:
                messages.error(request, str(refusal))


@admin.register(RiskCase)
class RiskCaseAdmin(ReadOnly):
    """The record of all cases; the work queue, where they are decided, belongs to payments."""

    list_display = ("public_id", "subject", "state_badge", "decide_by", "assignee", "closed_by", "reason")
    list_filter = ("state",)
    search_fields = ("subject__exact",)
    ordering = ("-id",)
    readonly_fields = (
        "public_id",
        "subject",
        "decision",
        "state_badge",
        "opened_at",
        "decide_by",
        "assignee",
        "claimed_at",
        "closed_by",
        "closed_at",
        "reason",
    )
    fields = readonly_fields

    @display(description=_("State"), label=_STATES)
    def state_badge(self, row: RiskCase) -> str:
        return str(row.state)


@admin.register(RiskModel)
class RiskModelAdmin(ReadOnly):
    list_display = (
        "__str__",
        "state_badge",
        "source",
        "payments",
        "frauds",
        "later",
        "plots",
        "created_at",
    )
    list_filter = ("state",)
    ordering = ("-created_at",)
    readonly_fields = (
        "public_id",
        "name",
        "version",
        "state_badge",
        "source",
        "payments",
        "frauds",
        "later",
        "created_by",
        "created_at",
        "digest",
        "plots",
        "card_shown",
    )
    fields = readonly_fields
    actions = ("crown",)  # type: ignore[assignment]

    def get_queryset(self, request: HttpRequest) -> QuerySet[RiskModel]:
        return RiskModel.objects.defer("text", "schema")

    @display(description=_("State"), label=_STATES)
    def state_badge(self, row: RiskModel) -> str:
        return str(row.state)

    @display(description=_("Learnt from"))
    def source(self, row: RiskModel) -> str:
        source = row.card.get("source", "–")
        return str(_("%(source)s (simulated)") % {"source": source}) if row.card.get("simulated") else source

    @display(description=_("Payments"))
    def payments(self, row: RiskModel) -> str:
        return str(row.card.get("payments", "–"))

    @display(description=_("Frauds"))
    def frauds(self, row: RiskModel) -> str:
        return str(row.card.get("frauds", "–"))

    @display(description=_("Average precision on later days"))
    def later(self, row: RiskModel) -> str:
        return str(row.card.get("later", {}).get("ap", "–"))

    @display(description=_("Plots"))
    def plots(self, row: RiskModel) -> SafeString:
        where = reverse("risk-model", args=[str(row)])
        return format_html(
            '<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', where, _("Card with plots")
        )

    @display(description=_("Model card"))
    def card_shown(self, row: RiskModel) -> SafeString:
        return _pretty(row.card)

    def has_crown_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("risk.crown_riskmodel"))

    @action(description=_("Make the chosen model the champion"), permissions=["crown"])
    def crown(self, request: HttpRequest, queryset: QuerySet[RiskModel]) -> None:
        chosen = list(queryset[:2])
        if len(chosen) != 1:
            messages.error(request, _("Choose one model: there is one champion."))
            return
        try:
            name = crown_model(
                model=str(chosen[0]), actor=f"user:{request.user.pk}", reason="crowned in the console"
            )
        except Refusal as refusal:
            messages.error(request, str(refusal))
            return
        messages.success(
            request, _("%(name)s is the champion. Policies keep the model that they name.") % {"name": name}
        )
