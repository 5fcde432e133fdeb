"""Which tests of the contract are for which channel: by the capabilities that its class declares, nothing is skipped.

- `promises(Capability.X, …)`: what the test is about; only for channels that declare all of it.
- `lacks(Capability.X, …)`: only for channels that declare none of it.
- `driven(trait=True)`: only where the driver has such a trait (`asks_at_start`, `slow_refund` …), or has not.
"""

from collections.abc import Iterator
from importlib import import_module
from typing import cast

import pytest
from django.conf import settings

from payments.channels.contract import Capability, Channel
from tests.channels.drivers import Driver


def declared(code: str) -> frozenset[Capability]:
    """What the class of the channel called `code` says that it can do."""
    module = import_module(settings.CHANNELS[code].rpartition(".")[0])
    kinds = [kind for kind in vars(module).values() if isinstance(kind, type)]
    (channel,) = [kind for kind in kinds if getattr(kind, "code", None) == code]
    return cast(Channel, channel).capabilities


def about(item: pytest.Item) -> frozenset[Capability]:
    """The capabilities that a test is about; empty for what every channel does."""
    return _named(item, "promises")


def channel_of(item: pytest.Item) -> str:
    """The channel that a test of the contract is tried on; "" for any other test."""
    callspec = getattr(item, "callspec", None)
    return str(callspec.params.get("driver", "")) if callspec else ""


def fits(item: pytest.Item, driver: type[Driver]) -> bool:
    offered = declared(driver.code)
    traits = [trait for mark in item.iter_markers("driven") for trait in mark.kwargs.items()]
    return (
        about(item) <= offered
        and not _named(item, "lacks") & offered
        and all(bool(getattr(driver, name)) is wanted for name, wanted in traits)
    )


def collected(node: pytest.Collector) -> Iterator[pytest.Item]:
    """All tests below `node`, as pytest collects them."""
    for child in node.collect():
        if isinstance(child, pytest.Item):
            yield child
        elif isinstance(child, pytest.Collector):
            yield from collected(child)


def _named(item: pytest.Item, mark: str) -> frozenset[Capability]:
    return frozenset(capability for found in item.iter_markers(mark) for capability in found.args)
