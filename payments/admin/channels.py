"""The channels: how each does for each method, its switches, and its breaker."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.admin import site
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from ledger.errors import Refusal
from ledger.selectors import names_of
from ledger.wording import in_words
from payments import routes
from payments.channels import registry
from payments.models import ChannelSwitch
from payments.services.move_breaker import move_breaker
from payments.services.switch_channel import switch_channel

VIEW, SWITCH = "payments.view_routingpolicy", "payments.switch_channel"


class SwitchForm(forms.Form):
    """What is set for one method of a channel; an empty field leaves it to the settings."""

    on = forms.BooleanField(label=gettext_lazy("Offered"), required=False, widget=UnfoldBooleanSwitchWidget)
    weight = forms.IntegerField(
        label=gettext_lazy("Weight"),
        required=False,
        min_value=0,
        max_value=1000,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    bounds = forms.JSONField(
        label=gettext_lazy("Least and most of a payment"),
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 2}),
        help_text=gettext_lazy('In fen or cents: {"CNY": {"least": 100, "most": 5000000}}'),
    )
    fees = forms.JSONField(
        label=gettext_lazy("Fees"),
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 2}),
        help_text=gettext_lazy('Basis points, and fen or cents each: {"bps": 60, "fixed": {"CNY": 10}}'),
    )
    countries = forms.CharField(
        label=gettext_lazy("Countries"),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("CN US; none means all"),
    )
    currencies = forms.CharField(
        label=gettext_lazy("Currencies"),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("CNY USD; none means all"),
    )
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=300, widget=UnfoldAdminTextInputWidget)

    def changes(self) -> dict[str, Any]:
        given = self.cleaned_data
        return {
            "on": given["on"],
            "weight": given["weight"],
            "bounds": given["bounds"] or {},
            "fees": given["fees"] or {},
            "countries": given["countries"].split(),
            "currencies": given["currencies"].split(),
        }


@site.admin_view
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    require(request, VIEW)
    context = {
        **site.each_context(request),
        "title": _("Channels"),
        "channels": routes.channel_health(),
        "policy": routes.what_is_set().document.name,
    }
    return render(request, "payments/channels.html", context)


@site.admin_view
@require_http_methods(["GET", "POST"])
def setting(request: HttpRequest, channel: str, method: str) -> HttpResponse:
    require(request, VIEW)
    if channel not in settings.PAYMENT_METHODS.get(method, ()):
        raise Http404("No such channel and method.")
    form = SwitchForm(request.POST if "set" in request.POST else None, initial=_said(channel, method))
    if request.method == "POST":
        require(request, SWITCH)
        done = _breaker(request, channel, method) if "breaker" in request.POST else False
        if done or (form.is_bound and form.is_valid() and _set(request, channel, method, form)):
            return redirect("channel", channel=channel, method=method)
    health = next(one for one in routes.channel_health() if (one.channel, one.method) == (channel, method))
    context = {
        **site.each_context(request),
        "title": f"{in_words(channel)} · {in_words(method)}",
        "health": health,
        "moved_by": names_of([health.breaker.by])[health.breaker.by],
        "form": form,
        "may_switch": request.user.has_perm(SWITCH),
    }
    return render(request, "payments/channel.html", context, status=422 if form.errors else 200)


@site.admin_view
@require_safe
def codes(request: HttpRequest) -> HttpResponse:
    """What each channel's refusals mean."""
    require(request, VIEW)
    tables = [(channel, sorted(registry.meanings(channel).items())) for channel in sorted(settings.CHANNELS)]
    context = {
        **site.each_context(request),
        "title": _("Refusal codes"),
        "tables": [(channel, rows) for channel, rows in tables if rows],
    }
    return render(request, "payments/channel_codes.html", context)


def _said(channel: str, method: str) -> dict[str, Any]:
    row = ChannelSwitch.objects.filter(channel=channel, method=method).first()
    if row is None:
        return {"on": True, "bounds": {}, "fees": {}}
    said = {name: getattr(row, name) for name in ("on", "weight", "bounds", "fees")}
    return {**said, "countries": " ".join(row.countries), "currencies": " ".join(row.currencies)}


def _set(request: HttpRequest, channel: str, method: str, form: SwitchForm) -> bool:
    try:
        switch_channel(
            channel=channel,
            method=method,
            changes=form.changes(),
            actor=actor(request),
            reason=form.cleaned_data["reason"],
        )
    except Refusal as refusal:
        form.add_error(refusal.param if refusal.param in form.fields else None, str(refusal))
        return False
    messages.success(request, _("Set; it holds for new payments within a second."))
    return True


def _breaker(request: HttpRequest, channel: str, method: str) -> bool:
    reason = request.POST.get("reason", "").strip()
    if not reason:
        messages.error(request, _("Say why: the reason is kept in the audit journal."))
        return True
    try:
        move_breaker(
            channel=channel, method=method, do=request.POST["breaker"], actor=actor(request), reason=reason
        )
    except Refusal as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Done."))
    return True


def require(request: HttpRequest, right: str) -> None:
    if not request.user.has_perm(right):
        raise PermissionDenied


def actor(request: HttpRequest) -> str:
    return f"user:{request.user.pk}"
