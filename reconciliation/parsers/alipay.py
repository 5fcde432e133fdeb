"""Alipay's bills, under the names by which its channel fetches them. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from reconciliation.parsers import alipay_funds, alipay_trades
from reconciliation.parsers.contract import Format

CHANNEL: Final = "alipay"


def _is_trade(name: str, text: str) -> bool:
    return "支付宝交易号" in text and "退款批次号" in text


def _is_fund(name: str, text: str) -> bool:
    return "账务流水号" in text and "业务流水号" in text


_ALL: Final = (
    Format(CHANNEL, "trade", "Alipay trade bill", alipay_trades.read, _is_trade, alipay_trades.in_batches),
    Format(CHANNEL, "signcustomer", "Alipay fund bill", alipay_funds.read, _is_fund),
)
FORMATS: Final[Mapping[str, Format]] = MappingProxyType({one.kind: one for one in _ALL})
