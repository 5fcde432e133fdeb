"""The console's view of payments: read-only; money moves through services alone."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from ledger.admin import AnyThere, OneOf, ReadOnly, badge, names, person, spoken
from ledger.money import Money
from ledger.selectors import transactions_of
from ledger.wording import in_words
from payments.models import Attempt, OutboxEvent, Payment, Refund

_COLOURS = {
    "SUCCEEDED": "success",
    "APPLIED": "success",
    "FAILED": "danger",
    "DECLINED": "danger",
    "DEAD": "danger",
    "UNKNOWN": "warning",
    "AWAITING_APPROVAL": "warning",
    "IN_REVIEW": "warning",
    "REQUIRES_ACTION": "info",
    "PROCESSING": "info",
}


class AttemptInline(ReadOnly, TabularInline):  # type: ignore[misc]
    model = Attempt
    fields = (
        "public_id",
        "kind_said",
        "state_badge",
        "channel_said",
        "channel_reference",
        "code",
        "answered_at",
    )
    readonly_fields = fields
    extra = 0
    hide_title = True
    kind_said, channel_said = spoken("kind", _("Kind")), spoken("channel", _("Channel"))
    state_badge = badge("state", _("State"), _COLOURS)


class RefundInline(ReadOnly, TabularInline):  # type: ignore[misc]
    model = Refund
    fields = ("public_id", "state_badge", "money", "reason", "asker", "code", "created_at")
    readonly_fields = fields
    extra = 0
    hide_title = True
    state_badge = badge("state", _("State"), _COLOURS)

    asker = person("requested_by", _("Asked by"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Refund]:
        return Refund.objects.annotate(**names("requested_by"))

    @display(description=_("Amount"))
    def money(self, row: Refund) -> str:
        return row.money.formatted()


@admin.register(Payment)
class PaymentAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = ("shown_id", "reference", "state_badge", "amount_shown", "method_said", "began")
    list_filter = (
        ("state", OneOf),
        ("method", AnyThere),
        ("channel", AnyThere),
        ("risk_level", AnyThere),
    )
    search_fields = ("reference", "attempts__channel_reference")
    date_hierarchy = "created_at"
    inlines = (AttemptInline, RefundInline)
    list_per_page = 50
    show_full_result_count = False
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "public_id",
                    "reference",
                    "state_badge",
                    "method_said",
                    "channel_said",
                    "description",
                )
            },
        ),
        (
            _("Money"),
            {
                "fields": (
                    "amount_shown",
                    "authorized_shown",
                    "captured_shown",
                    "held_shown",
                    "refunded_shown",
                    "refund",
                    "counts",
                )
            },
        ),
        (_("Journal and events"), {"fields": ("journal", "told")}),
        (_("Risk"), {"fields": ("risk_said", "decision", "case", "decide_by")}),
        (_("Refusal"), {"fields": ("failure_code", "failure_message", "advice")}),
        (_("Customer"), {"fields": ("card", "device", "client_ip", "expires_at", "created_at")}),
    )

    @display(description=_("Payment"))
    def shown_id(self, row: Payment) -> str:
        return row.public_id

    @display(description=_("Began (UTC)"), ordering="created_at")
    def began(self, row: Payment) -> str:
        return f"{row.created_at:%m-%d %H:%M}"

    state_badge = badge("state", _("State"), _COLOURS)
    method_said = spoken("method", _("Method"))
    channel_said = spoken("channel", _("Channel"))
    risk_said = spoken("risk_level", _("Risk level"))

    @display(description=_("Amount"), ordering="amount")
    def amount_shown(self, row: Payment) -> str:
        return _shown(row, row.amount)

    @display(description=_("Authorised"))
    def authorized_shown(self, row: Payment) -> str:
        return _shown(row, row.amount_authorized)

    @display(description=_("Captured"))
    def captured_shown(self, row: Payment) -> str:
        return _shown(row, row.amount_captured)

    @display(description=_("Held"))
    def held_shown(self, row: Payment) -> str:
        if not row.held:
            return _shown(row, 0)
        page = reverse("held-money", args=[row.public_id])
        return format_html('{} · <a href="{}">{}</a>', _shown(row, row.held), page, _("Capture or release"))

    @display(description=_("Refunded"))
    def refunded_shown(self, row: Payment) -> str:
        return _shown(row, row.amount_refunded)

    @display(description=_("Can be refunded"))
    def refund(self, row: Payment) -> str:
        if not row.refundable:
            return "–"
        address = reverse("payment-refund", args=[row.public_id])
        return format_html('<a href="{}">{}</a>', address, Money(row.refundable, row.currency).formatted())

    @display(description=_("Counts for its order"))
    def counts(self, row: Payment) -> str:
        return str(_("no: another payment did, so this money goes back") if row.surplus else _("yes"))

    @display(description=_("Journal"))
    def journal(self, row: Payment) -> str:
        """What was posted for the order, a line an entry."""
        lines = [
            (
                f"{posted.happened_at:%Y-%m-%d %H:%M:%S}",
                posted.description,
                entry.account,
                entry.amount.formatted(),
            )
            for posted in transactions_of(row.reference)
            for entry in posted.entries
        ]
        return format_html_join(mark_safe("<br>"), "{} {}: {} {}", lines) or "–"

    @display(description=_("Events"))
    def told(self, row: Payment) -> str:
        """What was published for the order, oldest first, and whether it was delivered."""
        events = OutboxEvent.objects.filter(subject=row.reference).order_by("pk")
        lines = [(event.name, in_words("DELIVERED" if event.delivered_at else "WAITING")) for event in events]
        return format_html_join(mark_safe("<br>"), "{} ({})", lines) or "–"

    @display(description=_("Card"))
    def card(self, row: Payment) -> str:
        kept = row.instrument
        return f"{in_words(kept['brand'])} ····{kept['last4']} ({kept['country']})" if kept else "–"


@admin.register(Refund)
class RefundAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    """The record of all refunds; each has a page of its own, where it is decided."""

    list_display = ("public_id", "of", "state_badge", "money", "reason", "asker", "created_at")
    list_filter = (("state", OneOf),)
    list_select_related = ("payment",)
    show_full_result_count = False

    asker = person("requested_by", _("Asked by"))
    state_badge = badge("state", _("State"), _COLOURS)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Refund]:
        return Refund.objects.annotate(**names("requested_by"))

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **options: Any) -> HttpResponse:
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        return redirect("refund-case", row.public_id)

    @display(description=_("Amount"), ordering="amount")
    def money(self, row: Refund) -> str:
        return row.money.formatted()

    @display(description=_("Payment"), ordering="payment")
    def of(self, row: Refund) -> str:
        page = reverse("admin:payments_payment_change", args=[row.payment_id])
        return format_html('<a href="{}">{}</a>', page, row.payment.public_id)


def _shown(row: Payment, minor: int) -> str:
    return format_html("<span dir='ltr'>{}</span>", Money(minor, row.currency).formatted())
