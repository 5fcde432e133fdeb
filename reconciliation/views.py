"""The console's list of stuck money, and the page on which one item is repaired."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.admin import site
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from ledger.errors import Refusal
from ledger.identifiers import MalformedIdentifier, decode
from ledger.selectors import names_of
from ledger.stuck import Action, Button, Sort, StuckItem, StuckKind
from reconciliation.errors import NothingStuck
from reconciliation.facts import ListedItem
from reconciliation.open_work import stuck
from reconciliation.selectors import kind_of, stuck_item, stuck_notes, stuck_page, stuck_totals
from reconciliation.services.repair_stuck import repair_stuck
from reconciliation.services.snooze_stuck import snooze_stuck
from reconciliation.stuck import every_kind

SEE, REPAIR = "reconciliation.see_stuck", "reconciliation.repair_stuck"
REPAIR_MONEY = "reconciliation.repair_stuck_money"
# What takes the same right here as on the page that it has elsewhere.
_ALSO = {
    Action.APPROVE_REFUND: "payments.approve_refund",
    Action.CLOSE_MISMATCH: "reconciliation.decide_discrepancy",
    Action.TAKE_UP: "reconciliation.decide_discrepancy",
}
_COUNT = "reconciliation.stuck.count"
_COUNT_SECONDS = 30
_SNOOZES = {"4": timedelta(hours=4), "24": timedelta(days=1), "72": timedelta(days=3)}
# The prefix of what is shown → the page that shows it, whether that page goes by the bare key, and who may see it.
_DETAILS = {
    "pay": ("admin:payments_payment_change", True, "payments.view_payment"),
    "ref": ("refund-case", False, "payments.view_refund"),
    "dsp": ("dispute", False, "payments.view_dispute"),
    "ord": ("admin:checkout_order_change", True, "checkout.view_order"),
    "dis": ("discrepancy", False, "reconciliation.view_discrepancy"),
    "inb": ("admin:payments_inboxevent_change", True, "payments.view_inboxevent"),
    "dlv": ("admin:payments_outboxdelivery_change", True, "payments.view_outboxdelivery"),
}


@site.admin_view
@require_safe
def stuck_list(request: HttpRequest) -> HttpResponse:
    _require(request, SEE)
    kind, sort = request.GET.get("kind", ""), _sort(request.GET.get("sort", ""))
    found = stuck()
    cache.set(_COUNT, found.work.count, _COUNT_SECONDS)
    page = stuck_page(sort=sort, kind=kind, after=request.GET.get("after", ""))
    titles = {one.code: one for one in every_kind()}
    people = names_of(listed.snoozed_by for listed in page.items)
    context = {
        **site.each_context(request),
        "title": _("Stuck money"),
        "rows": [_row(request, listed, titles[listed.item.kind], people) for listed in page.items],
        "next": page.next,
        "kind": kind,
        "sort": sort,
        "sorts": [
            (Sort.NEWEST, _("newest first")),
            (Sort.OLDEST, _("oldest first")),
            (Sort.AMOUNT, _("by amount")),
        ],
        "count": found.work.count,
        "at_risk": found.at_risk,
        "kinds": found.kinds,
    }
    return render(request, "reconciliation/stuck_list.html", context)


@site.admin_view
@require_http_methods(["GET", "POST"])
def stuck_case(request: HttpRequest, kind: str, subject: str) -> HttpResponse:
    _require(request, SEE)
    try:
        found = kind_of(kind)
    except NothingStuck as problem:
        raise Http404(str(problem)) from problem
    if request.method == "POST":
        return _do(request, found, subject)
    try:
        item = stuck_item(kind, subject)
    except NothingStuck as problem:
        messages.info(request, str(problem))
        return redirect("stuck-list")
    [listed] = stuck_notes([item])
    context = {
        **site.each_context(request),
        "title": found.title,
        "row": _row(request, listed, found, names_of([listed.snoozed_by])),
        "buttons": [(button, _may(request, button)) for button in found.buttons],
        "may_snooze": request.user.has_perm(REPAIR),
        "snoozes": [("4", _("4 hours")), ("24", _("a day")), ("72", _("3 days"))],
    }
    return render(request, "reconciliation/stuck_case.html", context)


def badge() -> str:
    """How many are stuck, as of half a minute ago at most, or as the list has just told; "" for none."""
    count = cache.get(_COUNT)
    if count is None:
        count = sum(total.count for total in stuck_totals())
        cache.set(_COUNT, count, _COUNT_SECONDS)
    return str(count or "")


def _do(request: HttpRequest, kind: StuckKind, subject: str) -> HttpResponse:
    action = request.POST.get("do", "")
    button = next((one for one in kind.buttons if one.action == action), None)
    if button is None and action != "snooze":
        raise Http404("No such action.")
    if not (_may(request, button) if button else request.user.has_perm(REPAIR)):
        raise PermissionDenied
    cache.delete(_COUNT)
    try:
        return _repair(request, kind, subject, button) if button else _snooze(request, kind, subject)
    except NothingStuck as problem:
        messages.info(request, str(problem))
        return redirect("stuck-list")
    except Refusal as refusal:
        messages.error(request, str(refusal))
        return redirect("stuck-case", kind=kind.code, subject=subject)


def _repair(request: HttpRequest, kind: StuckKind, subject: str, button: Button) -> HttpResponse:
    done = repair_stuck(
        kind=kind.code,
        subject=subject,
        action=button.action,
        actor=_actor(request),
        reason=request.POST.get("reason", ""),
    )
    if done.still:
        messages.warning(request, _("Done, and it is still stuck: what it says here is how it stands now."))
        return redirect("stuck-case", kind=kind.code, subject=subject)
    messages.success(request, _("Done: it is not stuck any more."))
    return redirect("stuck-list")


def _snooze(request: HttpRequest, kind: StuckKind, subject: str) -> HttpResponse:
    pause = _SNOOZES.get(request.POST.get("for", ""), timedelta())
    snooze_stuck(
        kind=kind.code,
        subject=subject,
        until=timezone.now() + pause,
        actor=_actor(request),
        reason=request.POST.get("reason", ""),
    )
    messages.success(request, _("Marked as seen. It still counts, and no alarm tells of it until then."))
    return redirect("stuck-list")


def _row(
    request: HttpRequest, listed: ListedItem, kind: StuckKind, people: Mapping[str, str]
) -> dict[str, Any]:
    """What the templates show of an item."""
    first = kind.buttons[0]
    return {
        "listed": listed,
        "item": listed.item,
        "title": kind.title,
        "button": first,
        "may": _may(request, first),
        "details": _details(request, listed.item),
        "seen_by": people[listed.snoozed_by],
    }


def _may(request: HttpRequest, button: Button) -> bool:
    rights = [REPAIR_MONEY if button.moves_money else REPAIR]
    if also := _ALSO.get(button.action):
        rights.append(also)
    return request.user.has_perms(rights)


def _details(request: HttpRequest, item: StuckItem) -> str:
    """The address of the page about it; "" for who may not see that."""
    prefix = item.details.partition("_")[0]
    name, by_key, right = _DETAILS.get(prefix, ("", False, ""))
    if not name or not request.user.has_perm(right):
        return ""
    try:
        return reverse(name, args=[decode(prefix, item.details) if by_key else item.details])
    except MalformedIdentifier:
        return ""


def _sort(said: str) -> Sort:
    return Sort(said) if said in set(Sort) else Sort.NEWEST


def _require(request: HttpRequest, right: str) -> None:
    if not request.user.has_perm(right):
        raise PermissionDenied


def _actor(request: HttpRequest) -> str:
    return f"user:{request.user.pk}"
