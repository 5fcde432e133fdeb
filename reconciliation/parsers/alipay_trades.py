"""Alipay's trade bill ("业务明细"): payments and refunds with the fee of each. Pure.

Amounts are what reaches or leaves our account: without what coupons of Alipay's paid. The fee's sign differs between
bills of different years, so it is taken from the row's kind: kept of a payment, given back with a refund.
"""

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import BinaryIO, Final

from reconciliation.parsers import alipay_members
from reconciliation.parsers.contract import Told
from reconciliation.parsers.fields import BEIJING, Days, cut, identifier, loose_decimal, malformed
from reconciliation.parsers.framed import Framed
from reconciliation.parsers.texts import positions
from reconciliation.rows import Line, LineKind, LineState

_COLUMNS: Final = (
    *(
        "业务类型",
        "支付宝交易号",
        "商户订单号",
        "商品名称",
        "商家实收(元)",
        "服务费(元)",
        "订单金额(元)|商家实收(元)",
    ),
    *("退款批次号/请求号", "完成时间", "创建时间?"),
)
# More that the summary sums under the same name, and that is nothing in almost every row.
_OTHERS: Final = ("支付宝优惠(元)", "商家优惠(元)", "卡消费金额(元)", "分润(元)")
_PAID, _BACK = "交易", "退款"
_CURRENCY: Final = "CNY"
# A fee comes in fen, ours are thousandths of it.
_FEN: Final = 1000
_PAYMENT, _REFUND, _OTHER = LineKind.PAYMENT.value, LineKind.REFUND.value, LineKind.OTHER.value
_SUCCESS: Final = LineState.SUCCESS.value


def read(stream: BinaryIO, told: Told) -> Iterator[Line]:
    content, summary = alipay_members.opened(stream)
    detail = Framed(content, told)
    trades = _Trades(told, detail)
    for cells in detail.rows():
        try:
            line = trades.line(detail.number, cells)
        except ValueError as problem:
            raise malformed(problem, line=detail.number, header=detail.header, cells=cells) from problem
        yield line
    detail.agree({_PAID: (trades.paid[0], trades.paid[1]), _BACK: (trades.back[0], trades.back[1])})
    if summary is not None:
        counts = {"交易订单总笔数": trades.paid[0], "退款订单总笔数": trades.back[0]}
        alipay_members.agree(summary, told, counts, trades.sums())


class _Trades:
    """Rows as lines, and what the totals speak of: counts and sums of payments and of refunds, and of every column."""

    def __init__(self, told: Told, detail: Framed) -> None:
        header = detail.header
        self._pick = itemgetter(*positions(header, _COLUMNS, line=detail.number))
        self._others = [name for name in _OTHERS if name in header]
        # One more than there are, so that it always picks several.
        self._pick_others = itemgetter(len(header), len(header), *map(header.index, self._others))
        self._nothing = ("", "", *("0.00" for _ in self._others))
        self._other_sums = dict.fromkeys(self._others, 0)
        self._moment = Days(told, BEIJING).moment
        self._received = self._ordered = self._fees = 0
        self.paid, self.back = [0, 0], [0, 0]

    def line(self, number: int, cells: Sequence[str]) -> Line:
        kind, theirs, ours, subject, amount, fee, ordered, refund, ended, created = self._pick(cells)
        money, kept = loose_decimal(amount, 2), loose_decimal(fee, 2)
        self._received += money
        self._ordered += money if ordered == amount else loose_decimal(ordered, 2)
        self._fees += kept
        others = self._pick_others(cells)
        if others != self._nothing:
            self._add_others(others[2:])
        ours, theirs, kept, kind = identifier(ours), identifier(theirs), abs(kept) * _FEN, kind.strip()
        side: list[int] | None = None
        if kind == _PAID:
            side, names = self.paid, (_PAYMENT, ours, "", theirs, "")
        elif kind == _BACK:
            money, kept = -abs(money), -kept
            side, names = self.back, (_REFUND, identifier(refund), ours, theirs, "")
        else:
            names = (_OTHER, ours, "", theirs, "")
        if side is not None:
            side[0] += 1
            side[1] += money
        happened_at = self._moment(ended or created, number)
        return tuple.__new__(
            Line, (number, *names, money, kept, _CURRENCY, happened_at, _SUCCESS, cut(subject))
        )

    def sums(self) -> dict[str, int]:
        """By the name of the column."""
        loaded = {"商家实收(元)": self._received, "订单金额(元)": self._ordered, "服务费(元)": self._fees}
        return loaded | self._other_sums

    def _add_others(self, cells: Sequence[str]) -> None:
        for name, cell in zip(self._others, cells, strict=True):
            self._other_sums[name] += loose_decimal(cell, 2)
