"""The console's view of kept cards: read-only, masked, with what happened to each."""

from typing import Any

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display

from ledger import acts
from ledger.admin import AnyThere, OneOf, ReadOnly, badge, spoken
from ledger.selectors import audit_trail
from ledger.wording import in_words
from payments.models import SavedMethod

_COLOURS = {"ACTIVE": "success", "EXPIRED": "warning", "DELETED": "danger", "PENDING": "info"}


@admin.register(SavedMethod)
class SavedMethodAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = ("shown_id", "customer", "card", "state_badge", "default", "created_at")
    list_filter = (("state", OneOf), ("channel", AnyThere), ("brand", AnyThere))
    search_fields = ("=vault__customer",)
    search_help_text = _("Customer (cus_…)")
    list_select_related = ("vault",)
    list_per_page = 50
    show_full_result_count = False
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "public_id",
                    "customer",
                    "card",
                    "state_badge",
                    "channel_said",
                    "expires_on",
                    "default",
                )
            },
        ),
        (_("Limits"), {"fields": ("at_once", "in_a_day")}),
        (_("Consent"), {"fields": ("consent_version", "consented_at", "consent_ip")}),
        (_("Life"), {"fields": ("created_at", "last_used_at", "deleted_at", "forgotten_at", "history")}),
    )

    @display(description=_("Card kept"))
    def shown_id(self, row: SavedMethod) -> str:
        return row.public_id

    @display(description=_("Customer"), ordering="vault__customer")
    def customer(self, row: SavedMethod) -> str:
        return row.vault.customer

    @display(description=_("Card"))
    def card(self, row: SavedMethod) -> str:
        return f"{in_words(row.brand)} •••• {row.last4}" if row.last4 else "–"

    state_badge = badge("state", _("State"), _COLOURS)
    channel_said = spoken("channel", _("Channel"))

    @display(description=_("Offered first"), ordering="is_default")
    def default(self, row: SavedMethod) -> str:
        return str(_("default")) if row.is_default else "–"

    @display(description=_("At once"))
    def at_once(self, row: SavedMethod) -> str:
        limit = row.limit(row.single_limit)
        return limit.formatted() if limit else str(_("no limit"))

    @display(description=_("In 24 hours"))
    def in_a_day(self, row: SavedMethod) -> str:
        limit = row.limit(row.daily_limit)
        return limit.formatted() if limit else str(_("no limit"))

    @display(description=_("History"))
    def history(self, row: SavedMethod) -> str:
        """Who did what to it, oldest first."""
        lines = [
            (
                f"{entry.happened_at:%Y-%m-%d %H:%M:%S}",
                entry.actor,
                acts.in_words(entry.action),
                _told(entry.after),
            )
            for entry in audit_trail(row.public_id)
        ]
        return format_html_join(mark_safe("<br>"), "{} {}: {} {}", lines) or "–"


def _told(after: Any) -> str:
    """A state, or what a limit was set to; minor units."""
    if isinstance(after, dict):
        return ", ".join(f"{name} {value}" for name, value in after.items() if value)
    return in_words(str(after or ""))
