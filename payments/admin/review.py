"""The risk review queue and the page of one case. They live here because approving and rejecting moves money."""

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import messages
from django.contrib.admin import site
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from ledger.errors import Refusal
from ledger.selectors import names_of
from ledger.wording import in_words
from payments import selectors as payments
from payments.admin.drawing import draw
from payments.admin.refusals import words
from payments.errors import PaymentNotFound
from payments.models import Payment
from payments.selectors import PaymentView
from payments.services.challenge_review import challenge_review
from payments.services.resolve_review import resolve_review
from payments.services.resolve_ring import resolve_ring
from risk import advised, challenges, devices, wording
from risk import cases as casework
from risk import selectors as risk
from risk.errors import CaseNotFound
from risk.selectors import CaseView
from risk.services.add_case_note import add_case_note
from risk.services.claim_case import claim_case
from risk.services.escalate_case import escalate_case
from risk.services.judge_case import judge_case
from risk.services.list_entity import list_entity
from risk.states import CaseKind

VIEW, CLAIM, DECIDE = "risk.view_riskcase", "risk.claim_riskcase", "risk.decide_riskcase"
SENIOR = "risk.decide_escalated_riskcase"


@site.admin_view
@require_http_methods(["GET", "POST"])
def queue(request: HttpRequest) -> HttpResponse:
    _require(request, VIEW)
    language = get_language() or "en"
    if request.method == "POST":
        _require(request, CLAIM)
        return _take_next(request)
    live, closed = risk.live_cases(locale=language), risk.closed_cases(locale=language)
    names = names_of([*(one.assignee for one in live), *(one.closed_by for one in closed)])
    orders = _orders([one.id for one in (*live, *closed)])
    context = {
        **site.each_context(request),
        "title": _("Risk review"),
        "live": [(one, names[one.assignee], orders.get(one.id)) for one in live],
        "closed": [(one, names[one.closed_by], orders.get(one.id), _why(one)) for one in closed],
        "may_claim": request.user.has_perm(CLAIM),
    }
    return render(request, "payments/review_queue.html", context)


def _take_next(request: HttpRequest) -> HttpResponse:
    """Claim what comes first; a colleague may be quicker, then the one after it."""
    for waiting in risk.live_cases():
        if waiting.assignee or waiting.overdue:
            continue
        try:
            claim_case(case=waiting.id, actor=_actor(request), senior=_senior(request))
        except Refusal:  # taken or closed meanwhile, or not for this person
            continue
        return redirect("review-case", case=waiting.id)
    messages.info(request, _("Nothing waits for a person."))
    return redirect("review-queue")


@site.admin_view
@require_http_methods(["GET", "POST"])
def case(request: HttpRequest, case: str) -> HttpResponse:
    _require(request, VIEW)
    language = get_language() or "en"
    try:
        view = risk.case_of(case, locale=language)
    except CaseNotFound as problem:
        raise Http404(str(problem)) from problem
    if request.method == "POST":
        return _do(request, view)
    linked = casework.linked_with(view.decision.id)
    notes = casework.notes_of(view.id)
    names = names_of([view.assignee, view.closed_by, *(note.author for note in notes)])
    graph = view.decision.inputs.get("graph", {})
    history = risk.decisions_of_customer(view.decision.id, locale=language)
    context = {
        **site.each_context(request),
        "title": _("Risk review"),
        "case": view,
        "decision": view.decision,
        "payment": _payment(view.subject),
        **_countries(view.decision.inputs["facts"], language),
        "facts": view.decision.inputs["facts"],
        "counts": [
            (wording.entity(kind, language), count)
            for kind, count in view.decision.inputs["features"]["payments_last_minute"].items()
        ],
        "entities": sorted(view.decision.inputs["entities"]),
        "history": history,
        "graph": graph,
        "vouched": [wording.entity(kind, language) for kind in graph.get("vouched", ())],
        "drawing": draw(linked, locale=language),
        "ring": casework.ring_of(view, linked, locale=language) if view.kind == CaseKind.HOLD else [],
        "notes": [(note, names[note.author]) for note in notes],
        "hits": risk.hits_of(view.decision.id),
        "advice": advised.advice_on(view.decision.id, locale=language),
        "blind": view.kind == CaseKind.SECOND and view.live,
        "trusted": view.decision.inputs.get("device", {}),
        "device": devices.of_decision(view.decision.id),
        "challenged": challenges.seen_before(view.decision.id),
        "ways": casework.ways_to_ask(view.id) if view.kind == CaseKind.HOLD and view.live else [],
        "assignee": names[view.assignee],
        "closed_by": names[view.closed_by],
        "why": _why(view),
        "mine": view.assignee == _actor(request),
        "may_claim": request.user.has_perm(CLAIM),
        "may_take": _senior(request) or not view.senior,
        "may_decide": request.user.has_perm(DECIDE) and (_senior(request) or not view.senior),
    }
    return render(request, "payments/review_case.html", context)


@site.admin_view
@require_GET
def people(request: HttpRequest) -> HttpResponse:
    """What reviewers decided, and how far they agree."""
    _require(request, VIEW)
    reviewers = casework.reviewers()
    names = names_of([one.actor for one in reviewers])
    context = {
        **site.each_context(request),
        "title": _("Reviewers"),
        "reviewers": [(one, names[one.actor]) for one in reviewers],
        "agreement": casework.agreement(),
    }
    return render(request, "payments/review_people.html", context)


