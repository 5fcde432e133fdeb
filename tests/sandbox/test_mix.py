"""The random mix: the same seed and traffic bring the same misfortunes, and it can be switched off."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.channels.world import HTTP, Sandbox, running_sandbox
from tests.sandbox.shop import Shop

# quick misfortunes, so that a run is quick
MIX = {"requests": 0.3, "notifications": 0.5, "declines": 0.2, "seconds": 0.02, "hang_seconds": 0.02}
VISITS = 40


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("mix")) as running:
        yield running


def visits(world: Sandbox, order: list[int]) -> dict[int, str]:
    """What every visit's one call came to. Notifications have nowhere to go, and are decided all the same."""
    shop = Shop(world, "mixed", webhook="http://127.0.0.1:9/nobody")
    came: dict[int, str] = {}
    for number in order:
        try:
            answer = shop.pay(**{"metadata[reference]": f"att_{number}"})
            came[number] = f"{answer.status_code} {answer.text[:8]}"
        except httpx.TransportError as error:
            came[number] = type(error).__name__
    return came


def mixed(world: Sandbox, **asked: Any) -> dict[str, Any]:
    answer: dict[str, Any] = world.ask("POST", "/control/mix", asked)
    return answer


def test_the_same_seed_brings_the_same_whatever_the_order(world: Sandbox) -> None:
    forwards = list(range(VISITS))
    mixed(world, seed=7, **MIX)
    first = visits(world, forwards)
    counted = mixed(world, off=True)["faults"]
    mixed(world, seed=8, **MIX)
    other = visits(world, forwards)
    mixed(world, seed=7, **MIX)
    again = visits(world, forwards[::-1])
    assert again == first != other
    assert mixed(world, off=True)["faults"] == counted
    assert sum(count for kind, count in counted.items() if kind.startswith("request_")) >= VISITS * 0.15
    assert sum(count for kind, count in counted.items() if kind.startswith("notification_")) >= VISITS * 0.3
    assert counted["decline"] >= VISITS * 0.05


def test_what_happens_twice_is_decided_twice(world: Sandbox) -> None:
    mixed(world, seed=21, **{**MIX, "requests": 0.5})
    came = [visits(world, [number])[number] for number in [1] * 12]
    mixed(world, off=True)
    assert len(set(came)) > 1


def test_off_means_that_all_goes_well(world: Sandbox) -> None:
    mixed(world, seed=9, **MIX)
    before = mixed(world, off=True)["faults"]
    came = visits(world, list(range(10)))
    assert {text[:3] for text in came.values()} == {"200"}
    assert world.ask("GET", "/control/mix")["faults"] == before == {}


def test_one_channel_alone(world: Sandbox) -> None:
    mixed(world, seed=10, requests=1.0, channels=["wechat"])
    assert {text[:3] for text in visits(world, [1, 2]).values()} == {"200"}
    mixed(world, off=True, channels=[])


def test_peoples_pages_are_left_alone(world: Sandbox) -> None:
    mixed(world, seed=11, requests=1.0)
    assert all(HTTP.get(world.url + path).status_code == 200 for path in ("/", "/static/sandbox.css"))
    mixed(world, off=True, requests=0)


@pytest.mark.parametrize("asked", [{"requests": 2}, {"requests": "often"}, {"colour": 1}])
def test_nonsense_is_a_400(world: Sandbox, asked: dict[str, Any]) -> None:
    before = world.ask("GET", "/control/mix")
    assert HTTP.post(f"{world.url}/control/mix", json=asked).status_code == 400
    assert world.ask("GET", "/control/mix") == before


def test_it_survives_a_restart(tmp_path: Path) -> None:
    with running_sandbox(tmp_path) as world:
        mixed(world, seed=7, **MIX)
        first = visits(world, list(range(10)))
        assert first
        counted = world.ask("GET", "/control/mix")
    with running_sandbox(tmp_path) as world:
        assert world.ask("GET", "/control/mix") == counted
