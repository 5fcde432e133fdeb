"""Discrepancies as work: the queue, and the page on which one is looked at and repaired."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.contrib import messages
from django.contrib.admin import site
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count, Min, QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from ledger.errors import Refusal
from ledger.money import Money
from reconciliation.admin import sides
from reconciliation.admin.showing import APPROVE, DECIDE, VIEW, actor, names, require
from reconciliation.cases import case_of, cases_of, repairs_of
from reconciliation.differing import Case, Proposal
from reconciliation.errors import DiscrepancyNotFound
from reconciliation.facts import RepairView
from reconciliation.models import Discrepancy
from reconciliation.open_work import waiting_for_a_file
from reconciliation.proposals import proposals
from reconciliation.selectors import discrepancy as found_by_name
from reconciliation.services.approve_repair import approve_repair
from reconciliation.services.force_match import force_match
from reconciliation.services.investigate import investigate
from reconciliation.services.reject_repair import reject_repair
from reconciliation.services.repair_discrepancy import repair_discrepancy
from reconciliation.services.undo_repair import undo_repair
from reconciliation.states import CLOSED, OUTWARD, DiscrepancyState, RepairKind, RepairState
from reconciliation.wording import KINDS, REPAIRS

_PAGE = 25
_AGES = {"1": timedelta(days=1), "3": timedelta(days=3), "7": timedelta(days=7), "30": timedelta(days=30)}
_ORDERS = {"amount": ("-amount_at_risk", "first_seen_at"), "age": ("first_seen_at", "-amount_at_risk")}
_REFUND = "payments.request_refund"


@dataclass(frozen=True, slots=True)
class _Row:
    """What the queue shows of one."""

    row: Discrepancy
    kind: str
    at_risk: Money
    first: Proposal
    investigator: str


@site.admin_view
@require_safe
def queue(request: HttpRequest) -> HttpResponse:
    require(request, VIEW)
    chosen = {
        name: request.GET.get(name, "") for name in ("channel", "kind", "state", "age", "least", "sort")
    }
    rows = _filtered(chosen)
    page = Paginator(rows.select_related("open_item"), _PAGE).get_page(request.GET.get("page"))
    listed = list(page.object_list)
    people = names(row.investigator for row in listed)
    totals = (
        rows.order_by("currency")
        .values("currency")
        .annotate(sum=Sum("amount_at_risk"), many=Count("pk"), oldest=Min("first_seen_at"))
    )
    count = sum(one["many"] for one in totals)
    context = {
        **site.each_context(request),
        "title": _("Discrepancies"),
        "rows": [
            _Row(
                row=row,
                kind=KINDS[row.kind],
                at_risk=Money(row.amount_at_risk, row.currency),
                first=proposals(case)[0],
                investigator=people.get(row.investigator, ""),
            )
            for row, case in zip(listed, cases_of(listed), strict=True)
        ],
        "page": page,
        "count": ngettext("%(count)d discrepancy", "%(count)d discrepancies", count) % {"count": count},
        "at_risk": [Money(one["sum"], one["currency"]) for one in totals],
        "chosen": chosen,
        "query": "&".join(f"{name}={value}" for name, value in chosen.items() if value),
        "channels": sorted([*settings.CHANNELS, "bank"]),
        "kinds": KINDS.items(),
        "may_approve": request.user.has_perm(APPROVE),
        "waiting": _waiting(request),
    }
    return render(request, "reconciliation/discrepancy_queue.html", context)


def _waiting(request: HttpRequest) -> int:
    waiting = Discrepancy.objects.filter(repairs__state=RepairState.WAITING.value)
    return waiting.exclude(repairs__proposed_by=actor(request)).count()


def _filtered(chosen: dict[str, str]) -> QuerySet[Discrepancy]:
    rows = _in_state(chosen["state"])
    for name in ("channel", "kind"):
        if chosen[name]:
            rows = rows.filter(**{name: chosen[name]})
    if chosen["age"] in _AGES:
        rows = rows.filter(first_seen_at__lte=timezone.now() - _AGES[chosen["age"]])
    if chosen["least"].isdecimal() and len(chosen["least"]) < 13:
        rows = rows.filter(amount_at_risk__gte=int(chosen["least"]) * 100)
    return rows.order_by(*_ORDERS.get(chosen["sort"], _ORDERS["amount"]), "pk")


def _in_state(state: str) -> QuerySet[Discrepancy]:
    """What is to be done now unless said otherwise: not what waits for a file."""
    if state in set(DiscrepancyState):
        return Discrepancy.objects.filter(state=state)
    later = waiting_for_a_file()
    rows = Discrepancy.objects.unclosed()
    return rows.filter(later) if state == "later" else rows.exclude(later)


@site.admin_view
@require_http_methods(["GET", "POST"])
def case(request: HttpRequest, discrepancy: str) -> HttpResponse:
    require(request, VIEW)
    try:
        view = found_by_name(discrepancy)
    except DiscrepancyNotFound as problem:
        raise Http404(str(problem)) from problem
    if request.method == "POST":
        return _do(request, view.id)
    row = Discrepancy.objects.named(view.id).select_related("file", "open_item", "open_item__file").get()
    known = case_of(row)
    repairs = repairs_of(view.id)
    history = sides.history(view.id, repairs)
    people = names(
        [row.investigator, row.closed_by]
        + [who for one in repairs for who in (one.proposed_by, one.approved_by, one.undone_by)]
        + [one.actor for one in history]
    )
    decides = request.user.has_perm(DECIDE)
    waiting = next((one for one in repairs if one.state == RepairState.WAITING), None)
    context = {
        **site.each_context(request),
        "title": KINDS[row.kind],
        "row": row,
        "at_risk": known.at_risk,
        "sides": sides.side_by_side(row),
        "line": sides.line_of(row),
        "links": sides.links(request, row, known),
        "offers": _offers(request, row, known, repairs),
        "waiting": waiting,
        "would_post": sides.entries_of(waiting, known) if waiting else [],
        "proposed_by": people.get(waiting.proposed_by, "") if waiting else "",
        "me": actor(request),
        "repairs": [(one, REPAIRS[one.kind], one.id == _undoable(repairs)) for one in repairs],
        "history": [(one, people.get(one.actor, one.actor)) for one in history],
        "investigator": people.get(row.investigator, ""),
        "closed_by": people.get(row.closed_by, ""),
        "decides": decides,
        "may_approve": request.user.has_perm(APPROVE),
        "is_open": row.state not in CLOSED,
        "mates": sides.mates(row) if decides and row.state == DiscrepancyState.INVESTIGATING else [],
    }
    return render(request, "reconciliation/discrepancy.html", context)


def _offers(
    request: HttpRequest, row: Discrepancy, known: Case, repairs: list[RepairView]
) -> list[tuple[Proposal, list[tuple[str, str, str]], bool]]:
    """Each with its entries as shown, and whether this person may have it done. None while another is under way."""
    if row.state in CLOSED or any(one.state == RepairState.WAITING for one in repairs):
        return []
    return [(one, sides.entries(one), _may(request, one.kind)) for one in proposals(known)]


def _may(request: HttpRequest, kind: str) -> bool:
    rights = [DECIDE, _REFUND] if kind == RepairKind.REFUND else [DECIDE]
    return request.user.has_perms(rights)


def _undoable(repairs: list[RepairView]) -> str:
    """The last that stands and that was not payments' doing."""
    own = [one for one in repairs if one.state == RepairState.DONE and one.kind not in OUTWARD]
    return own[0].id if own else ""


