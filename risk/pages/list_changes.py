"""Changes of the strongest lists: what waits for a second person, looked at and decided."""

from collections import Counter
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import site
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from ledger.errors import Refusal
from ledger.selectors import names_of
from ledger.wording import in_words, said
from risk.models import ListChange, ListEntry, ProposedEntry
from risk.pages.showing import actor, listed, require
from risk.services.confirm_list_change import confirm_list_change
from risk.services.reject_list_change import reject_list_change
from risk.states import ListChangeState, ListKind

VIEW, CONFIRM = "risk.view_listchange", "risk.confirm_listchange"
_WAITING_SHOWN: Final = 100
_DECIDED_SHOWN: Final = 20
_ENTRIES_SHOWN: Final = 100


@site.admin_view
@require_safe
def changes(request: HttpRequest) -> HttpResponse:
    require(request, VIEW)
    waiting = list(ListChange.objects.waiting().select_related("ended")[:_WAITING_SHOWN])
    decided = list(
        ListChange.objects.filter(decided_at__isnull=False)
        .select_related("ended")
        .order_by("-decided_at")[:_DECIDED_SHOWN]
    )
    people = names_of([who for row in (*waiting, *decided) for who in (row.proposed_by, row.decided_by)])
    words = _words([*waiting, *decided])
    context = {
        **site.each_context(request),
        "title": _("List entries to confirm"),
        "waiting": [(row, words[row.pk], people.get(row.proposed_by, "")) for row in waiting],
        "decided": [(row, words[row.pk], people.get(row.decided_by, "")) for row in decided],
    }
    return render(request, "risk/list_changes.html", context)


@site.admin_view
@require_http_methods(["GET", "POST"])
def change(request: HttpRequest, change: str) -> HttpResponse:
    require(request, VIEW)
    if request.method == "POST":
        return _decide(request, change)
    row = ListChange.objects.named(change).select_related("ended").first()
    if row is None:
        raise Http404("There is no such change of the lists.")
    people = names_of([row.proposed_by, row.decided_by])
    context = {
        **site.each_context(request),
        "title": _("A change of the lists"),
        "change": row,
        "words": _words([row])[row.pk],
        "ended": _whom(row.ended) if row.ended else "",
        "proposed_by": people.get(row.proposed_by, ""),
        "decided_by": people.get(row.decided_by, ""),
        "entries": row.entries.order_by("pk")[:_ENTRIES_SHOWN],
        "left_out": max(0, row.entries.count() - _ENTRIES_SHOWN),
        "waits": row.state == ListChangeState.WAITING,
        "mine": row.proposed_by == actor(request),
        "may_confirm": request.user.has_perm(CONFIRM),
    }
    return render(request, "risk/list_change.html", context)


def _decide(request: HttpRequest, change: str) -> HttpResponse:
    confirms = request.POST.get("do") == "confirm"
    row = ListChange.objects.named(change).first()
    if confirms or row is None or row.proposed_by != actor(request):  # who proposed it may take it back
        require(request, CONFIRM)
    given = {"change": change, "actor": actor(request), "reason": request.POST.get("reason", "")}
    try:
        if confirms:
            confirm_list_change(**given)
            messages.success(request, _("Confirmed: it counts from the next question on."))
        else:
            reject_list_change(**given)
            messages.success(request, _("Rejected. No list has changed."))
    except Refusal as refusal:
        messages.error(request, said(refusal.message))
        return redirect("risk-list-change", change=change)
    return redirect("risk-list-changes")


def _words(rows: Sequence[ListChange]) -> dict[UUID, str]:
    """What would be so, by change: two statements for any number of them, however long their files."""
    files = [row.pk for row in rows if row.digest]
    counted: dict[UUID, Counter[str]] = {}
    entries = ProposedEntry.objects.filter(change__in=files).order_by()
    for change, kind, count in entries.values_list("change_id", "kind").annotate(Count("pk")):
        counted.setdefault(change, Counter())[kind] = count
    alone = [row.pk for row in rows if not row.digest and row.ended is None]
    single = {one.change_id: _whom(one) for one in ProposedEntry.objects.filter(change__in=alone)}
    return {row.pk: _said(row, single.get(row.pk, ""), counted.get(row.pk, Counter())) for row in rows}


def _said(row: ListChange, single: str, counted: Counter[str]) -> str:
    if row.ended is not None:
        return _("End: %(entry)s") % {"entry": _whom(row.ended)}
    if not row.digest:
        return _("Add: %(entry)s") % {"entry": single}
    told = [
        _("%(count)s %(list)s") % {"count": f"{counted[kind]:,}", "list": in_words(kind)}
        for kind in ListKind
        if counted[kind]
    ]
    entries = listed(told)
    return _("File %(name)s: %(entries)s") % {"name": row.name or row.digest[:12], "entries": entries}


def _whom(entry: ListEntry | ProposedEntry) -> str:
    """As the list of entries heads it; it is kept as a hash only."""
    whom = f"{in_words(entry.entity)} {entry.label or entry.entity_key[:8]}"
    return f"{in_words(entry.kind)} · {whom}"
