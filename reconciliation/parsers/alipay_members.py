"""The zip of Alipay's bills: a detail, and beside it a summary whose last row must agree. Pure."""

from collections.abc import Mapping
from typing import BinaryIO, Final

from reconciliation.errors import StatementDamaged, StatementTotalsDiffer, StatementTruncated
from reconciliation.parsers.archives import Content, members
from reconciliation.parsers.contract import Told
from reconciliation.parsers.fields import count, loose_decimal, malformed
from reconciliation.parsers.framed import Framed

_SUMMARY: Final = "汇总"
_ALL: Final = "合计"


def opened(stream: BinaryIO) -> tuple[Content, Content | None]:
    """The detail, and the summary where there is one: a file that was unpacked by hand comes without."""
    found = members(stream, most=2)
    details = [one.content for one in found if _SUMMARY not in one.name]
    summaries = [one.content for one in found if _SUMMARY in one.name]
    if len(details) != 1:
        names = ", ".join(one.name[:60] for one in found)
        raise StatementDamaged(f"The archive must hold a detail and a summary, and it holds {names}.")
    return details[0], summaries[0] if summaries else None


def agree(content: Content, told: Told, counts: Mapping[str, int], sums: Mapping[str, int]) -> None:
    """Compares the summary's last row with what the detail's rows come to, where it has such columns.

    Sums are in fen and compared without their sign, which some writers leave out.
    """
    summary = Framed(content, told)
    last: dict[str, str] = {}
    line = 0
    for line, cells in summary.rows():  # noqa: B007 - the number of the last
        last = dict(zip(summary.header, cells, strict=False))
    if next(iter(last.values()), "").strip() != _ALL:
        raise StatementTruncated(
            "The summary has no row 合计: the file is cut off. Fetch it again.", line=line
        )
    try:
        for name, found in counts.items():
            if name in last and count(last[name]) != found:
                raise _differs(line, name, last[name], str(found))
        for name, total in sums.items():
            if name in last and abs(loose_decimal(last[name], 2)) != abs(total):
                raise _differs(line, name, last[name], f"{total} fen")
    except ValueError as problem:
        raise malformed(problem, line=line, header=[*last], cells=[*last.values()]) from problem


def _differs(line: int, name: str, told: str, found: str) -> StatementTotalsDiffer:
    return StatementTotalsDiffer(
        f"Line {line} of the summary says {name} is {told.strip()}, the rows come to {found}: fetch the file again.",
        line=line,
        column=name,
    )
