"""The queue and the page of one case, through HTTP: who sees them, what the buttons do, what a colleague is told."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import transaction
from django.test import Client
from django.urls import reverse

from risk import selectors
from risk.facts import DeviceFacts
from risk.models import Decision, ListEntry, RiskCase
from risk.services.add_list_entry import add_list_entry
from risk.services.assess import assess
from risk.services.decide_case import decide_case
from tests.risk.makers import facts

pytestmark = pytest.mark.django_db(transaction=True)
PAGES = ("risk/decision", "risk/policy", "risk/listentry", "risk/riskcase")


def person(name: str, *rights: str) -> Client:
    user = User.objects.create_user(name, first_name=name.title(), is_staff=True)
    wanted = {right.partition(".")[2] for right in rights}
    user.user_permissions.set(Permission.objects.filter(codename__in=wanted))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def manager() -> Client:
    rights: tuple[str, ...] = (
        "view_riskcase",
        "claim_riskcase",
        "decide_riskcase",
        "decide_escalated_riskcase",
    )
    rights += ("view_decision", "view_policy")
    return person("max", *(f"risk.{right}" for right in (*rights, "view_listentry", "add_listentry")))


@pytest.fixture
def case() -> str:
    return held("pay_1")


def held(subject: str) -> str:
    with transaction.atomic():
        return assess(facts=facts(500_000, to="US", subject=subject)).case


def address(case: str) -> str:
    return reverse("review-case", kwargs={"case": case})


QUEUE = "review-queue"


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the page asked payments to do; the case is closed for real, money has its own tests."""
    calls: list[dict[str, Any]] = []

    def resolve(*, case: str, approve: bool, actor: str, reason: str, senior: bool) -> Any:
        with transaction.atomic():
            view = decide_case(case=case, approve=approve, actor=actor, reason=reason, senior=senior)
        calls.append({"case": case, "approve": approve, "actor": actor, "reason": reason})
        return view

    monkeypatch.setattr("payments.admin.review.resolve_review", resolve)
    return calls


def said(response: Any) -> str:
    return " ".join(str(message) for message in response.context["messages"])


def test_the_queue_shows_what_waits_in_words_and_the_oldest_first(manager: Client) -> None:
    first, second = held("pay_1"), held("pay_2")
    page = manager.get(reverse(QUEUE))
    text = page.content.decode()
    assert page.status_code == 200 and text.index(first) < text.index(second)
    assert "CN¥5,000.00" in text and "Goods worth" in text and "high" in text
    chinese = manager.get(reverse(QUEUE), headers={"accept-language": "zh-hans"}).content.decode()
    assert "寄往境外" in chinese


def test_the_page_of_a_case_shows_grounds_facts_and_history(manager: Client) -> None:
    with transaction.atomic():
        assess(facts=facts(800_000, subject="pay_0", device=DeviceFacts(is_proxy=True)))
    text = manager.get(address(held("pay_1"))).content.decode()
    assert "Risk score 65 (high)" in text and "cross_border_goods" in text and "starting@3" in text
    assert "proxy or VPN" in text  # of the earlier payment
    assert "<dd>United States</dd>" in text and "<dd>China</dd>" in text
    assert "203.0.113.0/24" in text and "203.0.113.77" not in text


def test_next_takes_the_oldest_that_nobody_has(manager: Client) -> None:
    first, second = held("pay_1"), held("pay_2")
    colleague = person("ana", "risk.view_riskcase", "risk.claim_riskcase")
    assert colleague.post(reverse(QUEUE)).headers["Location"] == address(first)
    assert manager.post(reverse(QUEUE)).headers["Location"] == address(second)
    assert "Nothing waits" in said(manager.post(reverse(QUEUE), follow=True))
    assert selectors.case_of(first).assignee == f"user:{User.objects.get(username='ana').pk}"


def test_approve_and_reject_enter_at_payments(
    manager: Client, case: str, resolved: list[dict[str, Any]]
) -> None:
    answer = manager.post(address(case), {"do": "approve", "reason": "called the customer"}, follow=True)
    assert "Approved" in said(answer)
    other = held("pay_2")
    answer = manager.post(address(other), {"do": "reject", "reason": "forwarder"}, follow=True)
    assert "Rejected" in said(answer) and "Put on a list" in answer.content.decode()
    actor = f"user:{User.objects.get(username='max').pk}"
    assert resolved == [
        {"case": case, "approve": True, "actor": actor, "reason": "called the customer"},
        {"case": other, "approve": False, "actor": actor, "reason": "forwarder"},
    ]
    again = manager.post(address(case), {"do": "reject", "reason": "no"}, follow=True)
    assert "decided this case before" in said(again) and selectors.case_of(case).state == "APPROVED"


