"""Exchange rates in the console: recorded, never changed. A source that was wrong is outlived by a later moment."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from ledger.admin.frame import ThroughService
from ledger.models import FxRate
from ledger.services.record_rate import record_rate


class RateForm(forms.ModelForm):  # type: ignore[type-arg]
    rate = forms.DecimalField(
        label=_("Rate"),
        widget=UnfoldAdminTextInputWidget({"inputmode": "decimal"}),
        help_text=_("What one of the first currency is worth in the second: 7.1234 for USD in CNY."),
    )

    class Meta:
        model = FxRate
        fields = ("base", "quote", "rate", "valid_since", "source")
        labels = {
            "base": _("One"),
            "quote": _("In"),
            "valid_since": _("Valid since"),
            "source": _("Source"),
        }
        help_texts = {"source": _("Who says so: a bank, a central bank, a contract.")}

    def clean_base(self) -> str:
        return str(self.cleaned_data["base"]).strip().upper()

    def clean_quote(self) -> str:
        return str(self.cleaned_data["quote"]).strip().upper()

    def _post_clean(self) -> None:
        """Nothing of the instance is validated here: the service says what is wrong."""


@admin.register(FxRate)
class FxRateAdmin(ThroughService):
    form = RateForm
    list_display = ("pair", "rate_shown", "valid_since", "source", "created_at")
    list_filter = ("base", "quote")
    ordering = ("-valid_since", "-id")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def title_of(self, row: FxRate) -> str:
        return f"{self.pair(row)} {self.rate_shown(row)}"

    @display(description=_("Pair"))
    def pair(self, row: FxRate) -> str:
        return f"{row.base}/{row.quote}"

    @display(description=_("Rate"), ordering="rate")
    def rate_shown(self, row: FxRate) -> str:
        return f"{row.rate.normalize():f}"

    def call(self, obj: FxRate, given: dict[str, Any], actor: str) -> str:
        record_rate(**given, actor=actor)
        return str(_("The rate is recorded."))