def _do(request: HttpRequest, case: CaseView) -> HttpResponse:
    known: dict[str, tuple[str, Callable[[HttpRequest, CaseView, str], str]]] = {
        "claim": (CLAIM, _claim),
        "escalate": (CLAIM, _escalate),
        "approve": (DECIDE, _approve),
        "reject": (DECIDE, _reject),
        "challenge": (DECIDE, _challenge),
        "list": (DECIDE, _list),
        "note": (VIEW, _note),
        "approve-ring": (DECIDE, _approve_ring),
        "reject-ring": (DECIDE, _reject_ring),
    }
    right, act = known.get(request.POST.get("do", ""), ("", None))
    if act is None:
        raise Http404("No such action.")
    _require(request, right)
    given = (request.POST.get(name, "") for name in ("reason", "ring_reason", "note"))
    reason = next((words.strip() for words in given if words.strip()), "")
    if not reason and act is not _claim:
        messages.error(request, _("Say why: the reason is kept with the case."))
        return redirect("review-case", case=case.id)
    try:
        messages.success(request, act(request, case, reason))
    except Refusal as refusal:
        messages.error(request, words(refusal))
    return redirect("review-case", case=case.id)


def _claim(request: HttpRequest, case: CaseView, reason: str) -> str:
    claim_case(case=case.id, actor=_actor(request), senior=_senior(request))
    return _("The case is yours.")


def _escalate(request: HttpRequest, case: CaseView, reason: str) -> str:
    escalate_case(case=case.id, actor=_actor(request), reason=reason)
    return _("The case is back in the queue, marked for somebody with more authority.")


def _approve(request: HttpRequest, case: CaseView, reason: str) -> str:
    if case.kind != CaseKind.HOLD:
        judge_case(case=case.id, approve=True, actor=_actor(request), reason=reason, senior=_senior(request))
        return _("Kept: you would have let it go ahead. No money moved.")
    payment = resolve_review(
        case=case.id, approve=True, actor=_actor(request), reason=reason, senior=_senior(request)
    )
    return _("Approved; the payment is %(state)s.") % {"state": in_words(payment.state)}


def _reject(request: HttpRequest, case: CaseView, reason: str) -> str:
    if case.kind != CaseKind.HOLD:
        judge_case(case=case.id, approve=False, actor=_actor(request), reason=reason, senior=_senior(request))
        return _("Kept: you would have stopped it. No money moved.")
    payment = resolve_review(
        case=case.id, approve=False, actor=_actor(request), reason=reason, senior=_senior(request)
    )
    return _("Rejected; the payment is %(state)s.") % {"state": in_words(payment.state)}


def _challenge(request: HttpRequest, case: CaseView, reason: str) -> str:
    challenge_review(
        case=case.id,
        kind=request.POST.get("way", ""),
        actor=_actor(request),
        reason=reason,
        senior=_senior(request),
    )
    return _("The customer is asked. The payment goes on or ends by itself; the money stays where it is.")


def _approve_ring(request: HttpRequest, case: CaseView, reason: str) -> str:
    return _ring(request, case, reason, approve=True)


def _reject_ring(request: HttpRequest, case: CaseView, reason: str) -> str:
    return _ring(request, case, reason, approve=False)


def _ring(request: HttpRequest, case: CaseView, reason: str, *, approve: bool) -> str:
    """Only what is linked with this case is decided from its page."""
    ring = {one.id for one in casework.ring_of(case, casework.linked_with(case.decision.id))}
    ticked = [name for name in request.POST.getlist("case") if name in ring]
    answers = resolve_ring(
        cases=[case.id, *ticked] if case.live else ticked,
        approve=approve,
        actor=_actor(request),
        reason=reason,
        senior=_senior(request),
    )
    for answer in answers:
        if answer.refusal:
            messages.error(request, f"{answer.case}: {words(answer.refusal)}")
    done = sum(not answer.refusal for answer in answers)
    return _("%(done)s of %(all)s cases are decided.") % {"done": done, "all": len(answers)}


def _note(request: HttpRequest, case: CaseView, reason: str) -> str:
    add_case_note(case=case.id, actor=_actor(request), note=reason)
    return _("The note is kept.")


def _list(request: HttpRequest, case: CaseView, reason: str) -> str:
    entity, kind = request.POST.get("entity", ""), request.POST.get("kind", "")
    name = list_entity(
        decision=case.decision.id, entity=entity, kind=kind, reason=reason, actor=_actor(request)
    )
    said = {"entity": wording.entity(entity, get_language() or "en"), "kind": in_words(kind)}
    if name.startswith("lch_"):
        return _("That the %(entity)s comes on the %(kind)s list waits for a second person.") % said
    return _("The %(entity)s is on the %(kind)s list.") % said


def _countries(facts: dict[str, Any], language: str) -> dict[str, str]:
    """Those that a page names."""
    told = {
        "card_country": facts["instrument"].get("country", ""),
        "goods_country": facts["delivery"].get("country", ""),
        "ip_country": facts["device"].get("ip_country", ""),
    }
    return {name: wording.country(code, language) for name, code in told.items()}


def _require(request: HttpRequest, right: str) -> None:
    if not request.user.has_perm(right):
        raise PermissionDenied


def _senior(request: HttpRequest) -> bool:
    return request.user.has_perm(SENIOR)


def _actor(request: HttpRequest) -> str:
    return f"user:{request.user.pk}"


def _why(case: CaseView) -> str:
    """Why it was closed: as a person wrote it, or what a program says, in words."""
    if case.closed_by != "system":
        return case.reason
    said, colon, code = case.reason.partition(": ")
    return f"{in_words(said)}{colon}{in_words(code)}"


def _orders(cases: Iterable[str]) -> dict[str, str]:
    """What is paid for, by case."""
    return dict(Payment.objects.filter(case__in=list(cases)).values_list("case", "reference"))


def _payment(subject: str) -> PaymentView | None:
    try:
        return payments.payment(subject)
    except PaymentNotFound:
        return None