def test_a_reason_is_asked_for(manager: Client, case: str, resolved: list[dict[str, Any]]) -> None:
    for act in ("approve", "reject", "escalate"):
        assert "Say why" in said(manager.post(address(case), {"do": act, "reason": "  "}, follow=True))
    assert resolved == [] and selectors.case_of(case).state == "OPEN"


def test_a_case_that_a_colleague_took_says_so(
    manager: Client, case: str, resolved: list[dict[str, Any]]
) -> None:
    colleague = person("ana", "risk.view_riskcase", "risk.claim_riskcase")
    assert "yours" in said(colleague.post(address(case), {"do": "claim"}, follow=True))
    text = manager.get(address(case)).content.decode()
    assert "Ana took this case." in text and 'value="approve"' not in text
    refused = manager.post(address(case), {"do": "approve", "reason": "mine"}, follow=True)
    assert "took this case" in said(refused) and resolved == []
    colleague.post(address(case), {"do": "escalate", "reason": "too large"})
    assert selectors.case_of(case).state == "ESCALATED"
    assert "Approved" in said(manager.post(address(case), {"do": "approve", "reason": "ok"}, follow=True))


def test_rejecting_offers_to_list_what_was_seen(
    manager: Client, case: str, resolved: list[dict[str, Any]]
) -> None:
    manager.post(address(case), {"do": "reject", "reason": "stolen"})
    asked = {"do": "list", "entity": "card", "kind": "black", "reason": "stolen"}
    assert "black list" in said(manager.post(address(case), asked, follow=True))
    assert "already" in said(manager.post(address(case), asked, follow=True))
    assert "knew no" in said(manager.post(address(case), asked | {"entity": "moon"}, follow=True))
    with transaction.atomic():
        assert assess(facts=facts(subject="pay_9")).action == "reject"


@pytest.mark.parametrize(
    "rights", [(), ("risk.view_riskcase",), ("risk.view_riskcase", "risk.claim_riskcase")]
)
def test_rights_are_asked_for(case: str, rights: tuple[str, ...], resolved: list[dict[str, Any]]) -> None:
    somebody = person("sam", *rights)
    may_see, may_claim = bool(rights), len(rights) == 2
    assert somebody.get(reverse(QUEUE)).status_code == (200 if may_see else 403)
    assert somebody.get(address(case)).status_code == (200 if may_see else 403)
    assert somebody.post(address(case), {"do": "approve", "reason": "x"}).status_code == 403
    assert somebody.post(address(case), {"do": "claim"}).status_code == (302 if may_claim else 403)
    assert resolved == [] and selectors.case_of(case).state == ("ASSIGNED" if may_claim else "OPEN")


def test_strangers_and_nonsense(manager: Client, case: str) -> None:
    assert Client().get(reverse(QUEUE)).status_code == 302
    assert manager.get(address("case_nonsense")).status_code == 404
    assert manager.post(address(case), {"do": "explode"}).status_code == 404
    assert manager.put(address(case)).status_code == 405
    assert Client(enforce_csrf_checks=True).post(address(case), {"do": "claim"}).status_code in (302, 403)
    assert RiskCase.objects.get().state == "OPEN"


def test_risk_s_own_pages_are_read_only_and_readable(manager: Client, case: str) -> None:
    add_list_entry(kind="grey", entity="card", value="fp_x", reason="seen", actor="user:1", label="visa 4242")
    for page in PAGES:
        assert manager.get(f"/console/{page}/").status_code == 200, page
    decision = Decision.objects.get()
    text = manager.get(f"/console/risk/decision/{decision.pk}/change/").content.decode()
    assert "Risk score 65 (high)" in text and "cross_border_goods" not in text.split("looked at")[0]
    assert manager.post(f"/console/risk/decision/{decision.pk}/change/", {"score": 1}).status_code == 403
    assert manager.post(f"/console/risk/decision/{decision.pk}/delete/", {"post": "yes"}).status_code == 403
    assert manager.get(f"/console/risk/policy/{decision.policy_id}/change/").status_code == 200


def test_lists_are_kept_in_the_console(manager: Client) -> None:
    form: dict[str, str] = {
        "kind": "black",
        "entity": "card",
        "value": "fp_1",
        "reason": "stolen",
        "label": "4242",
    }
    form |= {"expires_at_0": "", "expires_at_1": ""}
    added = manager.post("/console/risk/listentry/add/", form, follow=True)
    assert "decides from the next question on" in said(added)
    entry = ListEntry.objects.get()
    assert "fp_1" not in str(ListEntry.objects.values()) and entry.created_by.startswith("user:")
    again = manager.post("/console/risk/listentry/add/", form, follow=True)
    assert "already" in str(again.context["errors"]) and ListEntry.objects.count() == 1
    ended = {"action": "end", "_selected_action": [str(entry.pk)]}
    assert manager.post("/console/risk/listentry/", ended).status_code == 302
    entry.refresh_from_db()
    assert entry.ended_at is not None
