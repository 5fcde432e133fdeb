"""The console's view of risk: decisions and policies are read, models are crowned through a service."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from ledger.admin import OneOf, ReadOnlyAdmin, badge, names, person, spoken
from ledger.errors import Refusal
from ledger.wording import in_words, said
from risk import challenges, layouts, selectors, texts, wording
from risk.admin.frame import pretty
from risk.models import Decision, Policy, RiskCase, RiskModel
from risk.services.crown_model import crown_model
from risk.states import ChallengeState

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
_REASONS_SHOWN = 2


def _with_points(text: str, weight: int) -> str:
    return f"{text} ({weight:+d})" if weight else text


class ReadOnly(ReadOnlyAdmin):
    actions = None


@admin.register(Decision)
class DecisionAdmin(ReadOnly):
    list_display = ("created_at", "what", "money", "level_badge", "score", "action_badge", "first_reasons")
    list_filter = (("action", OneOf), ("level", OneOf), ("stage", OneOf))
    search_fields = ("subject__exact",)
    search_help_text = _("pay_… or ord_…")
    ordering = ("-id",)
    list_select_related = ("policy",)
    readonly_fields = (
        "public_id",
        "what",
        "stage_said",
        "money",
        "level_badge",
        "score",
        "action_badge",
        "policy",
        "in_words",
        "why",
        "challenged",
        "replays",
        "answered_in",
        "created_at",
        "looked_at",
    )
    fields = readonly_fields

    def title_of(self, row: Decision) -> str:
        return f"{row.public_id} · {in_words(row.action)}"

    @display(description=_("About"))
    def what(self, row: Decision) -> SafeString:
        return format_html('<span class="break-all">{}</span>', row.subject)

    @display(description=_("Reasons"))
    def first_reasons(self, row: Decision) -> SafeString:
        """What weighs most; the page of the decision has them all."""
        reasons = selectors.reasons_in_words(row.reasons, get_language() or "en")
        heaviest = sorted(reasons, key=lambda one: -abs(one.weight))[:_REASONS_SHOWN]
        said = format_html_join(
            "", "<div>{}</div>", ((_with_points(one.text, one.weight),) for one in heaviest)
        )
        left = len(reasons) - len(heaviest)
        more = (
            format_html('<div class="text-xs">{}</div>', _("%(count)s more") % {"count": left})
            if left
            else ""
        )
        return format_html("{}{}", said or "–", more)

    @display(description=_("Amount"))
    def money(self, row: Decision) -> str:
        return wording.amount(row.amount, row.currency, get_language() or "en")

    level_badge = badge("level", _("Level"), _LEVELS)

    action_badge = badge("action", _("Action"), _ACTIONS)
    stage_said = spoken("stage", _("Stage"))

    @display(description=_("Reasons"))
    def why(self, row: Decision) -> str:
        reasons = selectors.reasons_in_words(row.reasons, get_language() or "en")
        return (
            format_html_join("", "<div>{}</div>", ((_with_points(r.text, r.weight),) for r in reasons)) or "–"
        )

    @display(description=_("In words"))
    def in_words(self, row: Decision) -> str:
        return selectors.decision_view(row, get_language() or "en").explanation or "–"

    @display(description=_("Challenge"))
    def challenged(self, row: Decision) -> str:
        asked = challenges.of_decision(row)
        if asked is None:
            return "–"
        said = f"{asked.id}: {in_words(asked.kind)}, {in_words(asked.state)}"
        told = asked.state == ChallengeState.PASSED or not asked.reason
        return said if told else f"{said}. {in_words(asked.reason)}"

    @display(description=_("Judged again, it comes out the same"), boolean=True)
    def replays(self, row: Decision) -> bool:
        return selectors.replay_row(row).same

    @display(description=_("Answered in"))
    def answered_in(self, row: Decision) -> str:
        return f"{row.latency_us / 1000:.1f} ms"

    @display(description=_("What was looked at"))
    def looked_at(self, row: Decision) -> SafeString:
        return pretty({**row.inputs, "signals": layouts.named(row.inputs)})


@admin.register(Policy)
class PolicyAdmin(ReadOnly):
    list_display = ("__str__", "state_badge", "note_said", "author", "created_at")
    ordering = ("-created_at",)
    readonly_fields = (
        "name",
        "version",
        "state_badge",
        "note_said",
        "author",
        "created_at",
        "rules_shown",
        "thresholds_shown",
        "limits_shown",
        "rates_shown",
    )
    fields = readonly_fields

    state_badge = badge("state", _("State"), _STATES)
    author = person("created_by", _("Written by"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Policy]:
        return Policy.objects.annotate(**names("created_by"))

    def title_of(self, row: Policy) -> str:
        return f"{row} · {in_words(row.state)}"

    @display(description=_("Note"), ordering="note")
    def note_said(self, row: Policy) -> str:
        return texts.translated(row.note)

    @display(description=_("Rules"))
    def rules_shown(self, row: Policy) -> SafeString:
        return pretty(row.rules)

    @display(description=_("Thresholds"))
    def thresholds_shown(self, row: Policy) -> SafeString:
        return pretty(row.thresholds)

    @display(description=_("Limits by verification level (fen)"))
    def limits_shown(self, row: Policy) -> SafeString:
        return pretty(row.limits)

    @display(description=_("CNY for one unit"))
    def rates_shown(self, row: Policy) -> SafeString:
        return pretty(row.rates)


@admin.register(RiskCase)
class RiskCaseAdmin(ReadOnly):
    """The record of all cases; the work queue, where they are decided, belongs to payments."""

    list_display = (
        "opened_at",
        "what",
        "kind_said",
        "state_badge",
        "decide_by",
        "assigned",
        "closed",
        "reason",
    )
    list_filter = (("state", OneOf), ("kind", OneOf))
    search_fields = ("subject__exact",)
    ordering = ("-id",)
    readonly_fields = (
        "public_id",
        "what",
        "kind_said",
        "decision",
        "state_badge",
        "opened_at",
        "decide_by",
        "assigned",
        "claimed_at",
        "closed",
        "closed_at",
        "reason",
    )
    fields = readonly_fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[RiskCase]:
        return RiskCase.objects.annotate(**names("assignee", "closed_by"))

    @display(description=_("About"))
    def what(self, row: RiskCase) -> SafeString:
        return format_html('<span class="break-all">{}</span>', row.subject)

    assigned, closed = person("assignee", _("Taken by")), person("closed_by", _("Closed by"))
    kind_said = spoken("kind", _("Kind"))
    state_badge = badge("state", _("State"), _STATES)


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
    list_filter = (("state", OneOf),)
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
        "author",
        "created_at",
        "digest",
        "plots",
        "card_shown",
    )
    fields = readonly_fields
    actions = ("crown",)  # type: ignore[assignment]

    def get_queryset(self, request: HttpRequest) -> QuerySet[RiskModel]:
        return RiskModel.objects.defer("text", "schema").annotate(**names("created_by"))

    state_badge = badge("state", _("State"), _STATES)
    author = person("created_by", _("Written by"))

    def title_of(self, row: RiskModel) -> str:
        return f"{row} · {in_words(row.state)}"

    @display(description=_("Learnt from"))
    def source(self, row: RiskModel) -> str:
        source = texts.translated(row.card.get("source", "–"))
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
        return pretty(
            {name: texts.translated(one) if isinstance(one, str) else one for name, one in row.card.items()}
        )

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
            messages.error(request, texts.translated(said(refusal.message)))
            return
        messages.success(
            request, _("%(name)s is the champion. Policies keep the model that they name.") % {"name": name}
        )
