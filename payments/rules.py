"""What each channel asks of those who return money through it, as data. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class RefundRules:
    """`apart` is the least time between two refunds of one payment, `at_most` how many it may have, `within` how
    long after it was paid. `arrives` is how many working days the customer waits, from and to."""

    apart: timedelta = timedelta()
    at_most: int = 1000
    within: timedelta = timedelta(days=3650)
    arrives: tuple[int, int] = (3, 10)


# A little more than the provider's own figure: it counts from the arrival, we from the moment before the call.
REFUND_RULES: Mapping[str, RefundRules] = MappingProxyType(
    {
        "stripe": RefundRules(arrives=(5, 10)),
        "alipay": RefundRules(apart=timedelta(seconds=5), within=timedelta(days=365), arrives=(0, 3)),
        "wechat": RefundRules(
            apart=timedelta(seconds=65), at_most=50, within=timedelta(days=365), arrives=(0, 3)
        ),
        "unionpay": RefundRules(within=timedelta(days=330), arrives=(3, 10)),
    }
)


def refund_rules(channel: str) -> RefundRules:
    return REFUND_RULES.get(channel, RefundRules())
