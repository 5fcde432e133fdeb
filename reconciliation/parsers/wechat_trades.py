"""WeChat Pay's trade bill. Its three sorts (ALL, SUCCESS, REFUND) differ in columns only. Pure.

A refund is listed on the day it was accepted, with the state it had when the file was written. Amounts are those that
reach or leave our account: without what coupons of WeChat's paid.
"""

from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from types import MappingProxyType
from typing import BinaryIO, Final

from ledger.money import exponent
from reconciliation.parsers.contract import Told
from reconciliation.parsers.fields import (
    BEIJING,
    Days,
    Unreadable,
    cut,
    decimal,
    identifier,
    malformed,
    require_currency,
    require_merchant,
)
from reconciliation.parsers.texts import positions
from reconciliation.parsers.ticked import Ticked
from reconciliation.rows import Line, LineKind, LineState

_WHOSE: Final = ("货币种类", "商户号", "特约商户号?")
_COLUMNS: Final = (
    "交易状态",
    "微信订单号",
    "商户订单号",
    "商品名称",
    "手续费",
    "退款申请时间?",
    "交易时间",
    "应结订单金额",
)
_REFUND_COLUMNS: Final = ("微信退款单号?", "商户退款单号?", "退款金额?", "退款状态?")
# The summary's column → the column that it sums, and its decimals.
_SUMS: Final[Mapping[str, tuple[str, int]]] = MappingProxyType(
    {
        "应结订单总金额": ("应结订单金额", 2),
        "退款总金额": ("退款金额", 2),
        "充值券退款总金额": ("充值券退款金额", 2),
        "手续费总金额": ("手续费", 5),
        "订单总金额": ("订单金额", 2),
        "申请退款总金额": ("申请退款金额", 2),
    }
)
_DIGITS: Final = 2
_NOTHING: Final = "0.00"
_PAID: Final = "SUCCESS"
_BACK: Final = ("REFUND", "REVOKED")
# CHANGE: the customer's bank did not take it, and the money waits until we say where it shall go.
_REFUND_STATES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "SUCCESS": LineState.SUCCESS.value,
        "PROCESSING": LineState.PROCESSING.value,
        "CHANGE": LineState.PROCESSING.value,
        "FAIL": LineState.FAILED.value,
    }
)
# Plain text instead of members: a million rows are read a day.
_PAYMENT, _REFUND, _SUCCESS = LineKind.PAYMENT.value, LineKind.REFUND.value, LineState.SUCCESS.value


def read(stream: BinaryIO, told: Told) -> Iterator[Line]:
    bill = Ticked(stream)
    header = bill.header
    trade = _Trade(told, header)
    sums = {name: place for name, place in _SUMS.items() if place[0] in header}
    pick_sums = itemgetter(*(header.index(column) for column, _ in sums.values()))
    digits = [digits for _, digits in sums.values()]
    totals = [0] * len(digits)
    rows = 0
    for number, cells in bill.rows():
        rows += 1
        try:
            line = trade.line(number, cells)
            for place, cell in enumerate(pick_sums(cells)):
                if cell != _NOTHING:
                    totals[place] += decimal(cell, digits[place])
        except ValueError as problem:
            raise malformed(problem, line=number, header=header, cells=cells) from problem
        yield line
    found = dict(zip(sums, zip(totals, digits, strict=True), strict=True))
    bill.agree({"总交易单数": rows}, found)


class _Trade:
    """What is the same in every row is compared once and remembered."""

    def __init__(self, told: Told, header: Sequence[str]) -> None:
        self._told = told
        self._pick_whose = itemgetter(*positions(header, _WHOSE, line=1))
        self._pick = itemgetter(*positions(header, _COLUMNS, line=1))
        self._pick_refund = itemgetter(*positions(header, _REFUND_COLUMNS, line=1))
        self._known: set[tuple[str, ...]] = set()
        self._moment = Days(told, BEIJING).moment

    def line(self, number: int, cells: Sequence[str]) -> Line:
        whose = self._pick_whose(cells)
        if whose not in self._known:
            self._require_ours(whose, number)
        state, theirs, ours, subject, fee, asked, time, amount = self._pick(cells)
        happened_at = self._moment(asked or time, number)
        if state == _PAID:
            names = (_PAYMENT, identifier(ours), "", identifier(theirs), "")
            money, result = decimal(amount, 2), _SUCCESS
        elif state in _BACK:
            refund, our_refund, refunded, result = self._refund(cells)
            names = (_REFUND, identifier(our_refund), identifier(ours), identifier(refund), "")
            money = -decimal(refunded, 2)
        else:
            raise Unreadable(state, "a state of a trade")
        fields = (*names, money, decimal(fee, 5), whose[0], happened_at, result, cut(subject))
        return tuple.__new__(Line, (number, *fields))

    def _refund(self, cells: Sequence[str]) -> tuple[str, str, str, str]:
        refund, our_refund, refunded, state = self._pick_refund(cells)
        if not (our_refund and refund):
            raise Unreadable(our_refund, "the number of a refund")
        if state not in _REFUND_STATES:
            raise Unreadable(state, "a state of a refund")
        return refund, our_refund, refunded, _REFUND_STATES[state]

    def _require_ours(self, whose: tuple[str, ...], number: int) -> None:
        """A partner's bill names the partner and, beside it, the shop."""
        currency, merchant, sub_merchant = whose
        if merchant != self._told.merchant and sub_merchant.strip("0"):
            merchant = sub_merchant
        require_merchant(self._told, merchant, line=number)
        require_currency(self._told, currency, line=number)
        if exponent(currency) != _DIGITS:
            raise Unreadable(currency, "a currency with two decimals")
        self._known.add(whose)
