"""The lines of a statement that was found whole, read again from its bytes; and whose a bank's statements are."""

from collections.abc import Collection, Iterator
from datetime import timedelta
from itertools import islice
from typing import Any, BinaryIO

from django.conf import settings
from django.db.models import Q

from payments.booked import names_behind
from reconciliation.models import BankMapping, OpenItem, StatementFile
from reconciliation.parsers import Mapping, Told, format_of
from reconciliation.parsers.contract import Format
from reconciliation.rows import Batch, Line
from reconciliation.staging.archive import opened
from reconciliation.states import Side
from reconciliation.terms import terms_of

BANK = "bank"
_BATCH = 2048


def lines_of(file: StatementFile) -> Iterator[Line]:
    """Every line, in the order of the file, with flat memory. None of an empty day's."""
    if not file.size:
        return
    with opened(file) as stream:
        yield from read(file, stream)


def read(file: StatementFile, stream: BinaryIO) -> Iterator[Line]:
    """The lines of the stream, which is about what the file is about. Raises a `StatementRefused`."""
    return reader(file.channel, file.kind).read(stream, _told(file))


def read_in_batches(file: StatementFile, stream: BinaryIO) -> Iterator[Batch]:
    """The same lines, many at once, and the quickest way to them."""
    found = reader(file.channel, file.kind)
    if found.in_batches:
        yield from found.in_batches(stream, _told(file))
        return
    lines = found.read(stream, _told(file))
    while batch := list(islice(lines, _BATCH)):
        yield batch


def _told(file: StatementFile) -> Told:
    terms, row = terms_of(file.channel), account_row(file.channel)
    return Told(
        day=file.day_on,
        merchant=row.account if row else terms.merchant,
        currency=row.currency if row else terms.currency,
        time_zone=row.time_zone if row else str(terms.zone),
        mapping=as_mapping(row) if row and row.format == "csv" else None,
        widths=tuple(settings.UNIONPAY.get("statement_widths", ())),
    )


def reader(channel: str, kind: str) -> Format:
    """Raises `StatementFormatUnknown`."""
    return format_of(BANK if is_bank(channel) else channel, kind)


def batches_of(file: StatementFile, size: int) -> Iterator[list[Line]]:
    lines = lines_of(file)
    while batch := list(islice(lines, size)):
        yield batch


def named_batches_of(file: StatementFile, size: int) -> Iterator[list[Line]]:
    """The same, with our names in lines that name nothing of ours and whose own names we know."""
    terms = terms_of(file.channel)
    slack = timedelta(days=terms.late_days + 1)
    begin, end = terms.window(file.day_on)
    for batch in batches_of(file, size):
        unnamed = {line.their_reference for line in batch if not (line.reference or line.parent)} - {""}
        ours = names_behind(file.channel, unnamed, begin - slack, end + slack) if unnamed else {}
        if unnamed - {name for _, name in ours}:
            ours |= _names_of_other_days(file, unnamed)
        yield [
            line._replace(reference=line.reference or ours.get((line.kind, line.their_reference), ""))
            for line in batch
        ]


def _names_of_other_days(file: StatementFile, theirs: Collection[str]) -> dict[tuple[str, str], str]:
    """Of lines that came later, or earlier, than they may: what matching found them to be."""
    items = OpenItem.objects.exclude(cleared_file=None)
    explained_by = items.filter(file=file, side=Side.THEIRS).values("cleared_file")
    found = items.filter(Q(cleared_file=file) | Q(cleared_file__in=explained_by), side=Side.OURS)
    rows = found.filter(their_reference__in=theirs).values_list("kind", "their_reference", "reference")
    return {(kind, name): ours for kind, name, ours in rows}


def is_bank(channel: str) -> bool:
    """Whether its statements are those of a bank account: the feed's own ("bank"), or an account's with a mapping."""
    return channel == BANK or channel.startswith(f"{BANK}:")


def account_row(channel: str) -> BankMapping | None:
    """Of the account whose statements are "bank:<name>"."""
    name = channel.partition(":")[2]
    return BankMapping.objects.filter(name=name).first() if name else None


def account_of(channel: str) -> str:
    """The number of the account that the statements "bank" or "bank:<name>" are about."""
    if channel == BANK:
        return str(settings.BANK["account"] or "main")
    return BankMapping.objects.get(name=channel.partition(":")[2]).account


def as_mapping(row: BankMapping) -> Mapping:
    columns: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in row.columns.items()
    }
    return Mapping(
        **columns,
        delimiter=row.delimiter,
        encoding=row.encoding,
        date_format=row.date_format,
        decimal_comma=row.decimal_comma,
        skip_lines=row.skip_lines,
    )
