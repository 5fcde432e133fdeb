"""WeChat Pay's bills, under the names by which its channel fetches them. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from reconciliation.parsers import wechat_funds, wechat_trades
from reconciliation.parsers.contract import Format

CHANNEL: Final = "wechat"


def _is_trade(name: str, text: str) -> bool:
    return "微信订单号" in text and "退款金额" in text and not _is_refunds(name, text)


def _is_success(name: str, text: str) -> bool:
    return "微信订单号" in text and "退款金额" not in text


def _is_refunds(name: str, text: str) -> bool:
    return "微信订单号" in text and "退款申请时间" in text


def _is_flow(name: str, text: str) -> bool:
    return "资金流水单号" in text and "收支类型" in text


_READ, _BATCHES = wechat_trades.read, wechat_trades.in_batches
_ALL: Final = (
    Format(CHANNEL, "trade", "WeChat Pay trade bill (ALL)", _READ, _is_trade, _BATCHES),
    Format(CHANNEL, "trade_success", "WeChat Pay trade bill (SUCCESS)", _READ, _is_success, _BATCHES),
    Format(CHANNEL, "trade_refund", "WeChat Pay trade bill (REFUND)", _READ, _is_refunds, _BATCHES),
    Format(CHANNEL, "fundflow", "WeChat Pay fund flow", wechat_funds.read, _is_flow),
)
FORMATS: Final[Mapping[str, Format]] = MappingProxyType({one.kind: one for one in _ALL})
