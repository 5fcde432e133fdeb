"""`manage.py sandbox` plays the customer from the terminal."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from payments.channels.contract import Challenge, Outcome
from tests.channels.drivers.stripe import StripeDriver
from tests.channels.world import free_port, running_receiver, running_sandbox

Ask = Callable[..., str]


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StripeDriver]:
    folder: Path = tmp_path_factory.mktemp("command")
    with running_sandbox(folder) as sandbox, running_receiver() as receiver:
        yield StripeDriver(sandbox, receiver)


@pytest.fixture
def ask(driver: StripeDriver, settings: Settings) -> Ask:
    settings.SANDBOX_URL = driver.sandbox.url

    def run(*words: str) -> str:
        out = StringIO()
        call_command("sandbox", *words, stdout=out)
        return out.getvalue()

    return run


def test_the_newest_payment_that_waits_is_paid(driver: StripeDriver, ask: Ask) -> None:
    start = replace(driver.start_request(), challenge=Challenge.REQUIRED)
    answer = driver.channel.start(start)
    assert start.reference in ask("list", "--state", "waiting")
    assert "paid" in ask("pay")
    assert driver.channel.query(driver.movement(start, answer)).outcome is Outcome.SUCCEEDED
    truth: dict[str, Any] = json.loads(ask("--json", "truth"))
    moved = [row for row in truth["movements"] if row["reference"] == start.reference]
    assert [(row["captured"], row["refunded"], row["currency"]) for row in moved] == [(10_000, 0, "CNY")]


@pytest.mark.parametrize(
    ("words", "state"),
    [
        (("decline",), "failed"),
        (("expire",), "closed"),
        (("challenge", "fail"), "failed"),
        (("challenge", "pass"), "paid"),
    ],
)
def test_a_named_payment_is_acted_on(
    driver: StripeDriver, ask: Ask, words: tuple[str, ...], state: str
) -> None:
    start = replace(driver.start_request(), challenge=Challenge.REQUIRED)
    driver.channel.start(start)
    ask(*words, start.reference)
    assert driver.sandbox.payments(start.reference)[0]["state"] == state
    with pytest.raises(CommandError):
        ask(*words, start.reference)


def test_notifications_are_listed_and_sent_again(driver: StripeDriver, ask: Ask) -> None:
    driver.paid()
    first = ask("deliveries").split()[0]
    assert "pending" in ask("resend", first)


def test_trouble_is_one_clear_line(ask: Ask, settings: Settings) -> None:
    with pytest.raises(CommandError, match="nothing is known of att_none"):
        ask("pay", "att_none")
    settings.SANDBOX_URL = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(CommandError, match="does not answer"):
        ask("truth")
    settings.SANDBOX_URL = ""
    with pytest.raises(CommandError, match="SANDBOX_URL"):
        ask("list")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("clock",), "ahead_seconds 0.0"),
        (("clock", "--advance", "60"), "ahead_seconds 60.0"),
        (("fault", "slow", "--path", "/nowhere", "--times", "2"), "kind slow, path /nowhere, times 2"),
        (("notice", "late", "--reference", "att_nobody", "--seconds", "9"), "seconds 9.0"),
        (("fate", "refund", "pending_fails", "--reference", "att_nobody"), "fate pending_fails"),
        (("mix", "--seed", "3", "disputes=0.5", 'channels=["wechat"]'), "disputes 0.5"),
        (("mix", "--off"), "off True"),
        (("open",), "settled"),
        (("statement", "fee", "--channel", "stripe", "--day", "2026-10-21", "--by", "3"), "kind fee"),
        (("mistakes",), "expected fee"),
    ],
)
def test_the_world_is_turned(ask: Ask, words: tuple[str, ...], told: str) -> None:
    assert told in ask(*words)


def test_a_payment_is_disputed_and_its_notification_twisted(driver: StripeDriver, ask: Ask) -> None:
    start, _ = driver.paid()
    assert "dispute " in ask("dispute", start.reference, "--amount", "400")
    assert "disputed 400" in next(line for line in ask("truth").splitlines() if start.reference in line)
    sent = ask("deliveries").split()[0]
    assert "pending" in ask("deliver", "late", sent, "--seconds", "60")


@pytest.mark.parametrize(
    "words",
    [
        ("fault", "earthquake"),
        ("clock", "--advance", "-99999999999"),
        ("mix", "requests"),
        ("statement", "horoscope", "--channel", "stripe", "--day", "2026-10-21"),
        ("deliver", "late", "dlv_x"),
    ],
)
def test_what_can_not_be_is_refused(ask: Ask, words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        ask(*words)
