"""SIGKILL in the middle of twenty payments: none is lost, none is made twice, and nobody has to help."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from typing import Any

import httpx
import psycopg
import pytest

from tests.stack import processes
from tests.stack.copy import Stack
from tests.stack.guests import Guest, wait_until

pytestmark = [pytest.mark.stack]

PAYMENTS = 20
AT_ONCE = 5
# Two cards, because more than ten payments a minute with one are challenged.
WAYS = (("card", "pm_card_cn"), ("alipay", ""), ("card", "pm_card_unionpay"), ("wechat_pay", ""))
STARTS = {
    "card": "/stripe/v1/payment_intents",
    "alipay": "/alipay/gateway.do",
    "wechat_pay": "/wechat/v3/pay/transactions/native",
}
# Long enough that a kill meets payments which the provider has and we have not heard of.
PROVIDER_SECONDS = 2.0

UNSETTLED = {
    "payments": """SELECT count(*) FROM payments_payment
        WHERE reference = ANY(%(orders)s) AND state NOT IN ('SUCCEEDED', 'FAILED', 'CANCELLED')""",
    "attempts": """SELECT count(*) FROM payments_attempt JOIN payments_payment payment ON payment.id = payment_id
        WHERE reference = ANY(%(orders)s) AND payments_attempt.state IN ('CREATED', 'SENT', 'UNKNOWN')""",
    "outbox": "SELECT count(*) FROM payments_outboxevent WHERE delivered_at IS NULL",
    "inbox": "SELECT count(*) FROM payments_inboxevent WHERE state NOT IN ('APPLIED', 'IGNORED')",
}


# Claimed by the janitor, and no answer came yet.
ASKED_ABOUT = """SELECT payment.method FROM payments_attempt attempt
    JOIN payments_payment payment ON payment.id = attempt.payment_id
    WHERE reference = ANY(%(orders)s) AND attempt.state = 'SENT' AND checks > 0 AND answered_at IS NULL"""


def rows_of(stack: Stack, query: str, orders: list[str]) -> list[Any]:
    with psycopg.connect(stack.database_url) as connection:
        return connection.execute(query.encode(), {"orders": orders}).fetchall()


def unsettled(stack: Stack, orders: list[str]) -> dict[str, int]:
    """What is still open in the books."""
    counted = {name: rows_of(stack, query, orders)[0][0] for name, query in UNSETTLED.items()}
    return {name: count for name, count in counted.items() if count}


def money_at_provider(stack: Stack) -> dict[str, tuple[int, int]]:
    """Attempt → captured and refunded, for all that ever moved."""
    moved = stack.ask_sandbox("GET", "/control/ground-truth")["movements"]
    return {move["payment"]: (move["captured"], move["refunded"]) for move in moved}


def let_providers_take_their_time(stack: Stack, method: str, path: str, times: int) -> None:
    plan = {"method": method, "path": path, "kind": "slow", "seconds": PROVIDER_SECONDS, "times": times}
    httpx.post(f"{stack.sandbox}/control/faults", json=plan, trust_env=False).raise_for_status()


def kill_when(stack: Stack, guests: list[Guest], begun: int, *words: str) -> Counter[str]:
    """Kill a part once `begun` payments were begun and wallets are being asked; says how many payments it met."""

    def in_the_middle() -> bool:
        asking = {guest.method for guest in guests if guest.asking}
        return sum(guest.began for guest in guests) >= begun and bool(asking - {"card"})

    wait_until(f"{begun} payments begin", in_the_middle)
    time.sleep(PROVIDER_SECONDS / 4)
    met = Counter(guest.method for guest in guests if guest.asking)
    assert processes.kill(stack.data, *words), f"no process runs {words}"
    return met


def kill_worker_while_it_asks(stack: Stack, guests: list[Guest]) -> Counter[str]:
    """Kill the worker while it asks a provider about payments that the dead web server left behind."""

    def asked() -> Counter[str]:
        rows = rows_of(stack, ASKED_ABOUT, [guest.order for guest in guests if guest.order])
        return Counter(method for (method,) in rows)

    wait_until("the janitor asks", asked)
    met = asked()
    assert processes.kill(stack.data, "celery", "worker")
    return met


def is_ready(stack: Stack) -> bool:
    try:
        return httpx.get(f"{stack.url}/health/ready", trust_env=False, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def test_worker_relay_and_web_server_are_killed_in_the_middle(stack: Stack) -> None:
    ways = islice(cycle(WAYS), PAYMENTS)
    guests = [
        Guest(stack.url, stack.sandbox, number, method, card)
        for number, (method, card) in enumerate(ways, start=1)
    ]
    before = money_at_provider(stack)
    for method, path in STARTS.items():
        times = sum(guest.method == method for guest in guests)
        let_providers_take_their_time(stack, "POST", path, times)
    let_providers_take_their_time(stack, "GET", "/wechat/v3/pay/transactions/out-trade-no", 2)
    started = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        buying = [pool.submit(guest.buy) for guest in guests]
        met: dict[str, Any] = {
            "worker": kill_when(stack, guests, 3, "celery", "worker"),
            "relay": kill_when(stack, guests, 5, "manage.py", "relay"),
            "web": kill_when(stack, guests, 8, "gunicorn"),
            "worker again": kill_worker_while_it_asks(stack, guests),
        }
        for bought in buying:
            bought.result()
    paid_after = time.monotonic() - started
    orders = [guest.order for guest in guests]
    wait_until("everything settles", lambda: not unsettled(stack, orders))
    print_figures(guests, met, paid_after, time.monotonic() - started)

    assert sum(guest.unanswered for guest in guests) > 0
    for guest in guests:
        order = guest.look()
        assert order["state"] == "PAID"
        paid = [payment for payment in order["payments"] if payment["captured"]["amount"]]
        assert [payment["captured"]["amount"] for payment in paid] == [guest.payable]
    # Every guest owes another sum: equal lists mean that each was charged, and once.
    moved = [money for payment, money in money_at_provider(stack).items() if payment not in before]
    assert sorted(moved) == sorted((guest.payable, 0) for guest in guests)
    wait_until("all parts are back", lambda: is_ready(stack))
    report = stack.verify()
    assert report["ok"], report["broken"]


def print_figures(guests: list[Guest], met: dict[str, Any], paid: float, settled: float) -> None:
    print(f"\nin flight when killed: { {part: dict(waiting) for part, waiting in met.items()} }")
    print(f"requests without an answer: {sum(guest.unanswered for guest in guests)}")
    again = [guest.payments for guest in guests if len(guest.payments) > 1]
    print(f"payments that had to be asked for again: {again}")
    print(f"all paid after {paid:.1f} s, all settled after {settled:.1f} s")
