"""Policies: which decides, which judges along, what each would have done; switched on by a second person."""

import json
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib import messages
from django.contrib.admin import site
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from ledger.errors import Refusal
from ledger.identifiers import MalformedIdentifier, decode
from ledger.selectors import names_of
from ledger.sentences import Sentence
from ledger.wording import said
from risk import trials
from risk.errors import InvalidExpectation, PolicyNotFound
from risk.expectations import checked
from risk.models import BackTest, Policy, PolicySwitch, RollOut
from risk.pages.comparing import differences, figures
from risk.pages.showing import (
    DRAFT,
    SWITCH,
    VIEW,
    actor,
    clauses,
    fired,
    matrix,
    moves,
    percent,
    require,
    sides,
)
from risk.policies import ending
from risk.selectors import parse_policy, policy_before, policy_named
from risk.services.activate_policy import activate_policy
from risk.services.ask_back_test import ask_back_test
from risk.services.end_expectation import end_expectation
from risk.services.end_roll_out import end_roll_out
from risk.services.keep_expectation import keep_expectation
from risk.services.retire_policy import retire_policy
from risk.services.return_policy import return_policy
from risk.services.shadow_policy import shadow_policy
from risk.services.start_roll_out import start_roll_out
from risk.states import BackTestState, Must, PolicyState
from risk.tasks import back_test_soon

_SHOWN = 50
_SHADOW_DAYS = 7


@site.admin_view
@require_http_methods(["GET", "POST"])
def policies(request: HttpRequest) -> HttpResponse:
    require(request, VIEW)
    if request.method == "POST":
        _act(request, "", {"return": (SWITCH, _return), "end": (SWITCH, _end)})
        return redirect("risk-policies")
    listed = list(Policy.objects.order_by("-created_at")[:_SHOWN])
    switches = list(PolicySwitch.objects.select_related("policy", "replaced").order_by("-id")[:10])
    roll_out = RollOut.objects.running().select_related("policy").first()
    context = {
        **site.each_context(request),
        "title": _("Risk policies"),
        "policies": listed,
        "switches": switches,
        "roll_out": roll_out,
        "share": _percent(roll_out.share) if roll_out else "",
        "before": policy_before(),
        "ending": _ending(listed),
        "people": names_of([*(row.created_by for row in listed), *(row.actor for row in switches)]),
        "may_draft": request.user.has_perm(DRAFT),
        "may_switch": request.user.has_perm(SWITCH),
    }
    return render(request, "risk/policies.html", context)


@site.admin_view
@require_http_methods(["GET", "POST"])
def policy(request: HttpRequest, policy: str) -> HttpResponse:
    require(request, VIEW)
    try:
        row = policy_named(policy)
    except PolicyNotFound as problem:
        raise Http404(str(problem)) from problem
    if request.method == "POST":
        return _act(request, policy, _ACTIONS) or redirect("risk-policy", policy=policy)
    expected = checked(parse_policy(row), row.name)
    along = trials.shadow_figures(policy, days=_SHADOW_DAYS)
    roll_out = row.roll_outs.order_by("-started_at").first()
    deciding = Policy.objects.filter(state=PolicyState.ACTIVE.value).exclude(pk=row.pk).first()
    context = {
        **site.each_context(request),
        "title": _("Policy %(name)s") % {"name": row},
        "policy": row,
        "figures": figures(row),
        "deciding": deciding,
        "differences": differences(row, deciding) if deciding else [],
        "people": names_of([row.created_by, row.activated_by]),
        "rules": [(one, clauses(one["expression"]), ending(one, timezone.now())) for one in row.rules],
        "expected": expected,
        "unmet": sum(not one.met for one in expected),
        "may_end": request.user.has_perm(DRAFT),
        "musts": list(Must),
        "along": along,
        "agreed": percent(along["agreement"]),
        "along_matrix": matrix(along),
        "days": _SHADOW_DAYS,
        "roll_out": roll_out,
        "share": _percent(roll_out.share) if roll_out else "",
        "running": RollOut.objects.running().exists(),
        "back_tests": row.back_tests.defer("figures").order_by("-asked_at")[:10],
        "mine": row.created_by == actor(request),
        "may_draft": request.user.has_perm(DRAFT),
        "may_switch": request.user.has_perm(SWITCH),
        "idle": row.state in (PolicyState.DRAFT, PolicyState.RETIRED),
    }
    return render(request, "risk/policy.html", context)


