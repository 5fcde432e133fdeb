"""Alipay's trade bill ("业务明细"): payments and refunds with the fee of each. Pure.

Amounts are what reaches or leaves our account: without what coupons of Alipay's paid. The fee's sign differs between
bills of different years, so it is taken from the row's kind: kept of a payment, given back with a refund.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from operator import itemgetter
from typing import BinaryIO, Final

from reconciliation.parsers import alipay_members
from reconciliation.parsers.archives import Content
from reconciliation.parsers.contract import Told
from reconciliation.parsers.fields import BEIJING, Days, cut, identifier, loose_decimal, malformed
from reconciliation.parsers.framed import CELL, NOTE, Framed
from reconciliation.parsers.plain import Plain, Shape, batches
from reconciliation.parsers.texts import positions
from reconciliation.rows import Batch, Line, LineKind, LineState, Payments

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
    for number, cells in detail.rows():
        yield trades.line(number, cells)
    trades.agree(summary)


def in_batches(stream: BinaryIO, told: Told) -> Iterator[Batch]:
    content, summary = alipay_members.opened(stream)
    detail = Framed(content, told)
    trades = _Trades(told, detail)
    for stretch in detail.stretches():
        if isinstance(stretch, tuple):
            yield from batches(trades, *stretch)
        else:
            yield [trades.line(number, cells) for number, cells in stretch]
    trades.agree(summary)


class _Trades:
    """Rows as lines, and what the totals speak of: counts and sums of payments and of refunds, and of every column."""

    def __init__(self, told: Told, detail: Framed) -> None:
        header = detail.header
        self._told = told
        self._detail = detail
        self.plain: Plain | None = None
        self._places = positions(header, _COLUMNS, line=detail.header_line)
        self._pick = itemgetter(*self._places)
        self._others = [name for name in _OTHERS if name in header]
        # One more than there are, so that it always picks several.
        self._pick_others = itemgetter(len(header), len(header), *map(header.index, self._others))
        self._nothing = ("", "", *("0.00" for _ in self._others))
        self._other_sums = dict.fromkeys(self._others, 0)
        self._moment = Days(told, BEIJING).moment
        self._received = self._ordered = self._fees = 0
        self._paid, self._back = [0, 0], [0, 0]

    def is_row(self, line: str) -> bool:
        return True  # or a note, which may stand between rows

    def lines(self, rows: Iterable[tuple[int, str]]) -> Iterator[Line]:
        for number, text in rows:
            if row := self._detail.row(number, text):
                yield self.line(*row)

    def line(self, number: int, cells: Sequence[str]) -> Line:
        try:
            return self._line(number, cells)
        except ValueError as problem:
            raise malformed(problem, line=number, header=self._detail.header, cells=cells) from problem

    def add(self, payments: Payments, fees: int) -> None:
        received = sum(payments.amounts)
        self._received += received
        self._ordered += received
        self._fees += fees
        self._paid[0] += len(payments)
        self._paid[1] += received

    def agree(self, summary: Content | None) -> None:
        self._detail.agree({_PAID: (self._paid[0], self._paid[1]), _BACK: (self._back[0], self._back[1])})
        if summary is not None:
            counts = {"交易订单总笔数": self._paid[0], "退款订单总笔数": self._back[0]}
            alipay_members.agree(summary, self._told, counts, self._sums())

    def _line(self, number: int, cells: Sequence[str]) -> Line:
        sort, theirs, ours, subject, amount, fee, ordered, refund, ended, created = self._pick(cells)
        money, kept = loose_decimal(amount, 2), loose_decimal(fee, 2)
        self._received += money
        self._ordered += money if ordered == amount else loose_decimal(ordered, 2)
        self._fees += kept
        others = self._pick_others(cells)
        if others != self._nothing:
            self._add_others(others[2:])
        ours, theirs, kept, kind = identifier(ours), identifier(theirs), abs(kept) * _FEN, sort.strip()
        side: list[int] | None = None
        if kind == _PAID:
            side, names = self._paid, (_PAYMENT, ours, "", theirs, "")
        elif kind == _BACK:
            money, kept = -abs(money), -kept
            side, names = self._back, (_REFUND, identifier(refund), ours, theirs, "")
        else:
            names = (_OTHER, ours, "", theirs, "")
        if side is not None:
            side[0] += 1
            side[1] += money
        happened_at = self._moment(ended or created, number)
        if kind == _PAID and ended and others == self._nothing:
            self.plain = self.plain or self._plain(sort, happened_at)
        return tuple.__new__(
            Line, (number, *names, money, kept, _CURRENCY, happened_at, _SUCCESS, cut(subject))
        )

    def _sums(self) -> dict[str, int]:
        """By the name of the column."""
        loaded = {"商家实收(元)": self._received, "订单金额(元)": self._ordered, "服务费(元)": self._fees}
        return loaded | self._other_sums

    def _plain(self, sort: str, happened_at: datetime) -> Plain:
        kind, theirs, ours, text, amount, fee, ordered, _, ended, _ = self._places
        shape = Shape(
            width=len(self._detail.header),
            time=ended,
            ours=ours,
            theirs=theirs,
            amount=amount,
            same_amount=ordered,
            fee=fee,
            text=text,
            cell=CELL,
            text_cell=CELL,
            fee_cell=r"-?[0-9]{1,12}\.[0-9]{2}",
            thousandths=_FEN,
            before=f"(?!{NOTE})",
            loose="\t?",
        )
        nothing = {self._detail.header.index(name): "0.00" for name in self._others}
        return Plain(shape, {kind: sort, **nothing}, _CURRENCY, happened_at)

    def _add_others(self, cells: Sequence[str]) -> None:
        for name, cell in zip(self._others, cells, strict=True):
            self._other_sums[name] += loose_decimal(cell, 2)
