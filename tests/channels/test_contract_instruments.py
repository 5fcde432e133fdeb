"""Cards that are kept for the next time."""

from dataclasses import replace
from typing import cast

import pytest

from ledger.identifiers import new_key
from payments.channels.contract import Capability, ChannelUnavailable, InstrumentVault, Outcome
from tests.channels.drivers import Driver
from tests.channels.scenes import captured


def vault(driver: Driver) -> InstrumentVault:
    return cast(InstrumentVault, driver.channel)


def kept(driver: Driver) -> tuple[str, str]:
    """A customer's token and the token of a card that they had kept while paying."""
    customer = vault(driver).open_customer(key=f"customer:{new_key()}", reference="cus_ours")
    start = replace(driver.start_request(), customer=customer, keep_instrument=True)
    answer = driver.channel.start(start)
    assert answer.outcome is Outcome.SUCCEEDED and answer.instrument is not None
    return customer, answer.instrument.token


@pytest.mark.promises(Capability.SAVED_INSTRUMENT)
class TestSavedInstruments:
    def test_a_customer_is_opened_once(self, driver: Driver) -> None:
        key = f"customer:{new_key()}"
        tokens = {vault(driver).open_customer(key=key, reference="cus_ours") for _ in range(2)}
        assert len(tokens) == 1
        driver.sandbox.fault(f"/{driver.code}", "drop_after")
        with pytest.raises(ChannelUnavailable):
            vault(driver).open_customer(key=f"{key}:2", reference="cus_ours")

    def test_what_was_kept_pays_again(self, driver: Driver) -> None:
        customer, token = kept(driver)
        assert driver.channel.describe_instrument(token).last4
        for _ in range(2):
            start = replace(driver.start_request(instrument=token), customer=customer)
            assert driver.channel.start(start).outcome is Outcome.SUCCEEDED
            assert captured(driver, start) == [10_000]

    def test_what_was_not_kept_pays_once(self, driver: Driver) -> None:
        customer = vault(driver).open_customer(key=f"customer:{new_key()}", reference="cus_ours")
        start = replace(driver.start_request(), customer=customer)
        assert driver.channel.start(start).outcome is Outcome.SUCCEEDED
        again = replace(driver.start_request(instrument=start.instrument), customer=customer)
        assert driver.channel.start(again).outcome is Outcome.ERRORED
        assert captured(driver, again) == []

    def test_it_pays_for_nobody_else(self, driver: Driver) -> None:
        _, token = kept(driver)
        other = vault(driver).open_customer(key=f"customer:{new_key()}", reference="cus_other")
        for customer in (other, ""):
            start = replace(driver.start_request(instrument=token), customer=customer)
            assert driver.channel.start(start).outcome is Outcome.ERRORED
            assert captured(driver, start) == []

    def test_forgotten_it_pays_nothing(self, driver: Driver) -> None:
        customer, token = kept(driver)
        driver.sandbox.fault(f"/{driver.code}", "drop_before")
        with pytest.raises(ChannelUnavailable):
            vault(driver).forget_instrument(token)
        for _ in range(2):
            vault(driver).forget_instrument(token)
        start = replace(driver.start_request(instrument=token), customer=customer)
        assert driver.channel.start(start).outcome is Outcome.ERRORED
        assert captured(driver, start) == []
