"""The work queue of discrepancies: read-only, and every step goes through a use case."""

from collections.abc import Callable

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.forms import ActionForm
from unfold.widgets import UnfoldAdminTextInputWidget

from ledger.admin import ReadOnly
from ledger.errors import Refusal
from ledger.money import Money
from reconciliation.models import Discrepancy
from reconciliation.services.approve_write_off import approve_write_off
from reconciliation.services.investigate import investigate
from reconciliation.services.propose_write_off import propose_write_off
from reconciliation.services.resolve import resolve


class ReasonForm(ActionForm):  # type: ignore[misc]
    """Stands beside the list of actions."""

    reason = forms.CharField(
        required=False,
        max_length=500,
        label="",
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": _("reason"), "aria-label": _("reason")}),
    )


@admin.register(Discrepancy)
class DiscrepancyAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = (
        "public_id",
        "status",
        "kind",
        "channel",
        "at_risk",
        "ours",
        "told",
        "reference",
        "times_seen",
    )
    list_filter = ("state", "kind", "channel")
    search_fields = ("reference", "subject")
    ordering = ("first_seen_at",)
    fields = (
        *(
            "public_id",
            "status",
            "kind",
            "channel",
            "subject",
            "reference",
            "ours",
            "told",
            "at_risk",
            "source",
        ),
        *("times_seen", "first_seen_at", "last_seen_at", "investigator", "write_off_proposed_by"),
        *("closed_by", "closed_at", "reason"),
    )
    readonly_fields = fields
    action_form = ReasonForm
    actions = ("take_up", "resolve_explained", "ask_for_write_off", "approve")

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("reconciliation.decide_discrepancy")

    @display(
        description=_("state"),
        label={"OPEN": "danger", "INVESTIGATING": "warning", "RESOLVED": "success", "WRITTEN_OFF": "info"},
    )
    def status(self, row: Discrepancy) -> str:
        return str(row.state)

    @admin.display(description=_("ours"))
    def ours(self, row: Discrepancy) -> str:
        return Money(row.amount, row.currency).formatted()

    @admin.display(description=_("told"))
    def told(self, row: Discrepancy) -> str:
        return f"{row.told_amount} {row.told_currency}"

    @admin.display(description=_("at risk"))
    def at_risk(self, row: Discrepancy) -> str:
        return Money(row.amount_at_risk, row.currency).formatted()

    @admin.action(description=_("Investigate"), permissions=["decide"])
    def take_up(self, request: HttpRequest, rows: QuerySet[Discrepancy]) -> None:
        _each(request, rows, lambda row, actor, _: investigate(discrepancy=row, actor=actor))

    @admin.action(description=_("Resolve, for this reason"), permissions=["decide"])
    def resolve_explained(self, request: HttpRequest, rows: QuerySet[Discrepancy]) -> None:
        _each(request, rows, lambda row, actor, reason: resolve(discrepancy=row, actor=actor, reason=reason))

    @admin.action(description=_("Propose a write-off, for this reason"), permissions=["decide"])
    def ask_for_write_off(self, request: HttpRequest, rows: QuerySet[Discrepancy]) -> None:
        _each(
            request,
            rows,
            lambda row, actor, reason: propose_write_off(discrepancy=row, actor=actor, reason=reason),
        )

    @admin.action(description=_("Approve the write-off"), permissions=["decide"])
    def approve(self, request: HttpRequest, rows: QuerySet[Discrepancy]) -> None:
        _each(request, rows, lambda row, actor, _: approve_write_off(discrepancy=row, actor=actor))


def _each(
    request: HttpRequest, rows: QuerySet[Discrepancy], use_case: Callable[[str, str, str], object]
) -> None:
    """Each row is a use case of its own: one that is refused stops no other."""
    actor, reason = f"user:{request.user.pk}", request.POST.get("reason", "")
    for row in rows:
        try:
            use_case(row.public_id, actor, reason)
        except Refusal as refusal:
            messages.error(request, f"{row.public_id}: {refusal}")
        else:
            messages.success(request, row.public_id)