def _do(request: HttpRequest, discrepancy: str) -> HttpResponse:
    do = request.POST.get("do", "")
    known: dict[str, tuple[str, Callable[[HttpRequest, str], object]]] = {
        "take_up": (DECIDE, _take_up),
        "approve": (APPROVE, _approve),
        "reject": (APPROVE if request.user.has_perm(APPROVE) else DECIDE, _reject),
        "undo": (DECIDE, _undo),
        "force_match": (DECIDE, _force),
    }
    right, act = known.get(do, (DECIDE, _repair))
    require(request, right)
    try:
        done = act(request, discrepancy)
    except Refusal as refusal:
        messages.error(request, str(refusal))
    else:
        _tell(request, done)
    return redirect("discrepancy", discrepancy=discrepancy)


def _tell(request: HttpRequest, done: object) -> None:
    if not isinstance(done, RepairView):
        messages.success(request, _("It is yours now."))
    elif done.state == RepairState.WAITING:
        messages.warning(request, _("Proposed: a second person has to approve it. Nothing is booked yet."))
    elif done.state == RepairState.DONE:
        messages.success(request, _("Done. %(words)s") % {"words": done.words})
    else:
        messages.success(request, _("Taken back: what it had booked is reversed."))


def _take_up(request: HttpRequest, discrepancy: str) -> object:
    return investigate(discrepancy=discrepancy, actor=actor(request))


def _repair(request: HttpRequest, discrepancy: str) -> object:
    kind = request.POST.get("do", "")
    if kind not in set(RepairKind):
        raise Http404("No such action.")
    if not _may(request, kind):
        raise PermissionDenied
    return repair_discrepancy(
        discrepancy=discrepancy, kind=kind, actor=actor(request), reason=_reason(request)
    )


def _approve(request: HttpRequest, discrepancy: str) -> object:
    return approve_repair(repair=_named(request), actor=actor(request), reason=_reason(request))


def _reject(request: HttpRequest, discrepancy: str) -> object:
    return reject_repair(repair=_named(request), actor=actor(request), reason=_reason(request))


def _undo(request: HttpRequest, discrepancy: str) -> object:
    return undo_repair(repair=_named(request), actor=actor(request), reason=_reason(request))


def _force(request: HttpRequest, discrepancy: str) -> object:
    return force_match(
        discrepancy=discrepancy,
        items=request.POST.getlist("items"),
        rest=request.POST.get("rest", ""),
        actor=actor(request),
        reason=_reason(request),
    )


def _reason(request: HttpRequest) -> str:
    return request.POST.get("reason", "").strip()


def _named(request: HttpRequest) -> str:
    return request.POST.get("repair", "")
