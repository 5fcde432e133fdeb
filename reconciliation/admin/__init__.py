"""The console of reconciliation: read-only tables, and the pages of `discrepancies`, `repairs` and `rules`."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from ledger.admin import AnyThere, OneOf, ReadOnly, badge, names, person, spoken, unbroken
from ledger.money import Money
from reconciliation.admin.sides import our_sum, their_sum
from reconciliation.models import Discrepancy
from reconciliation.wording import KINDS

_COLOURS = {"OPEN": "danger", "INVESTIGATING": "warning", "RESOLVED": "success", "WRITTEN_OFF": "info"}


@admin.register(Discrepancy)
class DiscrepancyAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    """Every discrepancy that ever was; the work on them has pages of its own."""

    list_display = (
        *("public_id", "status", "kind_said", "channel_said", "at_risk", "our_sum", "told"),
        *("reference", "times_seen", "work"),
    )
    list_filter = (("state", OneOf), ("kind", OneOf), ("channel", AnyThere))
    search_fields = ("reference", "subject", "their_reference")
    ordering = ("-first_seen_at",)
    show_full_result_count = False
    fields = (
        *(
            "public_id",
            "work",
            "status",
            "kind_said",
            "channel_said",
            "subject",
            "reference",
            "our_sum",
            "told",
        ),
        *("at_risk", "source_said", "times_seen", "first_seen_at", "last_seen_at", "taken_by"),
        *("proposed_by", "closed", "closed_at", "reason"),
    )
    readonly_fields = fields

    status = badge("state", _("state"), _COLOURS)
    channel_said, source_said = spoken("channel", _("Channel")), spoken("source", _("Source"))
    taken_by, closed = person("investigator", _("Taken by")), person("closed_by", _("Closed by"))
    proposed_by = person("write_off_proposed_by", _("Write-off proposed by"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Discrepancy]:
        return Discrepancy.objects.annotate(**names("investigator", "closed_by", "write_off_proposed_by"))

    @admin.display(description=_("kind"), ordering="kind")
    def kind_said(self, row: Discrepancy) -> str:
        return unbroken(str(KINDS[row.kind]))

    @admin.display(description=_("ours"))
    def our_sum(self, row: Discrepancy) -> str:
        return our_sum(row)

    @admin.display(description=_("told"))
    def told(self, row: Discrepancy) -> str:
        return their_sum(row)

    @admin.display(description=_("at risk"))
    def at_risk(self, row: Discrepancy) -> str:
        return Money(row.amount_at_risk, row.currency).formatted()

    @admin.display(description=_("work"))
    def work(self, row: Discrepancy) -> str:
        return format_html(
            '<a class="text-primary-600" href="{}">{}</a>',
            reverse("discrepancy", args=[row.public_id]),
            _("Open"),
        )
