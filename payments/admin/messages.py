"""What came in and what went out: notifications, events, and those of both that wait for a person."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display
from unfold.forms import ActionForm
from unfold.widgets import UnfoldAdminTextInputWidget

from ledger.admin import AnyThere, OneOf, ReadOnly, badge, spoken
from ledger.errors import Refusal
from ledger.wording import in_words
from payments.admin.masking import masked, shown
from payments.models import InboxEvent, OutboxDelivery, OutboxEvent
from payments.services.replay_deliveries import replay_deliveries
from payments.services.replay_inbox_event import replay_inbox_event

REPLAY = "payments.replay_event"
COLOURS = {
    "APPLIED": "success",
    "DELIVERED": "success",
    "DEAD": "danger",
    "FAILED": "warning",
    "WAITING": "info",
    "RECEIVED": "info",
}


class ReasonForm(ActionForm):  # type: ignore[misc]
    """Stands beside the list of actions."""

    reason = forms.CharField(
        required=False,
        max_length=500,
        label="",
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": _("reason"), "aria-label": _("reason")}),
    )


class Replayable(ReadOnly):
    action_form = ReasonForm
    actions = ("replay",)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(REPLAY)


def _with_reason(request: HttpRequest, use_case: Callable[[str, str], str]) -> None:
    reason = request.POST.get("reason", "").strip()
    if not reason:
        messages.error(request, _("Say why: the reason is kept in the audit journal."))
        return
    try:
        messages.success(request, use_case(f"user:{request.user.pk}", reason))
    except Refusal as refusal:
        messages.error(request, str(refusal))


@admin.register(InboxEvent)
class InboxAdmin(Replayable, ModelAdmin):  # type: ignore[misc]
    list_display = ("event_shown", "status", "reference", "error", "came")
    list_filter = (("state", OneOf), ("channel", AnyThere))
    search_fields = ("reference", "event_id")
    list_per_page = 50
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("public_id", "channel_said", "event_id", "status", "reference", "error")}),
        (_("Tries"), {"fields": ("tries", "next_try_at", "received_at", "applied_at")}),
        (_("As it came"), {"fields": ("headers_shown", "body_shown")}),
    )
    readonly_fields = ("public_id", "status", "headers_shown", "body_shown")

    @display(description=_("Notice"), ordering="event_id")
    def event_shown(self, row: InboxEvent) -> str:
        return f"{in_words(row.channel)} {row.event_id[:40]}"

    status = badge("state", _("State"), COLOURS)
    channel_said = spoken("channel", _("Channel"))

    @display(description=_("Came (UTC)"), ordering="received_at")
    def came(self, row: InboxEvent) -> str:
        return f"{row.received_at:%m-%d %H:%M}"

    @display(description=_("Headers"))
    def headers_shown(self, row: InboxEvent) -> str:
        lines = "\n".join(f"{name}: {value}" for name, value in sorted(row.headers.items()))
        return shown(lines or "–")

    @display(description=_("Body, masked"))
    def body_shown(self, row: InboxEvent) -> str:
        return shown(masked(bytes(row.body)))

    @admin.action(description=_("Apply again, for this reason"), permissions=["replay"])
    def replay(self, request: HttpRequest, rows: QuerySet[InboxEvent]) -> None:
        for row in rows[:100]:
            _with_reason(request, lambda actor, reason, row=row: _replayed(row, actor, reason))  # type: ignore[misc]


def _replayed(row: InboxEvent, actor: str, reason: str) -> str:
    state = replay_inbox_event(event=row.public_id, actor=actor, reason=reason)
    return f"{in_words(row.channel)} {row.event_id[:40]}: {in_words(state)}"


class DeliveryInline(ReadOnly, TabularInline):  # type: ignore[misc]
    model = OutboxDelivery
    fields = ("subscriber", "status", "tries", "error", "next_try_at")
    readonly_fields = fields
    extra = 0
    hide_title = True
    verbose_name_plural = _("Subscribers that could not take it at once")

    status = badge("status", _("State"), COLOURS)


@admin.register(OutboxEvent)
class OutboxAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = ("public_id", "name", "subject", "created_at", "delivered_at")
    list_filter = ("name",)
    search_fields = ("subject",)
    inlines = (DeliveryInline,)
    list_per_page = 50
    show_full_result_count = False
    fields = ("public_id", "name", "subject", "payload", "request_id", "created_at", "delivered_at")
    readonly_fields = ("public_id",)


class StandingFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("waiting", _("waiting")), ("dead", _("dead"))]

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "waiting":
            return rows.filter(delivered_at=None, dead_at=None)
        return rows.exclude(dead_at=None) if self.value() == "dead" else rows


@admin.register(OutboxDelivery)
class DeliveryAdmin(Replayable, ModelAdmin):  # type: ignore[misc]
    list_display = ("told", "subscriber_shown", "status", "tries", "error")
    list_filter = (StandingFilter,)
    search_fields = ("subject",)
    list_select_related = ("event",)
    list_per_page = 50
    show_full_result_count = False
    fields = ("public_id", "told", "subscriber", "status", "tries", "error", "next_try_at", "created_at")
    readonly_fields = ("public_id", "told", "status")

    @display(description=_("Event"))
    def told(self, row: OutboxDelivery) -> str:
        return format_html_join(" ", "{}", [(row.event.name,), (row.subject,)])

    @display(description=_("Subscriber"))
    def subscriber_shown(self, row: OutboxDelivery) -> str:
        return row.subscriber.rpartition(".")[2]

    status = badge("status", _("State"), COLOURS)

    @admin.action(description=_("Deliver again, for this reason"), permissions=["replay"])
    def replay(self, request: HttpRequest, rows: QuerySet[OutboxDelivery]) -> None:
        keys = [row.public_id for row in rows[:1000]]

        def again(actor: str, reason: str) -> str:
            count = replay_deliveries(deliveries=keys, actor=actor, reason=reason)
            return str(_("%(count)s will be delivered again.") % {"count": count})

        _with_reason(request, again)
