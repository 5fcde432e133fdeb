"""Who is linked with whom: kept after the decision, read by the next, drawn for the reviewer; figures by hand."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from time import perf_counter
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from payments.admin.drawing import draw
from risk import cases, rings, rules, selectors, starting, ties
from risk.facts import AddressFacts, CustomerFacts, DeviceFacts, InstrumentFacts, PaymentFacts, Verdict
from risk.models import Decision, Tie
from risk.rings import Ring
from risk.services.activate_policy import activate_policy
from risk.services.assess import assess
from risk.services.decide_case import decide_case
from risk.services.draft_policy import draft_policy
from tests.patience import PATIENCE
from tests.risk.makers import facts
from tests.round_trips import round_trips

pytestmark = pytest.mark.django_db(transaction=True)


def shopper(number: int, *, amount: int = 10_000, to: str = "CN", **same: Any) -> PaymentFacts:
    """Somebody with a card, device, phone, e-mail, address and network of their own, except for what is `same`."""
    own = {
        "card": f"fp_{number}",
        "device": f"dev_{number}",
        "phone": f"p-{number}",
        "ip": f"198.51.{number}.9",
    }
    own |= {"address": f"a-{number}"} | same
    return replace(
        facts(amount, to=to, subject=f"pay_{number}", happened_at=timezone.now()),
        customer=CustomerFacts(
            reference=f"cus_{number}", email_hash=f"e-{number}", phone_hash=own["phone"], paid_orders=3
        ),
        instrument=InstrumentFacts(kind="card", country="CN", fingerprint=own["card"]),
        delivery=AddressFacts(country=to, hash=own["address"]),
        device=DeviceFacts(identifier=own["device"], ip=own["ip"]),
    )


def ask(question: PaymentFacts) -> Verdict:
    with transaction.atomic():
        return assess(facts=question)


def graph(verdict: Verdict) -> dict[str, Any]:
    stored: dict[str, Any] = selectors.decision(verdict.decision).inputs["graph"]
    return stored


def decide(case: str, *, approve: bool) -> None:
    with transaction.atomic():
        decide_case(case=case, approve=approve, actor="user:1", reason="seen")


def test_a_household_is_no_ring_and_a_shared_device_is_counted() -> None:
    assert graph(ask(shopper(1)))["ring_score"] == 0
    spouse = graph(ask(shopper(2, device="dev_1", address="a-1", card="fp_1")))
    assert (spouse["ring_score"], spouse["near"]) == (0, 1)
    assert spouse["shared"] == {"address": 1, "card": 1, "device": 1}
    for number in range(3, 7):
        last = graph(ask(shopper(number, device="dev_1")))
    assert (last["shared"], last["near"], last["ring_score"]) == ({"device": 5}, 5, 4 * 6)


def test_the_second_hop_is_reached_through_what_is_strong_only() -> None:
    ask(shopper(1, card="fp_far"))
    ask(shopper(2, card="fp_far", device="dev_near"))
    ask(shopper(3, address="a-9", device="dev_near"))
    found = graph(ask(shopper(4, device="dev_near")))
    assert (found["near"], found["far"]) == (2, 1)
    ask(shopper(5, address="a-9"))
    assert (
        graph(ask(shopper(6, device="dev_near")))["far"] == 1
    )  # whoever lives beside customer 3 is a stranger


def test_a_crowd_behind_one_network_links_nobody_but_behind_one_card_it_does() -> None:
    for number in range(20):
        ask(shopper(number, ip="203.0.113.5", card="fp_tested"))
    found = graph(ask(shopper(99, ip="203.0.113.6", card="fp_tested")))
    assert found["shared"] == {"card": 17} and found["ring_score"] == 48 + found["far"]
    assert graph(ask(shopper(98, ip="203.0.113.7")))["near"] == 0


def test_the_work_is_bounded_whatever_hangs_on_an_entity() -> None:
    rows = [
        Tie(
            customer_key=f"c{number:031}",
            entity="device",
            entity_key=key,
            first_at=timezone.now() - timedelta(days=1),
            last_at=timezone.now() - timedelta(days=1),
        )
        for number in range(3000)
        for key in ("d" * 32, f"{number % 30:032}")
    ]
    Tie.objects.bulk_create(rows)
    hub = {"device": "d" * 32}
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE risk_tie")
        cursor.execute(
            f"EXPLAIN {ties.WITH} SELECT * FROM close_by, further", ties.params("me", hub, timezone.now())
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Index Scan using risk_tie_entity" in plan and "Sort Key: risk_tie" not in plan
    started = perf_counter()
    found = ties.links("me", hub, timezone.now())
    assert perf_counter() - started < 5
    assert {link.hop for link in found} == {1, 2} and len(found) <= 17 + 12 * 5 * 6


def test_a_verdict_reaches_the_next_decision_at_once() -> None:
    bad = ask(shopper(1, amount=500_000, to="US", card="fp_x"))
    assert bad.action == "review" and graph(ask(shopper(2, card="fp_x")))["frauds_near"] == 0
    decide(bad.case, approve=False)
    started = perf_counter()
    found = graph(ask(shopper(3, card="fp_x")))
    assert (found["frauds_near"], found["ring_score"]) == (1, 30 + 6) and perf_counter() - started < 5
    good = ask(shopper(4, amount=500_000, to="US"))
    decide(good.case, approve=True)
    again = graph(ask(shopper(4)))
    assert again["vouched"] == ["address", "card", "device", "email", "network", "phone"]
    assert graph(ask(shopper(4, device="dev_new")))["vouched"] == [
        "address",
        "card",
        "email",
        "network",
        "phone",
    ]


def test_a_refusal_is_remembered_and_a_limit_is_none() -> None:
    for number in (1, 2):
        assert ask(shopper(number, amount=99_000_000, to="US", card="fp_r")).action == "review"
    assert graph(ask(shopper(3, card="fp_r")))["refused"] == 0
    worst = shopper(4, amount=99_000_000, to="US", card="fp_r")
    newcomer = CustomerFacts(reference="cus_4", email_hash="e-4", paid_orders=0)
    refused = replace(worst, customer=newcomer, device=DeviceFacts(is_proxy=True))
    assert ask(refused).action == "reject"
    assert graph(ask(shopper(5, card="fp_r")))["refused"] == 1


def ring_rule() -> dict[str, Any]:
    message = {"en": "Linked with a ring: {graph.ring_score} of 100.", "zh": "关联团伙：{graph.ring_score}。"}
    return {
        "id": "ring",
        "version": 1,
        "expression": "graph.ring_score >= 20 && !graph.vouched_card",
        "weight": 50,
        "action": "review",
        "message": message,
    }


def test_rules_may_name_the_graph_and_old_decisions_replay() -> None:
    old = ask(shopper(1))
    version = draft_policy(
        name="linked",
        rules=[*starting.RULES, ring_rule()],
        thresholds=starting.THRESHOLDS,
        limits=starting.LIMITS,
        rates=starting.RATES,
        actor="user:1",
    )
    for number in range(2, 7):
        ask(shopper(number, device="dev_ring"))
    assert ask(shopper(7, device="dev_ring")).action == "accept"
    activate_policy(policy=version, actor="user:2", reason="rings")
    caught = ask(shopper(8, device="dev_ring"))
    assert caught.action == "review" and "Linked with a ring: 30 of 100." in caught.reasons[0].text
    assert ask(shopper(9)).action == "accept"
    Tie.objects.all().delete()
    assert selectors.replay(caught.decision).same and selectors.replay(old.decision).same


def test_a_decision_from_before_the_graph_is_judged_as_it_was() -> None:
    row = Decision.objects.get(pk=selectors.decision_row(ask(shopper(1, amount=800_000)).decision).pk)
    before = {name: value for name, value in row.inputs.items() if name != "graph"}
    document = selectors.policy_document(row.policy_id)
    again = rules.outcome(rules.judge(document, before))
    assert rules.canonical(again) == rules.canonical(row.outcome)


def test_one_guest_in_parallel_is_tied_once_and_waits_for_nobody() -> None:
    """A customer who is signed in waits for the limits; a guest has none."""
    barrier = Barrier(8)
    guest = CustomerFacts(email_hash="e-1")

    def pay(number: int) -> str:
        try:
            with transaction.atomic():
                verdict = assess(facts=replace(shopper(1, card=f"fp_{number % 2}"), customer=guest))
                barrier.wait(PATIENCE)  # all eight have decided, and none has committed
            return verdict.action
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(pay, range(8)))
    assert Tie.objects.filter(entity="card").count() == 2 and Tie.objects.filter(entity="device").count() == 1


def test_statements() -> None:
    ask(shopper(1))

    with transaction.atomic():
        assert round_trips(lambda: assess(facts=shopper(2, card="fp_1"))) == 2
    with CaptureQueriesContext(connection) as queries:
        ask(shopper(2, card="fp_1"))
    assert sum("INSERT INTO risk_tie" in query["sql"] for query in queries) == 1


def test_the_score_by_hand() -> None:
    assert rings.score(Ring()) == 0
    assert rings.score(Ring(shared={"card": 1, "device": 1, "address": 1}, near=1, far=5)) == 0
    assert rings.score(Ring(shared={"card": 3, "phone": 2}, near=4, far=3)) == 2 * 6 + 5 + 3
    assert rings.score(Ring(shared={"network": 30})) == 8
    assert rings.score(Ring(shared={"card": 1}, near=1, frauds_near=1, refused=3)) == 30 + 16
    assert rings.score(Ring(shared={"card": 40, "device": 40}, frauds_near=9)) == 100


def test_the_drawing_has_a_place_for_everybody_and_names_nobody() -> None:
    ask(shopper(1, card="fp_far"))
    ask(shopper(2, card="fp_far", device="dev_near"))
    verdict = ask(shopper(3, device="dev_near"))
    linked = cases.linked_with(verdict.decision)
    drawing = draw(linked)
    kinds = [node.kind for node in drawing.nodes]
    assert kinds.count("me") == 1 and kinds.count("customer") == 2
    assert len({(node.x, node.y) for node in drawing.nodes}) == len(drawing.nodes)
    assert all(0 <= node.x <= drawing.width - 104 and node.y < drawing.height for node in drawing.nodes)
    assert "shares the device" in drawing.sentences[0]
    assert "dev_near" not in str(drawing) and "cus_" not in str(drawing)


def test_ties_do_not_wait_for_the_disk_and_whatever_comes_next_does() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")
        before = _flushed_by_me(cursor)
        ties.keep("me", {"card": "a" * 32}, timezone.now())
        assert _flushed_by_me(cursor) == before
        cursor.execute("SHOW synchronous_commit")
        assert cursor.fetchone() == ("on",)
        with transaction.atomic():
            ties.keep("me", {"card": "b" * 32}, timezone.now())  # a part of something that must last
        assert _flushed_by_me(cursor) > before
    assert Tie.objects.filter(customer_key="me").count() == 2


def _flushed_by_me(cursor: Any) -> int:
    """How often this connection has written the log to the disk."""
    cursor.execute("SELECT pg_stat_force_next_flush()")
    cursor.execute(
        "SELECT coalesce(sum(s.writes), 0) FROM pg_stat_get_backend_io(pg_backend_pid()) s WHERE s.object = 'wal'"
    )
    return int(cursor.fetchone()[0])
