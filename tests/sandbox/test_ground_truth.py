"""The world knows what really happened to the money, and whether anything will still happen."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from payments.channels.contract import Acknowledgement, Outcome
from tests.channels.drivers.alipay import AlipayDriver
from tests.channels.drivers.wechat import WechatDriver
from tests.channels.world import (
    HTTP,
    ROOT,
    Receiver,
    Sandbox,
    eventually,
    free_port,
    running_receiver,
    running_sandbox,
)
from tests.patience import PATIENCE
from tests.sandbox.shop import Shop


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("truth")) as running:
        yield running


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


def truth(world: Sandbox, **narrowed: Any) -> dict[str, Any]:
    answer = HTTP.get(f"{world.url}/control/ground-truth", params=narrowed)
    answer.raise_for_status()
    told: dict[str, Any] = answer.json()
    return told


def test_it_counts_what_moved_and_nothing_else(world: Sandbox) -> None:
    shop = Shop(world, "counts")
    paid = shop.pay(**{"metadata[reference]": "att_counts"}).json()["id"]
    shop.refund(paid, 200)
    shop.pay(payment_method="pm_card_visa_chargeDeclined", **{"metadata[reference]": "att_declined"})
    shop.pay(capture_method="manual", **{"metadata[reference]": "att_held"})
    moved = truth(world, merchant=shop.merchant["merchant"])["movements"]
    assert moved == [
        {
            "payment": paid,
            "merchant": shop.merchant["merchant"],
            "channel": "stripe",
            "reference": "att_counts",
            "currency": "CNY",
            "captured": 500,
            "refunded": 200,
            "disputed": 0,
            "reinstated": 0,
            "dispute_fees": 0,
        }
    ]


def test_pages_and_the_whole_say_the_same(world: Sandbox) -> None:
    shop = Shop(world, "pages")
    for number in (3, 1, 2, 2, 5):  # one reference twice: two payments
        shop.pay(**{"metadata[reference]": f"att_page_{number}"})
    merchant = shop.merchant["merchant"]
    paged, after = [], ""
    while True:
        found = truth(world, merchant=merchant, limit=2, after=after)
        paged += found["movements"]
        after = found["next"]
        if not after:
            break
    assert paged == truth(world, merchant=merchant)["movements"]
    assert [one["reference"][-1] for one in paged] == ["1", "2", "2", "3", "5"]
    assert truth(world, merchant=merchant, channel="alipay") == {"movements": []}
    assert HTTP.get(f"{world.url}/control/ground-truth?limit=0").status_code == 400


def test_what_is_open_and_when_all_is_settled(world: Sandbox, receiver: Receiver) -> None:
    eventually(lambda: world.ask("GET", "/control/open")["settled"])
    driver = AlipayDriver(world, receiver)
    receiver.answers[driver.notify_path] = Acknowledgement(500)
    start = driver.start_request()
    driver.channel.start(start)
    now = world.ask("GET", "/control/open")
    assert (now["settled"], now["channels"]["alipay"]) == (False, {"payments_waiting": 1})
    driver.customer_pays(start)
    assert world.ask("GET", "/control/open")["channels"]["alipay"] == {"notifications": 1}
    receiver.answers[driver.notify_path] = driver.channel.acknowledge()
    eventually(lambda: world.payments(start.reference) and receiver.at(driver.notify_path))
    eventually(lambda: _first_try_is_over(world))
    world.advance(240)
    eventually(lambda: world.ask("GET", "/control/open")["settled"])


def _first_try_is_over(world: Sandbox) -> bool:
    found = world.ask("GET", "/control/deliveries")["deliveries"]
    return all(one["attempts"] for one in found if one["channel"] == "alipay")


@pytest.mark.parametrize(
    ("fate", "at_first", "status", "in_the_end"),
    [
        ("pending_succeeds", ("pending", 0), "succeeded", 300),
        ("pending_fails", ("pending", 0), "failed", 0),
        ("succeeds_fails", ("succeeded", 300), "failed", 0),
    ],
)
def test_a_refund_that_takes_its_time(
    world: Sandbox, fate: str, at_first: tuple[str, int], status: str, in_the_end: int
) -> None:
    shop = Shop(world, fate)
    paid = shop.pay(**{"metadata[reference]": f"att_{fate}"}).json()["id"]
    plan = {"deed": "refund", "fate": fate, "reference": f"att_{fate}", "seconds": 3600}
    world.ask("POST", "/control/fates", plan)
    refund = shop.refund(paid, 300).json()
    assert (refund["status"], refunded(world, shop)) == at_first
    assert not world.ask("GET", "/control/open")["settled"]
    world.advance(3601)
    assert shop.get(f"refunds/{refund['id']}")["status"] == status
    assert refunded(world, shop) == in_the_end


def refunded(world: Sandbox, shop: Shop) -> int:
    moved = truth(world, merchant=shop.merchant["merchant"])["movements"]
    return int(moved[0]["refunded"])


def test_wechat_closes_a_refund_later(world: Sandbox, receiver: Receiver) -> None:
    driver = WechatDriver(world, receiver)
    start, answer = driver.paid()
    plan = {"deed": "refund", "fate": "pending_fails", "channel": "wechat", "seconds": 3600}
    world.ask("POST", "/control/fates", plan)
    request = replace(driver.movement(start, answer), amount=start.amount, movement_reference="ref_later")
    assert driver.channel.refund(request).outcome is Outcome.PENDING
    assert world.payments(start.reference)[0]["refunded"] == 10_000
    world.advance(3601)
    assert world.payments(start.reference)[0]["refunded"] == 0


def test_a_dispute_to_order_and_by_fate(world: Sandbox) -> None:
    shop = Shop(world, "disputed")
    now = shop.pay(**{"metadata[reference]": "att_now"}).json()["id"]
    asked = {"amount": 400, "reason": "product_not_received"}
    assert world.ask("POST", f"/control/payments/{now}/dispute", asked)["dispute"]
    world.ask("POST", "/control/fates", {"deed": "dispute", "fate": "fraudulent", "reference": "att_soon"})
    shop.pay(**{"metadata[reference]": "att_soon"})
    world.advance(61)
    moved = truth(world, merchant=shop.merchant["merchant"])["movements"]
    assert [(one["reference"], one["disputed"]) for one in moved] == [("att_now", 400), ("att_soon", 500)]
    assert all(one["dispute_fees"] > 0 for one in moved)
    too_much = HTTP.post(f"{world.url}/control/payments/{now}/dispute", json={"amount": 101})
    assert (too_much.status_code, too_much.json()["error"]) == (409, "only 100 are left to dispute")


def test_who_pays_can_be_declined_by_fate(world: Sandbox, receiver: Receiver) -> None:
    driver = AlipayDriver(world, receiver)
    start = driver.start_request()
    driver.channel.start(start)
    world.ask("POST", "/control/fates", {"deed": "pay", "fate": "insufficient_funds", "channel": "alipay"})
    driver.customer_pays(start)
    assert world.payments(start.reference)[0]["state"] == "failed"
    world.ask("POST", "/control/fates", {"deed": "pay", "fate": "expired_card", "channel": "stripe"})
    assert Shop(world, "declined").pay().json()["error"]["code"] == "expired_card"


def test_a_kill_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "sandbox", "--data", str(tmp_path), "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    world = Sandbox(f"http://127.0.0.1:{port}")
    eventually(lambda: _answers(world))
    shop = Shop(world, webhook="http://127.0.0.1:9/nobody")
    paid = {shop.pay(f"key-{number}").json()["id"] for number in range(20)}
    process.send_signal(signal.SIGKILL)
    process.wait(PATIENCE)
    with running_sandbox(tmp_path, port) as world:
        assert {one["payment"] for one in truth(world)["movements"]} == paid
        assert world.ask("GET", "/control/open")["channels"]["stripe"]["notifications"] == 60
        assert shop.pay("key-0").json()["id"] in paid


def _answers(world: Sandbox) -> bool:
    try:
        return bool(world.ask("GET", "/control/health"))
    except httpx.TransportError:
        return False
