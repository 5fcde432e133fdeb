"""UnionPay's settlement file ACOMN: fixed width, sums in fen, times without a year. Pure.

It names no order of ours: `their_reference` is the retrieval reference number, the ninth to twentieth digit of the
query number by which the channel knows the movement. Card numbers are left where they are.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import BinaryIO, Final

from payments.channels.unionpay import naming, statement
from reconciliation.errors import StatementDamaged, StatementRowMalformed
from reconciliation.parsers.archives import Content, members
from reconciliation.parsers.contract import Format, Told
from reconciliation.parsers.fields import Days, Unreadable, identifier, malformed, require_merchant
from reconciliation.parsers.texts import lines_of
from reconciliation.rows import Line, LineKind, LineState

CHANNEL: Final = "unionpay"
_CURRENCY: Final = "CNY"
_MOST_MEMBERS: Final = 16
_KINDS: Final[Mapping[str, LineKind]] = MappingProxyType({"00": LineKind.PAYMENT, "20": LineKind.REFUND})
_APPROVED: Final = "00"
_THOUSANDTHS: Final = 1000


def _read(stream: BinaryIO, told: Told) -> Iterator[Line]:
    widths = told.widths or statement.WIDTHS
    days = Days(told)
    # One byte, one character: widths are of bytes, and names of shops are GBK.
    for number, text in enumerate(lines_of(_opened(stream), "latin-1", ended=True), 1):
        if not text:
            continue
        try:
            row = statement.row(text.encode("latin-1"), widths, number)
            line = _line(number, row, told)
        except statement.Unreadable as problem:
            raise StatementRowMalformed(
                f"{problem}: the file is damaged, or its columns are others than those in the settings.",
                line=number,
            ) from problem
        except ValueError as problem:
            raise malformed(problem, line=number, header=[*row], cells=[*row.values()]) from problem
        require_merchant(told, row["merchant"], line=number)
        days.require(naming.day_of(line.happened_at), number)
        yield line


def _opened(stream: BinaryIO) -> Content:
    """The archive holds files of other kinds, too."""
    found = members(stream, most=_MOST_MEMBERS)
    of_kind = [one.content for one in found if len(found) == 1 or statement.KIND in one.name]
    if len(of_kind) != 1:
        raise StatementDamaged(
            f"The archive holds {len(of_kind)} files of the kind {statement.KIND} instead of one."
        )
    return of_kind[0]


def _line(number: int, row: Mapping[str, str], told: Told) -> Line:
    kind = _KINDS.get(row["processing_code"][:2])
    if kind is None:
        raise Unreadable(row["processing_code"], "a kind of movement")
    amount, sign = _fen(row["amount"]), 1 if kind is LineKind.PAYMENT else -1
    return Line(
        number=number,
        kind=kind.value,
        reference="",
        parent="",
        their_reference=identifier(row["retrieval_reference"]),
        group="",
        amount=sign * amount,
        fee=(_fen(row["fee_payable"]) - _fen(row["fee_receivable"])) * _THOUSANDTHS,
        currency=_CURRENCY,
        happened_at=_moment(row["sent_at"], told),
        state=(LineState.SUCCESS if row["response"] == _APPROVED else LineState.FAILED).value,
        text="",
    )


def _fen(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise Unreadable(text, "a sum in fen")
    return int(text)


def _moment(text: str, told: Told) -> datetime:
    """The year that is not said: that of the file's day, or at New Year the one beside it."""
    years = (told.day.year, told.day.year - 1, told.last.year + 1)
    moments = (
        [naming.read_time(f"{year}{text}") for year in years] if text.isdecimal() and len(text) == 10 else []
    )
    found = [moment for moment in moments if moment is not None]
    if not found:
        raise Unreadable(text, "a time (MMDDhhmmss)")
    fitting = (moment for moment in found if told.covers(naming.day_of(moment)))
    return next(fitting, found[0])


def _is_settlement(name: str, text: str) -> bool:
    return statement.KIND in text.partition("\n")[0] or statement.KIND.lower() in name


FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {statement.KIND: Format(CHANNEL, statement.KIND, "UnionPay settlement", _read, _is_settlement)}
)
