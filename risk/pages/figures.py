"""The figures of the days, what has moved, and what was warned of."""

import re
from typing import Any, Final

from django.contrib.admin import site
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from ledger.wording import in_words
from risk import advised, daily, texts, wording
from risk.daily import Moved
from risk.models import Alert
from risk.pages.showing import listed, percent, require, told
from risk.states import Action

_MOVED_SHOWN: Final = 20  # of some hundreds of names: what moved most
_RANGE = re.compile(r"(-?)([\d,/]+) to ([\d,/]+)")  # as drift.bin_of stores it
_CODES: Final = ("payment.stage", "instrument.kind", "instrument.brand")


def _words() -> dict[str, str]:
    """What each kind of warning says."""
    return {
        "jump": _("The share of an answer jumped today"),
        "jump_hour": _("The share of an answer is unusual for this hour"),
        "drift": _("What is decided about has moved"),
        "roll_out_stopped": _("A roll-out spent its budget"),
        "model_unusable": _("The model can not be asked: rules decide alone"),
        "model_old": _("The model learnt long ago"),
        "rule_ending": _("A rule ends"),
        "advice_failed": _("A language model gave no answer"),
        "advice_refused": _("What a language model wrote is not shown"),
    }


@site.admin_view
@require_safe
def figures(request: HttpRequest) -> HttpResponse:
    require(request, "risk.view_decision")
    now, words = timezone.now(), _words()
    inputs = daily.moved(now=now)
    moved = [(one, _bins(one)) for one in inputs if one.index is not None]
    alerts = Alert.objects.order_by(F("ended_at").desc(nulls_first=True), "-id")[:20]
    days = daily.days(now=now)
    context = {
        **site.each_context(request),
        "title": _("Risk figures"),
        "actions": [one.value for one in Action],
        "days": [(one, [(a.value, one.actions[a], one.permille(a)) for a in Action]) for one in days],
        "moved": moved[:_MOVED_SHOWN],
        "calm": moved[_MOVED_SHOWN:],
        "too_few": len(inputs) - len(moved),
        "alerts": [(one, words.get(one.kind, one.kind), _detail(one)) for one in alerts],
        "advice": advised.outcomes(),
        "recent": daily.RECENT,
        "reference": daily.REFERENCE,
    }
    return render(request, "risk/figures.html", context)


def _bins(one: Moved) -> list[str]:
    """The bins that moved most, in thousandths before and now."""
    return [told(_bin(one.name, kept), f"{before} → {now}") for kept, before, now in one.bins]


def _bin(name: str, kept: str) -> str:
    """A bin as people say it, of the input of this name."""
    ends = _RANGE.fullmatch(kept)
    if ends:
        sign, low, high = ends.groups()
        return _("%(low)s to %(high)s") % {"low": f"{sign}{low}", "high": f"{sign}{high}"}
    plain = {"": "–", "unknown": _("unknown"), "yes": _("yes"), "no": _("no"), "other": _("other")}
    if kept in plain:
        return plain[kept]
    if name.endswith("country"):
        return wording.country(kept, get_language() or "en")
    return in_words(kept) if name in _CODES else kept


def _detail(alert: Alert) -> str:
    """The figures of a warning as people say them."""
    said: dict[str, Any] = {
        name: percent(value) if alert.kind in ("jump", "jump_hour") else value
        for name, value in alert.detail.items()
    }
    sentences = {
        "jump": _("%(today)s %% today, %(before)s %% in the weeks before"),
        "jump_hour": _("%(now)s %% in this hour, usually %(usual)s %%"),
        "drift": _("stability index %(index)s"),
        "roll_out_stopped": _("%(false_positives)s false positives; %(budget)s were allowed"),
        "model_unusable": "%(problem)s",
        "model_old": _("%(days)s days since its data ended"),
        "rule_ending": _("%(days)s days left"),
        "advice_failed": "%(model)s",
        "advice_refused": "%(model)s",
    }
    try:
        return texts.translated(sentences[alert.kind] % said)
    except KeyError:  # told by an earlier version in other figures
        return listed(f"{name} {value}" for name, value in said.items())