@site.admin_view
@require_safe
def back_test(request: HttpRequest, back_test: str) -> HttpResponse:
    require(request, VIEW)
    try:
        row = BackTest.objects.select_related("policy").get(pk=decode("bkt", back_test))
    except (MalformedIdentifier, BackTest.DoesNotExist) as problem:
        raise Http404("There is no such back-test.") from problem
    context = {
        **site.each_context(request),
        "title": _("Back-test of %(policy)s") % {"policy": row.policy},
        "back_test": row,
        "figures": row.figures,
        "matrix": matrix(row.figures),
        "sides": sides(row.figures),
        "fired": fired(row.figures),
        "moves": moves(row.figures),
        "under_way": row.state in (BackTestState.WAITING, BackTestState.RUNNING),
    }
    return render(request, "risk/back_test.html", context)


def _ending(listed: list[Policy]) -> list[tuple[str, int]]:
    """The rules of what decides now that end soon, or have ended."""
    rules: list[dict[str, Any]] = next((row.rules for row in listed if row.state == PolicyState.ACTIVE), [])
    found = [(rule["id"], ending(rule, timezone.now())) for rule in rules]
    return sorted(((rule, days) for rule, days in found if days is not None), key=lambda one: one[1])


Doing = Callable[[HttpRequest, str, str], HttpResponse | None]


def _act(request: HttpRequest, policy: str, table: dict[str, tuple[str, Doing]]) -> HttpResponse | None:
    """What the button says, where the person may; where it leads when it leads elsewhere."""
    right, doing = table.get(request.POST.get("do", ""), (VIEW, _nothing))
    require(request, right)
    try:
        answer = doing(request, policy, request.POST.get("reason", "").strip())
    except Refusal as refusal:
        messages.error(request, said(refusal.message))
        return None
    messages.success(request, _("Done."))
    return answer


def _activate(request: HttpRequest, policy: str, reason: str) -> None:
    waived = request.POST.get("waived", "")
    activate_policy(policy=policy, actor=actor(request), reason=reason, waived=waived)


def _expect(request: HttpRequest, policy: str, reason: str) -> None:
    given = {name: request.POST.get(name, "").strip() for name in ("decision", "must", "value")}
    try:
        example = json.loads(request.POST.get("example", "").strip() or "null")
    except ValueError as wrong:
        raise InvalidExpectation(Sentence("The example is no JSON."), param="example") from wrong
    name = policy.rpartition("@")[0]
    keep_expectation(policy=name, label=reason, actor=actor(request), example=example, **given)


def _unexpect(request: HttpRequest, policy: str, reason: str) -> None:
    end_expectation(expectation=request.POST.get("expectation", ""), actor=actor(request), reason=reason)


def _shadow(request: HttpRequest, policy: str, reason: str) -> None:
    shadow_policy(policy=policy, actor=actor(request), reason=reason)


def _retire(request: HttpRequest, policy: str, reason: str) -> None:
    retire_policy(policy=policy, actor=actor(request), reason=reason)


def _return(request: HttpRequest, policy: str, reason: str) -> None:
    return_policy(actor=actor(request), reason=reason)


def _end(request: HttpRequest, policy: str, reason: str) -> None:
    end_roll_out(actor=actor(request), reason=reason)


def _roll_out(request: HttpRequest, policy: str, reason: str) -> None:
    share, budget = _hundredths(request.POST.get("share", "")), request.POST.get("budget", "")
    start_roll_out(
        policy=policy,
        share=share,
        budget=int(budget) if budget.isdecimal() and len(budget) < 9 else 0,
        actor=actor(request),
        reason=reason,
        waived=request.POST.get("waived", ""),
    )


def _back_test(request: HttpRequest, policy: str, reason: str) -> HttpResponse:
    days = request.POST.get("days", "")
    number = int(days) if days.isdecimal() and len(days) < 9 else 0
    asked = ask_back_test(policy=policy, days=number, actor=actor(request))
    back_test_soon(asked)
    return redirect("risk-back-test", back_test=asked)


def _nothing(request: HttpRequest, policy: str, reason: str) -> None:
    raise Http404


_ACTIONS: dict[str, tuple[str, Doing]] = {
    "activate": (SWITCH, _activate),
    "shadow": (DRAFT, _shadow),
    "retire": (DRAFT, _retire),
    "roll_out": (SWITCH, _roll_out),
    "end": (SWITCH, _end),
    "back_test": (DRAFT, _back_test),
    "expect": (DRAFT, _expect),
    "unexpect": (DRAFT, _unexpect),
}


def _hundredths(percent: str) -> int:
    try:
        return int(Decimal(percent) * 100) if len(percent) < 9 else 0
    except (InvalidOperation, ValueError, OverflowError):
        return 0


def _percent(share: int) -> str:
    return f"{Decimal(share) / 100:f}"
