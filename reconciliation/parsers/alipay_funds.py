"""Alipay's fund bill ("账务明细"): everything that moved on the account, with the balance after each row. Pure."""

import re
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import BinaryIO, Final

from reconciliation.parsers import alipay_members
from reconciliation.parsers.chain import Chain
from reconciliation.parsers.contract import Told
from reconciliation.parsers.fields import BEIJING, Days, Unreadable, cut, identifier, loose_decimal, malformed
from reconciliation.parsers.framed import Framed
from reconciliation.parsers.texts import positions
from reconciliation.rows import Line, LineKind, LineState

_COLUMNS: Final = (
    *(
        "账务流水号",
        "业务流水号",
        "商户订单号",
        "商品名称",
        "发生时间",
        "收入金额(+元)|收入金额(元)|收入(+元)",
    ),
    *("支出金额(-元)|支出金额(元)|支出(-元)", "账户余额(元)", "业务类型", "备注?"),
)
# The first that the row's kind contains: a fee that is given back is no refund.
_KINDS: Final = (
    ("收费", LineKind.FEE),
    ("服务费", LineKind.FEE),
    ("手续费", LineKind.FEE),
    ("退费", LineKind.FEE),
    ("提现", LineKind.PAYOUT),
    ("退款", LineKind.REFUND),
    ("在线支付", LineKind.PAYMENT),
    ("交易", LineKind.PAYMENT),
)
_REFUND_NUMBER: Final = re.compile(r"\bref_[0-9a-z]{26}\b")
_CURRENCY: Final = "CNY"


def read(stream: BinaryIO, told: Told) -> Iterator[Line]:
    content, summary = alipay_members.opened(stream)
    detail = Framed(content, told)
    pick = itemgetter(*positions(detail.header, _COLUMNS, line=detail.header_line))
    days, chain = Days(told, BEIJING), Chain()
    earned, spent = [0, 0], [0, 0]
    for number, cells in detail.rows():
        picked = pick(cells)
        try:
            line = _line(number, picked, days)
            chain.add(line.amount, loose_decimal(picked[7], 2), line=number)
        except ValueError as problem:
            raise malformed(problem, line=number, header=detail.header, cells=cells) from problem
        side = earned if line.amount > 0 else spent
        side[0], side[1] = side[0] + 1, side[1] + line.amount
        yield line
    detail.agree({"支出": (spent[0], spent[1]), "收入": (earned[0], earned[1])})
    if summary is not None:
        sums = dict.fromkeys(("收入金额(+元)", "收入金额(元)", "收入金额"), earned[1])
        sums |= dict.fromkeys(("支出金额(-元)", "支出金额(元)", "支出金额"), spent[1])
        sums |= dict.fromkeys(("总金额(元)", "总金额"), earned[1] + spent[1])
        alipay_members.agree(summary, told, {"收入笔数": earned[0], "支出笔数": spent[0]}, sums)


def _line(number: int, cells: Sequence[str], days: Days) -> Line:
    flow, business, order, subject, time, income, expense, _, sort, remark = cells
    earned, spent = abs(loose_decimal(income, 2)), abs(loose_decimal(expense, 2))
    if bool(earned) == bool(spent):
        raise Unreadable(income, "the only amount of the row")
    kind = next((kind for word, kind in _KINDS if word in sort), LineKind.OTHER)
    reference, parent = identifier(order), ""
    if kind is LineKind.REFUND:
        named = _REFUND_NUMBER.search(remark)
        reference, parent = named[0] if named else "", reference
    elif kind is LineKind.FEE:
        # It is taken of, or given back with, this movement.
        reference, parent = "", reference
    has_own_number = kind not in (LineKind.PAYMENT, LineKind.REFUND)
    return Line(
        number=number,
        kind=kind.value,
        reference=reference,
        parent=parent,
        their_reference=identifier(flow if has_own_number else business),
        group=identifier(business) if kind is LineKind.PAYOUT else "",
        amount=earned - spent,
        fee=0,
        currency=_CURRENCY,
        happened_at=days.moment(time.strip(), number),
        state=LineState.SUCCESS.value,
        text=cut(f"{sort.strip()} {subject.strip()}"),
    )
