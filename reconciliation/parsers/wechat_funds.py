"""WeChat Pay's fund flow: everything that moved on an account, fees and withdrawals as rows of their own. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from types import MappingProxyType
from typing import BinaryIO, Final

from reconciliation.parsers.contract import Told
from reconciliation.parsers.fields import (
    BEIJING,
    Days,
    Unreadable,
    cut,
    decimal,
    identifier,
    malformed,
)
from reconciliation.parsers.texts import positions
from reconciliation.parsers.ticked import Ticked
from reconciliation.rows import Line, LineKind, LineState

_COLUMNS: Final = (
    *("记账时间", "微信支付业务单号", "资金流水单号", "业务名称", "业务类型", "收支类型", "收支金额(元)"),
    *("备注?", "业务凭证号"),
)
_SIGNS: Final[Mapping[str, int]] = MappingProxyType({"收入": 1, "支出": -1})
_CURRENCY: Final = "CNY"
# Of these the business number is somebody else's: that of the payment, or of nothing.
_OWN_ROWS: Final = (LineKind.FEE, LineKind.OTHER)
# The first of these that the row's type or name contains: "退还交易手续费" is a fee, not a refund.
_KINDS: Final = (
    ("手续费", LineKind.FEE),
    ("退款退回", LineKind.REFUND_RETURNED),
    ("退款", LineKind.REFUND),
    ("提现", LineKind.PAYOUT),
    ("交易", LineKind.PAYMENT),
)


def read(stream: BinaryIO, told: Told) -> Iterator[Line]:
    bill = Ticked(stream)
    pick = itemgetter(*positions(bill.header, _COLUMNS, line=1))
    days = Days(told, BEIJING)
    earned, spent = [0, 0], [0, 0]
    for number, cells in bill.rows():
        try:
            line = _line(number, pick(cells), days)
        except ValueError as problem:
            raise malformed(problem, line=number, header=bill.header, cells=cells) from problem
        side = earned if line.amount > 0 else spent
        side[0], side[1] = side[0] + 1, side[1] + abs(line.amount)
        yield line
    bill.agree(
        {"资金流水总笔数": earned[0] + spent[0], "收入笔数": earned[0], "支出笔数": spent[0]},
        {"收入金额": (earned[1], 2), "支出金额": (spent[1], 2)},
    )


def _line(number: int, cells: Sequence[str], days: Days) -> Line:
    time, business, flow, name, sort, direction, amount, remark, voucher = cells
    if direction not in _SIGNS:
        raise Unreadable(direction, "收入 or 支出")
    kind = _kind(sort, name)
    ours, parent = identifier(voucher), ""
    if kind is LineKind.FEE:
        # It is taken of, or given back with, this movement.
        ours, parent = "", ours
    elif kind is LineKind.PAYOUT:
        ours = ""
    return Line(
        number=number,
        kind=kind.value,
        reference=ours,
        parent=parent,
        their_reference=identifier(flow if kind in _OWN_ROWS else business),
        group=identifier(business) if kind is LineKind.PAYOUT else "",
        amount=_SIGNS[direction] * decimal(amount, 2),
        fee=0,
        currency=_CURRENCY,
        happened_at=days.moment(time, number),
        state=LineState.SUCCESS.value,
        text=cut(f"{name} {remark}".strip()),
    )


def _kind(sort: str, name: str) -> LineKind:
    for said in (sort, name):
        for word, kind in _KINDS:
            if word in said:
                return kind
    return LineKind.OTHER
