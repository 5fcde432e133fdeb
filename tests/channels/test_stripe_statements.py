"""Stripe's payouts and finance reports: every movement of a day with its fee, in major units, and no other."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import stripe as sdk

from ledger.money import Money
from payments.channels.contract import (
    ChannelUnavailable,
    StartRequest,
    StatementNotReady,
    StatementSource,
    StatementUnavailable,
)
from payments.channels.stripe.channel import from_settings
from tests.channels.drivers.stripe import StripeDriver
from tests.channels.world import Receiver, Sandbox, running_sandbox

DAY_SECONDS = 86_400


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox of its own, whose clock may run ahead."""
    with running_sandbox(tmp_path_factory.mktemp("statements")) as running:
        yield running


@pytest.fixture(scope="module")
def stripe(world: Sandbox, receiver: Receiver) -> StripeDriver:
    return StripeDriver(world, receiver)


@pytest.fixture
def alone(world: Sandbox, receiver: Receiver, request: pytest.FixtureRequest) -> StripeDriver:
    """An account that nobody else uses."""
    driver = StripeDriver(world, receiver)
    onboarded = world.onboard(name=request.node.name, webhooks={"stripe": receiver.url + driver.notify_path})
    driver.account, driver.merchant = onboarded["stripe"], onboarded["merchant"]
    driver.channel = driver.from_account()
    return driver


def source(stripe: StripeDriver) -> StatementSource:
    return from_settings(stripe.settings())


def today(world: Sandbox) -> date:
    return datetime.fromisoformat(world.ask("GET", "/control/clock")["now"]).astimezone(UTC).date()


def next_day(world: Sandbox, days: int = 1) -> None:
    world.ask("POST", "/control/clock", {"advance": days * DAY_SECONDS})


def lines(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def refunded(stripe: StripeDriver, minor: int) -> StartRequest:
    request, answer = stripe.paid()
    movement = replace(
        stripe.movement(request, answer),
        amount=Money(minor, "CNY"),
        movement_reference=request.reference.replace("att_", "ref_"),
    )
    stripe.channel.refund(movement)
    return request


def test_a_day_is_told_movement_by_movement(world: Sandbox, alone: StripeDriver) -> None:
    day = today(world)
    request = refunded(alone, 2_500)
    disputed, _ = alone.disputed()
    next_day(world)
    statement = source(alone).fetch_statement("balance_change", day)
    assert (statement.channel, statement.kind, statement.day) == ("stripe", "balance_change", day)
    rows = lines(statement.content)
    told = [(row["reporting_category"], row["gross"], row["fee"], row["net"]) for row in rows]
    assert told == [
        ("charge", "100.00", "3.20", "96.80"),
        ("refund", "-25.00", "0.00", "-25.00"),
        ("charge", "100.00", "3.20", "96.80"),
        ("dispute", "-100.00", "15.00", "-115.00"),
    ]
    ours = [row["payment_metadata[reference]"] for row in rows]
    assert ours == [request.reference] * 2 + [disputed.reference] * 2
    assert rows[1]["refund_metadata[reference]"] == request.reference.replace("att_", "ref_")
    assert {row["currency"] for row in rows} == {"cny"}
    assert all(row["created_utc"].startswith(str(day)) for row in rows)


@pytest.mark.parametrize(("minor", "fee"), [(1, 30), (17, 30), (18, 31), (10_000, 320), (12_345, 388)])
def test_the_fee_is_rounded_half_up(stripe: StripeDriver, minor: int, fee: int) -> None:
    stripe.paid(minor)
    base = stripe.sandbox.url + "/stripe"
    api = sdk.StripeClient(stripe.account["secret_key"], base_addresses={"api": base, "files": base})
    (entry,) = api.v1.balance_transactions.list({"type": "charge", "limit": 1}).data
    assert (entry.amount, entry.fee, entry.net) == (minor, fee, minor - fee)


def test_a_payout_is_the_sum_of_what_it_is_made_of(world: Sandbox, alone: StripeDriver) -> None:
    refunded(alone, 2_500)
    alone.paid()
    # two days until the money is available, and the day's end after that
    next_day(world, 3)
    day = today(world)
    next_day(world)
    rows = lines(source(alone).fetch_statement("payout_reconciliation", day).content)
    assert [row["reporting_category"] for row in rows] == ["charge", "refund", "charge"]
    (payout,) = lines(source(alone).fetch_statement("payouts", day).content)
    assert {row["automatic_payout_id"] for row in rows} == {payout["payout_id"]}
    assert sum(Decimal(row["net"]) for row in rows) == -Decimal(payout["net"]) == Decimal("168.60")
    kinds = {one["kind"] for one in alone.sandbox.deliveries(payout["payout_id"])}
    assert kinds == {"payout.created", "payout.paid", "payout.reconciliation_completed"}


def test_control_pays_out_at_once_and_nothing_twice(world: Sandbox, alone: StripeDriver) -> None:
    alone.paid()
    path = f"/control/stripe/{alone.merchant}/payout"
    (made,) = world.ask("POST", path)["payouts"]
    assert (made["amount"], made["currency"]) == (9_680, "cny")
    assert world.ask("POST", path)["payouts"] == []


def test_an_empty_day_is_empty(world: Sandbox, stripe: StripeDriver) -> None:
    day = today(world) - timedelta(days=30)
    assert source(stripe).fetch_statement("balance_change", day).content == b""


def test_a_file_that_is_cut_off_in_its_head_is_no_empty_day(world: Sandbox, alone: StripeDriver) -> None:
    day = today(world) - timedelta(days=30)
    cut = {"merchant": alone.merchant, "channel": "stripe", "file": "balance_change", "kind": "truncated"}
    world.ask("POST", "/control/statements/faults", {**cut, "day": str(day)})
    with pytest.raises(ChannelUnavailable, match="malformed"):
        source(alone).fetch_statement("balance_change", day)
    assert source(alone).fetch_statement("balance_change", day).content == b""


def test_a_day_that_is_not_over_is_not_ready(world: Sandbox, stripe: StripeDriver) -> None:
    with pytest.raises(StatementNotReady):
        source(stripe).fetch_statement("balance_change", today(world))


def test_what_stripe_does_not_write_is_unavailable(world: Sandbox, stripe: StripeDriver) -> None:
    with pytest.raises(StatementUnavailable):
        source(stripe).fetch_statement("horoscope", today(world))


@pytest.mark.parametrize(
    "path", ["/stripe/v1/reporting/report_types", "/stripe/v1/reporting/report_runs", "/stripe/v1/files"]
)
@pytest.mark.parametrize("fault", ["drop_after", "error_before", "garbage_after"])
def test_no_clear_answer_is_unavailable_and_asking_again_tells(
    world: Sandbox, stripe: StripeDriver, path: str, fault: str
) -> None:
    next_day(world)
    day = today(world)
    stripe.paid()
    next_day(world)
    world.fault(path, fault)
    with pytest.raises(ChannelUnavailable):
        source(stripe).fetch_statement("balance_change", day)
    assert len(lines(source(stripe).fetch_statement("balance_change", day).content)) == 1


def test_the_key_is_sent_to_no_other_address(world: Sandbox, stripe: StripeDriver) -> None:
    day = today(world) - timedelta(days=30)
    channel = from_settings(stripe.settings(files_base="http://127.0.0.1:9/stripe"))
    with pytest.raises(ChannelUnavailable, match="malformed"):
        channel.fetch_statement("balance_change", day)
