"""The trade bill that WeChat writes of what happened there, row by row. Knows nothing of the program."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

BEIJING = timezone(timedelta(hours=8))
NOON = datetime(2026, 3, 2, 12, tzinfo=BEIJING)
_HEADER = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,"
    "代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
)
_SUMMARY = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A payment (`refund` empty) or a refund, as WeChat lists it. Amounts are fen and positive, fees thousandths."""

    order: str  # att_…
    amount: int
    fee: int = 0
    at: datetime = NOON
    theirs: str = ""
    refund: str = ""  # ref_…
    state: str = "SUCCESS"
    currency: str = "CNY"
    text: str = "Tea"


def paid(order: str, amount: int = 10_000, **more: Any) -> Row:
    return Row(
        order=order,
        amount=amount,
        **{"fee": fee_of(amount), "theirs": f"4200{order[-20:]}", **more},
    )


def sent_back(refund: str, order: str, amount: int = 1_000, **more: Any) -> Row:
    return Row(
        order=order,
        refund=refund,
        amount=amount,
        **{"fee": -fee_of(amount), "theirs": f"5030{refund[-20:]}", **more},
    )


def fee_of(amount: int) -> int:
    return (amount * 54 + 5000) // 10_000 * 1000


def bill_pieces(rows: Iterable[Row], mchid: str) -> Iterator[bytes]:
    """The same, line by line: however many there are."""
    count = paid = back = fees = 0
    yield f"\ufeff{_HEADER}\r\n".encode()
    for row in rows:
        count, fees = count + 1, fees + row.fee
        if row.refund:
            back += row.amount
        else:
            paid += row.amount
        yield f"{_line(row, mchid)}\r\n".encode()
    sums = [str(count), _fen(paid), _fen(back), "0.00", _thousandths(fees), _fen(paid), _fen(back)]
    yield f"{_SUMMARY}\r\n{_ticked(sums)}\r\n".encode()


def _line(row: Row, mchid: str) -> str:
    back = bool(row.refund)
    at = row.at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
    amount, zero = _fen(row.amount), "0.00"
    return _ticked(
        [
            *(at, "wx1", mchid, "0", "", f"4200{row.order[-20:]}" if back else row.theirs),
            *(row.order, "payer", "NATIVE", "REFUND" if back else "SUCCESS", "OTHERS", row.currency),
            *(zero if back else amount, zero, row.theirs if back else "0", row.refund or "0"),
            *(amount if back else zero, zero, "ORIGINAL" if back else "", row.state if back else ""),
            *(row.text, "", _thousandths(row.fee), "0.54%", zero if back else amount),
            *(amount if back else zero, ""),
        ]
    )


def _ticked(cells: list[str]) -> str:
    return ",".join(f"`{cell}" for cell in cells)


def _fen(amount: int) -> str:
    return f"{amount // 100}.{amount % 100:02d}"


def _thousandths(fee: int) -> str:
    sign = "-" if fee < 0 else ""
    return f"{sign}{abs(fee) // 100_000}.{abs(fee) % 100_000:05d}"
