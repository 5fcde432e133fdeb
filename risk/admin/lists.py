"""Lists: who is on them and why, put there and taken off through services."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from ledger.admin import OneOf, ThroughService, badge, names, spoken
from ledger.errors import Refusal
from ledger.wording import in_words, said
from risk import naming
from risk.models import ListEntry
from risk.services.add_list_entry import add_list_entry
from risk.services.end_list_entry import end_list_entry
from risk.states import ListKind

_LISTS = {"fatal": "danger", "black": "danger", "grey": "warning", "white": "success"}


class ListEntryForm(forms.ModelForm):  # type: ignore[type-arg]
    value = forms.CharField(
        label=_("Value"),
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
        help_texts: ClassVar = {
            "kind": _("A fatal or white entry waits for a second person."),
            "label": _("Masked or pseudonymous, never personal data."),
        }

    def _post_clean(self) -> None:
        """Nothing of the instance is validated here: the service says what is wrong."""


@admin.register(ListEntry)
class ListEntryAdmin(ThroughService):
    form = ListEntryForm
    list_display = ("kind_badge", "whom", "reason", "source_said", "added", "until")
    list_filter = (("kind", OneOf), ("entity", OneOf))
    ordering = ("-id",)
    actions = ("end",)
    actions_list = ("bring", "take", "to_confirm")

    @action(description=_("Import a file"), url_path="bring", permissions=["bring"])
    def bring(self, request: HttpRequest) -> HttpResponse:
        return redirect("risk-import-list")

    @action(description=_("Export"), url_path="take", permissions=["view"])
    def take(self, request: HttpRequest) -> HttpResponse:
        return redirect("risk-export-list")

    @action(description=_("To confirm"), url_path="to-confirm", permissions=["confirm"])
    def to_confirm(self, request: HttpRequest) -> HttpResponse:
        return redirect("risk-list-changes")

    def has_confirm_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("risk.view_listchange"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[ListEntry]:
        return ListEntry.objects.annotate(**names("created_by", "confirmed_by"))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """The weakest list is chosen until somebody chooses another."""
        return {"kind": ListKind.GREY.value, **super().get_changeform_initial_data(request)}

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """What is typed for a new one, and all that is known of one that stands."""
        if obj is None:
            return ("kind", "entity", "value", "label", "reason", "expires_at")
        return ("kind_badge", "whom", "reason", "source_said", "added", "until", "public_id")

    def title_of(self, row: ListEntry) -> str:
        return f"{in_words(row.kind)} · {in_words(row.entity)} {_name(row)}"

    @display(description=_("Whom"))
    def whom(self, row: ListEntry) -> SafeString:
        return format_html('{} <strong class="break-all">{}</strong>', in_words(row.entity), _name(row))

    @display(description=_("Added"))
    def added(self, row: Any) -> SafeString:
        at = date_format(timezone.localtime(row.created_at), "SHORT_DATETIME_FORMAT")
        second = f" + {row.confirmed_by_name}" if row.confirmed_by_name else ""
        return format_html("{}{}<br>{}", row.created_by_name or row.created_by, second, at)

    @display(description=_("In force"))
    def until(self, row: ListEntry) -> str:
        for at, words in ((row.ended_at, _("ended %(at)s")), (row.expires_at, _("until %(at)s"))):
            if at:
                return str(words % {"at": date_format(timezone.localtime(at), "SHORT_DATETIME_FORMAT")})
        return str(_("without end"))

    def has_bring_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("risk.add_listentry"))

    kind_badge = badge("kind", _("List"), _LISTS)
    source_said = spoken("source", _("Source"))

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_end_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("risk.add_listentry"))

    def call(self, obj: ListEntry, given: dict[str, Any], actor: str) -> str:
        value = naming.told(given["entity"], given["value"])
        name = add_list_entry(**{**given, "value": value}, actor=actor)
        if name.startswith("lch_"):
            return str(_("It waits for a second person: nothing is decided by it before they confirm."))
        return str(_("%(name)s decides from the next question on.") % {"name": name})

    @action(description=_("End the chosen entries"), permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet[ListEntry]) -> None:
        waits = 0
        for row in queryset:
            try:
                waits += bool(
                    end_list_entry(
                        entry=row.public_id,
                        actor=f"user:{request.user.pk}",
                        reason=str(_("ended in the console")),
                    )
                )
            except Refusal as refusal:
                messages.error(request, said(refusal.message))
        if waits:
            messages.warning(request, _("A fatal entry ends once a second person has confirmed it."))


def _name(row: ListEntry) -> str:
    """As somebody called it; it is kept as a hash only."""
    return row.label or row.entity_key[:8]
