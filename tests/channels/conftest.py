"""One sandbox process and one receiver for all channel tests; one driver for each channel."""

from collections.abc import Iterator

import pytest

from tests.channels import page
from tests.channels.drivers import Driver
from tests.channels.drivers.alipay import AlipayDriver
from tests.channels.drivers.bank import BankDriver
from tests.channels.drivers.crypto import CryptoDriver
from tests.channels.drivers.ecny import EcnyDriver
from tests.channels.drivers.stripe import StripeDriver
from tests.channels.drivers.unionpay import UnionPayDriver
from tests.channels.drivers.wechat import WechatDriver
from tests.channels.promises import about, channel_of, fits
from tests.channels.world import Receiver, Sandbox, running_receiver, running_sandbox

DRIVERS: dict[str, type[Driver]] = {
    "stripe": StripeDriver,
    "alipay": AlipayDriver,
    "wechat": WechatDriver,
    "unionpay": UnionPayDriver,
    "ecny": EcnyDriver,
    "bank": BankDriver,
    "crypto": CryptoDriver,
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Nobody is asked for what they do not promise: such tests do not exist, rather than being skipped."""
    items[:] = [
        item for item in items if (code := channel_of(item)) not in DRIVERS or fits(item, DRIVERS[code])
    ]
    config.stash[page.REASONS] = {code: driver.without for code, driver in DRIVERS.items()}
    for item in items:
        if code := channel_of(item):
            # For page.py, which sees reports only.
            item.user_properties.append(
                (page.PROPERTY, [code, sorted(capability.value for capability in about(item))])
            )


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_has_arrived(request: pytest.FixtureRequest) -> None:
    """What other tests were told is read by nobody any more: it may be too old to be believed."""
    if "receiver" in request.fixturenames:
        request.getfixturevalue("receiver").arrived.clear()


@pytest.fixture(scope="session", params=sorted(DRIVERS))
def driver(request: pytest.FixtureRequest, sandbox: Sandbox, receiver: Receiver) -> Driver:
    return DRIVERS[request.param](sandbox, receiver)
