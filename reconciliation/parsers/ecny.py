"""The digital yuan's bill, as the gateway's generic profile has it: CSV in fen, Beijing's time. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from types import MappingProxyType
from typing import BinaryIO, Final

from reconciliation.parsers.archives import single
from reconciliation.parsers.contract import Format, Told
from reconciliation.parsers.fields import (
    BEIJING,
    Days,
    Unreadable,
    decimal,
    identifier,
    malformed,
    wrong_width,
    zoned_moment,
)
from reconciliation.parsers.texts import Table, lines_of, normalised, positions
from reconciliation.rows import Line, LineKind, LineState

CHANNEL: Final = "ecny"
_COLUMNS: Final = ("time", "kind", "out_trade_no", "trade_no", "out_refund_no", "refund_no", "amount", "fee")
_CURRENCY: Final = "CNY"
_THOUSANDTHS: Final = 1000


def _read(stream: BinaryIO, told: Told) -> Iterator[Line]:
    table = Table(lines_of(single(stream), "utf-8", ended=True))
    rows = table.rows()
    header = [normalised(name) for name in next(rows, [])]
    pick = itemgetter(*positions(header, _COLUMNS, line=1))
    days = Days(told)
    for cells in rows:
        if not cells:
            continue
        if len(cells) != len(header):
            raise wrong_width(len(cells), len(header), line=table.number)
        try:
            line = _line(table.number, pick(cells))
        except ValueError as problem:
            raise malformed(problem, line=table.number, header=header, cells=cells) from problem
        days.require(line.happened_at.date(), table.number)
        yield line


def _line(number: int, cells: Sequence[str]) -> Line:
    time, sort, order, trade, our_refund, refund, amount, fee = cells
    if sort not in (LineKind.PAYMENT, LineKind.REFUND):
        raise Unreadable(sort, "payment or refund")
    is_payment = sort == LineKind.PAYMENT
    money = decimal(amount, 0)
    if (money > 0) is not is_payment:
        raise Unreadable(amount, f"the amount of a {sort}")
    return Line(
        number=number,
        kind=sort,
        reference=identifier(order if is_payment else our_refund),
        parent="" if is_payment else identifier(order),
        their_reference=identifier(trade if is_payment else refund),
        group="",
        amount=money,
        fee=decimal(fee, 0) * _THOUSANDTHS,
        currency=_CURRENCY,
        happened_at=zoned_moment(time).astimezone(BEIJING),
        state=LineState.SUCCESS.value,
        text="",
    )


def _is_bill(name: str, text: str) -> bool:
    return text.startswith("time,kind,out_trade_no,trade_no")


FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {"trade": Format(CHANNEL, "trade", "e-CNY bill", _read, _is_bill)}
)
