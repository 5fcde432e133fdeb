"""Alipay's trade bill ("业务明细"): payments and refunds with the fee of each. Pure.

Amounts are what reaches or leaves our account: without what coupons of Alipay's paid. The fee's sign differs between
bills of different years, so it is taken from the row's kind: kept of a payment, given back with a refund.
"""

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any, BinaryIO, Final

from reconciliation.parsers import alipay_members
from reconciliation.parsers.contract import Told
from reconciliation.parsers.fields import BEIJING, Days, cut, identifier, loose_decimal, malformed
from reconciliation.parsers.framed import Framed
from reconciliation.parsers.texts import positions
from reconciliation.rows import Line, LineKind, LineState

_COLUMNS: Final = (
    *("业务类型", "支付宝交易号", "商户订单号", "商品名称", "商家实收(元)", "服务费(元)"),
    *("退款批次号/请求号", "完成时间", "创建时间?"),
)
# Those of the detail that the summary sums under the same name.
_SUMMED: Final = (
    *(
        "商家实收(元)",
        "服务费(元)",
        "订单金额(元)",
        "支付宝优惠(元)",
        "商家优惠(元)",
        "卡消费金额(元)",
        "分润(元)",
    ),
)
_PAID, _BACK = "交易", "退款"
_NOTHING: Final = "0.00"
_CURRENCY: Final = "CNY"
# A fee comes in fen, ours are thousandths of it.
_FEN: Final = 1000
_PAYMENT, _REFUND, _OTHER = LineKind.PAYMENT.value, LineKind.REFUND.value, LineKind.OTHER.value
_SUCCESS: Final = LineState.SUCCESS.value


def read(stream: BinaryIO, told: Told) -> Iterator[Line]:
    content, summary = alipay_members.opened(stream)
    detail = Framed(content, told)
    header = detail.header
    pick = itemgetter(*positions(header, _COLUMNS, line=detail.number))
    summed = [name for name in _SUMMED if name in header]
    pick_sums = itemgetter(*(header.index(name) for name in summed))
    sums = [0] * len(summed)
    totals = {_PAYMENT: [0, 0], _REFUND: [0, 0], _OTHER: [0, 0]}
    days = Days(told, BEIJING)
    for cells in detail.rows():
        try:
            line = _line(detail.number, pick(cells), days)
            for place, cell in enumerate(pick_sums(cells)):
                if cell != _NOTHING:
                    sums[place] += loose_decimal(cell, 2)
        except ValueError as problem:
            raise malformed(problem, line=detail.number, header=header, cells=cells) from problem
        total = totals[line.kind]
        total[0] += 1
        total[1] += line.amount
        yield line
    paid, back = totals[_PAYMENT], totals[_REFUND]
    detail.agree({_PAID: (paid[0], paid[1]), _BACK: (back[0], back[1])})
    if summary is not None:
        counts = {"交易订单总笔数": paid[0], "退款订单总笔数": back[0]}
        alipay_members.agree(summary, told, counts, dict(zip(summed, sums, strict=True)))


def _line(number: int, cells: Sequence[Any], days: Days) -> Line:
    kind, theirs, ours, subject, amount, fee, number_of_refund, ended, created = cells
    money, kept = loose_decimal(amount, 2), abs(loose_decimal(fee, 2)) * _FEN
    moved = (_CURRENCY, days.moment(ended.strip() or created, number), _SUCCESS, cut(subject))
    kind = kind.strip()
    if kind == _PAID:
        found: tuple[Any, ...] = (_PAYMENT, identifier(ours), "", identifier(theirs), "", money, kept)
    elif kind == _BACK:
        names = (identifier(number_of_refund), identifier(ours), identifier(theirs), "")
        found = (_REFUND, *names, -abs(money), -kept)
    else:
        found = (_OTHER, identifier(ours), "", identifier(theirs), "", money, kept)
    return tuple.__new__(Line, (number, *found, *moved))
