from collections.abc import Sequence

from django.db import connection

from reconciliation.archive import account_of
from reconciliation.models import BankLine, StatementFile
from reconciliation.rows import Line, LineState
from reconciliation.services.doubt_bank_line import doubt_bank_line
from reconciliation.states import BankLineState


def take_bank_lines(*, file: StatementFile, lines: Sequence[Line], first: int, is_last: bool = False) -> None:
    """This will keep the booked lines of a bank's statement, each once; `first` is the place of the first of them.

    Of a file that corrects another, lines that are the same stay what they were explained as; at the end (`is_last`)
    those that it does not have are undone. An operation: needs an open transaction; locks the lines of the old file.
    """
    assert connection.in_atomic_block, "take_bank_lines() is an operation"
    account = account_of(file.channel)
    rows = [
        _row(file, account, place, line)
        for place, line in enumerate(lines, first)
        if line.state == LineState.SUCCESS.value and line.amount
    ]
    if file.supersedes is not None:
        rows = _not_taken_over(file, rows)
    BankLine.objects.bulk_create(rows, ignore_conflicts=True)
    if is_last and file.supersedes is not None:
        for old in BankLine.objects.locked().filter(file=file.supersedes).exclude(state=BankLineState.GONE):
            doubt_bank_line(line=old)
            old.vanish()
            old.store()


def _row(file: StatementFile, account: str, place: int, line: Line) -> BankLine:
    return BankLine(
        file=file,
        line=place,
        account=account,
        amount=line.amount,
        currency=line.currency,
        booked_on=file.day_on,
        booked_at=line.happened_at,
        their_reference=line.their_reference[:100],
        reference=line.reference[:100],
        grp=line.group[:100],
        text=line.text[:200],
    )


def _not_taken_over(file: StatementFile, rows: Sequence[BankLine]) -> list[BankLine]:
    """The lines that the old file does not have; the others are its rows, under this file's name from now on."""
    old = BankLine.objects.locked().filter(file=file.supersedes).exclude(state=BankLineState.GONE)
    known: dict[tuple[object, ...], list[BankLine]] = {}
    for row in old.filter(their_reference__in={row.their_reference for row in rows}):
        known.setdefault(_content(row), []).append(row)
    taken = set(BankLine.objects.filter(file=file).values_list("line", flat=True))
    new = []
    for row in rows:
        if row.line in taken:
            continue
        same = known.get(_content(row))
        if same:
            found = same.pop(0)
            found.file, found.line = file, row.line
            found.store()
        else:
            new.append(row)
    return new


def _content(row: BankLine) -> tuple[object, ...]:
    return row.their_reference, row.amount, row.currency, row.booked_on, row.text
