"""The providers' time can jump forward; signatures keep to the real one."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from payments.channels.contract import Acknowledgement, Outcome
from tests.channels.drivers.alipay import AlipayDriver
from tests.channels.drivers.wechat import WechatDriver
from tests.channels.world import (
    HTTP,
    Receiver,
    Sandbox,
    eventually,
    free_port,
    running_receiver,
    running_sandbox,
)
from tests.sandbox.shop import Shop

DAY = 86_400


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("clock")) as running:
        yield running


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


def ahead(world: Sandbox) -> float:
    return float(world.ask("GET", "/control/clock")["ahead_seconds"])


def test_it_jumps_by_seconds_or_to_a_moment(world: Sandbox) -> None:
    before = ahead(world)
    world.advance(90)
    assert ahead(world) == before + 90
    now = datetime.fromisoformat(world.ask("GET", "/control/clock")["now"])
    moved = world.ask("POST", "/control/clock", {"set": (now + timedelta(hours=1)).isoformat()})
    assert datetime.fromisoformat(moved["now"]) - now <= timedelta(hours=1, seconds=2)
    assert abs(datetime.fromisoformat(moved["real"]) - datetime.now(UTC)) < timedelta(seconds=2)


@pytest.mark.parametrize(
    "asked", [{"advance": -1}, {"set": "2001-01-01T00:00:00Z"}, {"set": "soon"}, {}, {"advance": "x"}]
)
def test_it_never_goes_back(world: Sandbox, asked: dict[str, object]) -> None:
    Shop(world).pay()
    before = ahead(world)
    assert HTTP.post(f"{world.url}/control/clock", json=asked).status_code == 400
    assert ahead(world) == before


def test_people_turn_it_and_switch_the_mix(world: Sandbox) -> None:
    before = ahead(world)
    world.ask("POST", "/control/mix", {"requests": 0.5})
    for path in ("/clock/86400", "/mix/off"):
        assert HTTP.post(world.url + path, headers={"Origin": "http://evil.example"}).status_code == 403
        assert HTTP.post(world.url + path).status_code == 303
    assert ahead(world) == before + DAY
    assert world.ask("GET", "/control/mix")["off"] is True
    assert "Switch on" in HTTP.get(world.url).text


def test_it_is_kept(tmp_path: Path) -> None:
    port = free_port()
    with running_sandbox(tmp_path, port) as world:
        world.advance(DAY)
    with running_sandbox(tmp_path, port) as world:
        assert ahead(world) == DAY


def test_a_code_expires_at_once_and_a_new_one_lives(world: Sandbox, receiver: Receiver) -> None:
    """The shop's own clock did not move: the time it names means as long from now as it meant."""
    for driver in (AlipayDriver(world, receiver), WechatDriver(world, receiver)):
        for _ in range(2):
            start = driver.start_request()
            answer = driver.channel.start(start)
            assert answer.outcome is Outcome.ACTION_REQUIRED
            assert world.payments(start.reference)[0]["state"] == "waiting"
            world.advance(21 * 60)
            assert world.payments(start.reference)[0]["state"] == "closed"


def test_the_schedule_of_retries_goes_by_it_and_the_signature_does_not(
    world: Sandbox, receiver: Receiver
) -> None:
    driver = WechatDriver(world, receiver, "schedule")
    receiver.answers[driver.notify_path] = Acknowledgement(500)
    driver.paid()
    schedule = (15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10_800, 10_800, 10_800, 21_600, 21_600)
    for tries, pause in enumerate(schedule, start=1):
        tried(world, receiver, driver.notify_path, tries)
        world.advance(pause)
    tried(world, receiver, driver.notify_path, len(schedule) + 1)
    for one in receiver.at(driver.notify_path):
        assert abs(time.time() - int(one.headers["wechatpay-timestamp"])) < 60
        driver.channel.read_notice(one.headers, one.body)
    assert newest(world, receiver, driver.notify_path)["state"] == "failed"


def test_an_authorisation_lapses(world: Sandbox, receiver: Receiver) -> None:
    receiver.answers["/lapse"] = Acknowledgement(200)
    shop = Shop(world, "lapse", webhook=f"{receiver.url}/lapse")
    held = shop.pay(capture_method="manual").json()["id"]
    world.advance(7 * DAY + 1)
    assert shop.get(f"payment_intents/{held}")["status"] == "canceled"


def newest(world: Sandbox, receiver: Receiver, path: str) -> dict[str, object]:
    found = world.ask("GET", "/control/deliveries")["deliveries"]
    return next(one for one in found if one["url"] == receiver.url + path)


def tried(world: Sandbox, receiver: Receiver, path: str, times: int) -> None:
    eventually(lambda: len(receiver.at(path)) == times and newest(world, receiver, path)["attempts"] == times)
