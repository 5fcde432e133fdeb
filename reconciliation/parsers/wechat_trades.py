"""WeChat Pay's trade bill. Its three sorts (ALL, SUCCESS, REFUND) differ in columns only. Pure.

A refund is listed on the day it was accepted, with the state it had when the file was written. Amounts are those that
reach or leave our account: without what coupons of WeChat's paid.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    identifiers,
    loose_decimal,
    malformed,
    require_currency,
    require_merchant,
)
from reconciliation.parsers.plain import Plain, Shape, batches
from reconciliation.parsers.texts import numbered, positions
from reconciliation.parsers.ticked import BETWEEN, CELL, TEXT, TICK, Ticked
from reconciliation.rows import Batch, Line, LineKind, LineState, Payments

_WHOSE: Final = ("货币种类", "商户号", "特约商户号?")
_COLUMNS: Final = (
    *(
        "交易状态",
        "微信订单号",
        "商户订单号",
        "商品名称",
        "手续费",
        "退款申请时间?",
        "交易时间",
        "应结订单金额",
    ),
    # Where a sort of the bill lacks one, its sum is nothing, or that of its twin.
    *("退款金额?", "订单金额|应结订单金额", "申请退款金额|退款金额?", "充值券退款金额?"),
)
_REFUND_COLUMNS: Final = ("微信退款单号?", "商户退款单号?", "退款状态?")
_SORT: Final = ("交易状态", "退款申请时间?", "退款金额?", "申请退款金额|退款金额?", "充值券退款金额?")
_OF_PAYMENT: Final = (
    *("微信订单号", "商户订单号", "商品名称", "手续费", "交易时间", "应结订单金额"),
    "订单金额|应结订单金额",
)
_DIGITS: Final = 2
_NOTHING: Final = ("0.00", "")
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
    trades = _Trades(told, bill)
    for first, block in bill.blocks():
        yield from trades.lines(numbered(first, block))
    trades.agree()


def in_batches(stream: BinaryIO, told: Told) -> Iterator[Batch]:
    bill = Ticked(stream)
    trades = _Trades(told, bill)
    for first, block in bill.blocks():
        yield from batches(trades, first, block)
    trades.agree()


def _shape(
    width: int, theirs: int, ours: int, text: int, fee: int, time: int, amount: int, ordered: int
) -> Shape:
    return Shape(
        width=width,
        time=time,
        ours=ours,
        theirs=theirs,
        amount=amount,
        same_amount=ordered,
        fee=fee,
        text=text,
        cell=CELL,
        text_cell=TEXT,
        fee_cell=r"[0-9]{1,9}\.[0-9]{5}",
        thousandths=1,
        before=TICK,
        between=BETWEEN,
    )


class _Trades:
    """What is the same in every row is compared once and remembered; what the summary sums is summed."""

    def __init__(self, told: Told, bill: Ticked) -> None:
        header = bill.header
        self._told = told
        self._bill = bill
        self._rows = 0
        self.plain: Plain | None = None
        self._pick_whose = itemgetter(*positions(header, _WHOSE, line=1))
        self._pick = itemgetter(*positions(header, _COLUMNS, line=1))
        # What decides how a row is read, and is the same in almost all of them; and what is then left of a payment.
        self._sort_places = positions(header, (*_WHOSE, *_SORT), line=1)
        self._pick_sort = itemgetter(*self._sort_places)
        payment_places = positions(header, _OF_PAYMENT, line=1)
        self._pick_payment = itemgetter(*payment_places)
        self._sorts: set[tuple[str, ...]] = set()
        self._shape = _shape(len(header), *payment_places)
        self._pick_refund = itemgetter(*positions(header, _REFUND_COLUMNS, line=1))
        self._known: set[tuple[str, ...]] = set()
        self._moment = Days(told, BEIJING).moment
        self._paid = self._returned = self._fees = 0
        # What orders and refunds that were asked for are more than those that moved, and refunds of coupons.
        self._more_ordered = self._more_asked = self._coupons = 0

    def is_row(self, line: str) -> bool:
        return line[:1] == TICK

    def lines(self, rows: Iterable[tuple[int, str]]) -> Iterator[Line]:
        for number, cells in self._bill.rows_of(rows):
            self._rows += 1
            try:
                line = self._line(number, cells)
            except ValueError as problem:
                raise malformed(problem, line=number, header=self._bill.header, cells=cells) from problem
            yield line

    def add(self, payments: Payments, fees: int) -> None:
        self._rows += len(payments)
        self._paid += sum(payments.amounts)
        self._fees += fees

    def agree(self) -> None:
        self._bill.agree({"总交易单数": self._rows}, self._sums())

    def _line(self, number: int, cells: Sequence[str]) -> Line:
        sort = self._pick_sort(cells)
        if sort in self._sorts:
            theirs, ours, subject, fee, time, amount, ordered = self._pick_payment(cells)
            if ordered == amount:
                kept, paid = decimal(fee, 5), decimal(amount, 2)
                ours, theirs = identifiers(ours, theirs)
                happened_at = self._moment(time, number)
                self._fees += kept
                self._paid += paid
                fields = (number, _PAYMENT, ours, "", theirs, "", paid, kept, sort[0], happened_at, _SUCCESS)
                return tuple.__new__(Line, (*fields, cut(subject)))
        line = self._any_line(number, cells)
        _, _, _, state, asked, refunded, asked_back, coupon = sort
        if state == _PAID and not asked and asked_back == refunded in _NOTHING and coupon in _NOTHING:
            self._sorts.add(sort)
            fixed = dict(zip(self._sort_places, sort, strict=True))
            self.plain = self.plain or Plain(self._shape, fixed, line.currency, line.happened_at)
        return line

    def _any_line(self, number: int, cells: Sequence[str]) -> Line:
        whose = self._pick_whose(cells)
        if whose not in self._known:
            self._require_ours(whose, number)
        picked = self._pick(cells)
        state, theirs, ours, subject, fee, asked, time, amount, refunded, ordered, asked_back, coupon = picked
        if ordered != amount or asked_back != refunded or coupon not in _NOTHING:
            self._add_others(*picked[-5:])
        kept, paid = decimal(fee, 5), decimal(amount, 2)
        back = 0 if refunded in _NOTHING else decimal(refunded, 2)
        self._fees += kept
        self._paid += paid
        self._returned += back
        end = (kept, whose[0], self._moment(asked or time, number))
        if state == _PAID:
            ours, theirs = identifiers(ours, theirs)
            fields = (_PAYMENT, ours, "", theirs, "", paid, *end, _SUCCESS, cut(subject))
        elif state in _BACK:
            refund, our_refund, result = self._refund(cells)
            fields = (_REFUND, our_refund, identifier(ours), refund, "", -back, *end, result, cut(subject))
        else:
            raise Unreadable(state, "a state of a trade")
        return tuple.__new__(Line, (number, *fields))

    def _sums(self) -> dict[str, tuple[int, int]]:
        """What the summary must say, and its decimals."""
        return {
            "应结订单总金额": (self._paid, 2),
            "退款总金额": (self._returned, 2),
            "充值券退款总金额": (self._coupons, 2),
            "手续费总金额": (self._fees, 5),
            "订单总金额": (self._paid + self._more_ordered, 2),
            "申请退款总金额": (self._returned + self._more_asked, 2),
        }

    def _add_others(self, amount: str, refunded: str, ordered: str, asked_back: str, coupon: str) -> None:
        self._more_ordered += decimal(ordered, 2) - decimal(amount, 2)
        self._more_asked += loose_decimal(asked_back, 2) - loose_decimal(refunded, 2)
        self._coupons += loose_decimal(coupon, 2)

    def _refund(self, cells: Sequence[str]) -> tuple[str, str, str]:
        refund, our_refund, state = self._pick_refund(cells)
        if not (our_refund and refund):
            raise Unreadable(our_refund, "the number of a refund")
        if state not in _REFUND_STATES:
            raise Unreadable(state, "a state of a refund")
        refund, our_refund = identifiers(refund, our_refund)
        return refund, our_refund, _REFUND_STATES[state]

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
