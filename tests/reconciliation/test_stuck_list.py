"""The list itself: who may do what, two operators at once, pages and sums, what was seen, and alarms."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from threading import Barrier
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from structlog.testing import capture_logs

from ledger.errors import Refusal
from ledger.money import Money
from ledger.selectors import audit_trail
from ledger.stuck import Sort
from payments import selectors
from payments.channels import registry
from payments.channels.contract import Answer, MovementRequest, Outcome
from payments.models import DisputeMovement, Payment, Refund
from payments.selectors import RefundView
from payments.services.request_refund import request_refund
from payments.services.submit_evidence import submit_evidence
from reconciliation.errors import NothingStuck
from reconciliation.models import StuckNote
from reconciliation.selectors import stuck_page, stuck_totals
from reconciliation.services.repair_stuck import repair_stuck
from reconciliation.services.sight_stuck_money import sight_stuck_money
from reconciliation.services.sound_stuck_alarms import sound_stuck_alarms
from tests.payments import disputing
from tests.payments.desk import broken, opened, tell
from tests.payments.test_refunds_again import FAILED_AT_THE_BANK, Provider
from tests.reconciliation.operators import LIST, person, press, seen

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_orders(settings: Any) -> None:
    """Payments alone: what they pay for is elsewhere."""
    settings.EVENT_HANDLERS = {}
    cache.clear()


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    built = Provider()
    built.answer = FAILED_AT_THE_BANK
    monkeypatch.setattr(registry, "channel", lambda code: built)
    return built


def failed(fen: int = 4_000) -> RefundView:
    """A payment of 100.00 of which so much should go back, and does not."""
    tell(opened(), Outcome.SUCCEEDED)
    payment = Payment.objects.latest("created_at").public_id
    amount = Money(fen, "CNY")
    return request_refund(payment=payment, amount=amount, reason="x", actor="user:0", key=payment)


def _able(provider: Provider) -> None:
    """The bank takes refunds again."""

    def refund(request: MovementRequest) -> Answer:
        provider.refunds.append(request.key)
        return Answer(Outcome.SUCCEEDED, amount=request.amount)

    provider.refund = refund  # type: ignore[method-assign]
    provider.refunds.clear()


def test_nobody_moves_money_without_the_right(provider: Provider) -> None:
    refund = failed()
    _able(provider)
    address = f"{LIST}refund_failed/{refund.id}/"
    form = {"do": "retry_refund", "reason": "x"}
    support, analyst = person("support"), person("risk analyst")
    assert refund.id in seen(support) and 'data-testid="repair"' not in support.get(address).text
    assert support.post(address, form).status_code == 403
    assert (analyst.get(LIST).status_code, analyst.get(address).status_code) == (403, 403)
    assert analyst.post(address, form).status_code == 403
    assert Client().post(address, form).status_code == 302
    finance = person("finance")
    assert finance.post(address, {"do": "capture", "reason": "x"}).status_code == 404
    assert finance.get(f"{LIST}nothing/{refund.id}/").status_code == 404
    assert "Say why" in press(finance, "refund_failed", refund.id, "retry_refund", "  ")
    assert (provider.refunds, selectors.refund(refund.id).state) == ([], "FAILED")
    assert person("administrator").get(address).text.count('data-testid="repair"') == 1


def test_a_double_click_moves_money_once(provider: Provider) -> None:
    refund = failed()
    _able(provider)
    manager = person("risk manager")
    assert "not stuck any more" in press(manager, "refund_failed", refund.id, "retry_refund")
    assert "somebody repaired it" in press(manager, "refund_failed", refund.id, "retry_refund")
    assert provider.refunds == [refund.id] and broken() == []
    assert "somebody repaired it" in manager.get(f"{LIST}refund_failed/{refund.id}/", follow=True).text


@pytest.mark.parametrize("kind", ["refund_failed", "paid_not_ordered"])
def test_two_operators_at_once_move_money_once(provider: Provider, kind: str) -> None:
    refund = failed()
    _able(provider)
    subject, action = refund.id, "retry_refund"
    if kind == "paid_not_ordered":
        tell(opened(), Outcome.SUCCEEDED)
        subject, action = Payment.objects.latest("created_at").public_id, "refund"
        sight_stuck_money(since=None)
    together = Barrier(2)

    def one(actor: str) -> str:
        together.wait()
        try:
            repair_stuck(kind=kind, subject=subject, action=action, actor=actor, reason="x")
        except Refusal as refusal:
            return type(refusal).__name__
        finally:
            connections.close_all()
        return "done"

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(one, ["user:1", "user:2"]))
    assert "done" in results, results
    assert len(provider.refunds) == 1 and broken() == []
    with pytest.raises(NothingStuck):
        repair_stuck(kind=kind, subject=subject, action=action, actor="user:1", reason="x")


def test_pages_come_in_every_order_and_leave_nothing_out(provider: Provider) -> None:
    refunds = [failed(fen) for fen in (500, 300, 900, 100, 700)]
    movement = opened()
    tell(movement, Outcome.UNKNOWN)
    type(movement).objects.filter(pk=movement.pk).update(unknown_since=timezone.now() - timedelta(days=1))
    Refund.objects.filter(amount__in=(300, 900)).update(updated_at=timezone.now())
    for sort in Sort:
        found, after = [], ""
        while True:
            page = stuck_page(sort=sort, limit=2, after=after)
            found += [listed.item for listed in page.items]
            after = page.next
            if not after:
                break
        assert len(found) == 6 and {one.subject for one in found} == {
            *(refund.id for refund in refunds),
            movement.public_id,
        }
        since = [item.since for item in found]
        amounts = [item.at_risk.minor for item in found if item.at_risk]
        right = {
            Sort.NEWEST: since == sorted(since, reverse=True),
            Sort.OLDEST: since == sorted(since),
            Sort.AMOUNT: amounts == sorted(amounts, reverse=True),
        }
        assert right[sort]
    assert sorted((total.kind, total.count, total.minor) for total in stuck_totals()) == [
        ("payment_unknown", 1, 10_000),
        ("refund_failed", 5, 2_500),
    ]
    text = person("support").get(LIST).text
    assert "6 items are stuck" in text and "CN¥125.00" in text and "Refund failed 5" in text
    assert len(stuck_page(after="forged", limit=2).items) == 2


def test_the_list_costs_the_same_however_much_is_stuck(provider: Provider) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connections["default"]) as queries:
            stuck_page(limit=10)
            stuck_totals()
        return len(queries)

    failed(100)
    few = statements()
    for _ in range(4):
        failed(100)
    assert statements() == few


def test_the_sidebar_counts(provider: Provider) -> None:
    support = person("support")
    assert badge(support, "/console/") is None  # nothing is stuck: no badge, not a 0
    failed()
    failed()
    assert badge(support, "/console/") is None  # as of half a minute ago
    assert badge(support, LIST) == badge(support, "/console/") == "2"
    assert badge(person("risk analyst"), "/console/") is None


def badge(client: Client, address: str) -> str | None:
    page = client.get(address).text
    found = re.search(r"Stuck money\s*</span>\s*<span[^>]*>\s*([^<]*?)\s*</span>", page)
    assert "reconciliation.views" not in page
    return found[1] if found else None


def test_what_was_seen_still_counts_and_is_quiet(provider: Provider) -> None:
    refund = failed()
    Refund.objects.update(updated_at=timezone.now() - timedelta(hours=5))
    support = person("support", "sam")
    address = f"{LIST}refund_failed/{refund.id}/"
    assert (
        "Choose a time"
        in support.post(address, {"do": "snooze", "for": "9999", "reason": "x"}, follow=True).text
    )
    said = support.post(address, {"do": "snooze", "for": "24", "reason": "The bank calls"}, follow=True).text
    assert "Marked as seen" in said and "1 item is stuck" in said and "Seen by sam" in said
    assert sound_stuck_alarms(now=timezone.now()) == 0
    assert sound_stuck_alarms(now=timezone.now() + timedelta(hours=25)) == 1
    assert audit_trail(refund.id)[-1].action == "stuck.snoozed"


def test_alarms_are_told_once_for_each_level_and_anew_when_it_comes_back(provider: Provider) -> None:
    refund = failed()
    Refund.objects.update(updated_at=timezone.now() - timedelta(hours=5))
    now = timezone.now()
    with capture_logs() as logs:
        assert [sound_stuck_alarms(now=now) for _ in range(2)] == [1, 0]
    [alarm] = [one for one in logs if one["event"] == "stuck.alarm"]
    assert (alarm["subject"], alarm["level"], alarm["amount"]) == (refund.id, 1, 4_000)
    assert [sound_stuck_alarms(now=now + timedelta(days=2)) for _ in range(2)] == [1, 0]
    _able(provider)
    press(person("finance"), "refund_failed", refund.id, "retry_refund")
    assert sound_stuck_alarms(now=now) == 0 and not StuckNote.objects.exists()


def test_the_command_tells_the_same(provider: Provider) -> None:
    refund = failed()
    told, words = StringIO(), StringIO()
    call_command("stuck", "--json", stdout=told)
    answer = json.loads(told.getvalue())
    assert (answer["count"], answer["items"][0]["subject"]) == (1, refund.id)
    assert answer["totals"][0]["minor"] == 4_000
    call_command("stuck", stdout=words)
    assert refund.id in words.getvalue() and "CN¥40.00 at risk" in words.getvalue()


def test_disputes_that_run_out_of_time(settings: Any) -> None:
    settings.EVIDENCE_SOURCES = []
    registry.channel.cache_clear()
    bank = disputing.installed(disputing.Bank(), settings)
    dispute = disputing.disputed(due_by=timezone.now() + timedelta(hours=30))
    support = person("support", "sam")
    assert seen(support, kind="dispute_due") == [dispute.public_id]
    assert "still stuck" in press(support, "dispute_due", dispute.public_id, "prepare_answer")
    bank.silent = "after"
    submit_evidence(dispute=dispute.public_id, actor="user:1")
    assert seen(support) == []
    DisputeMovement.objects.update(created_at=timezone.now() - timedelta(hours=1))
    [movement] = seen(support, kind="dispute_unknown")
    bank.silent = ""
    assert "not stuck any more" in press(support, "dispute_unknown", movement, "ask_provider")
    assert seen(support) == [] and len(bank.submitted) == 1
    registry.channel.cache_clear()
