"""How a person says a bank's files are to be read, and how they look read that way."""

import re
from collections.abc import Mapping as Words
from dataclasses import fields
from io import BytesIO
from itertools import islice
from typing import Any, Final

from ledger.money import UnknownCurrency, exponent
from reconciliation.archive import as_mapping
from reconciliation.errors import MappingInvalid
from reconciliation.models import BankMapping
from reconciliation.models.bank_mapping import FORMATS
from reconciliation.parsers import Mapping, Told, format_of
from reconciliation.rows import Line

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,13}")
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
# What a mapping says that is no column's name.
_APART: Final = frozenset(
    ("date_format", "delimiter", "encoding", "decimal_comma", "skip_lines", "debit_words", "text")
)
COLUMNS: Final = tuple(one.name for one in fields(Mapping) if one.name not in _APART)
_SHOWN: Final = 5


def preview(*, told: Words[str, Any], content: bytes, day: Any) -> list[Line]:
    """This will read the first lines of a file as the mapping would, and keep nothing. Raises `StatementRefused`,
    `MappingInvalid`."""
    row = mapping_of(told)
    expected = Told(
        day=day,
        merchant=row.account,
        currency=row.currency,
        time_zone=row.time_zone,
        mapping=as_mapping(row) if row.format == "csv" else None,
    )
    return list(islice(format_of("bank", row.format).read(BytesIO(content), expected), _SHOWN))


def mapping_of(told: Words[str, Any]) -> BankMapping:
    """What a person said, as a row that is not kept yet. Raises `MappingInvalid`."""
    row = BankMapping(
        name=_said(told, "name").lower(),
        account=_said(told, "account").replace(" ", ""),
        currency=_said(told, "currency").upper(),
        format=_said(told, "format"),
        columns={name: said for name in COLUMNS if (said := _said(told, f"column_{name}"))},
        delimiter={"tab": "\t"}.get(_said(told, "delimiter"), _said(told, "delimiter") or ","),
        encoding=_said(told, "encoding") or "utf-8",
        date_format=_said(told, "date_format") or "%Y-%m-%d",
        decimal_comma=bool(told.get("decimal_comma")),
        skip_lines=int(_said(told, "skip_lines")) if _said(told, "skip_lines").isdecimal() else 0,
        time_zone=_said(told, "time_zone") or "UTC",
    )
    if texts := [name.strip() for name in _said(told, "text").split(",") if name.strip()]:
        row.columns["text"] = texts
    _check(row)
    return row


def _said(told: Words[str, Any], name: str) -> str:
    return str(told.get(name) or "").strip()


def _check(row: BankMapping) -> None:
    if not _NAME.fullmatch(row.name):
        raise MappingInvalid("A name is up to 14 small letters, digits and hyphens.", param="name")
    if not _ACCOUNT.fullmatch(row.account):
        raise MappingInvalid("Say the number of the account.", param="account")
    if row.format not in FORMATS:
        raise MappingInvalid("Choose the format of the bank's files.", param="format")
    if row.format == "csv" and not row.columns.get("date"):
        raise MappingInvalid("Name the column of the date.", param="date")
    if len(row.delimiter) != 1 or row.skip_lines > 1000:
        raise MappingInvalid(
            "The delimiter is one character, or tab; 1000 lines may be skipped.", param="delimiter"
        )
    try:
        exponent(row.currency)
    except UnknownCurrency as error:
        raise MappingInvalid("Say the account's currency, as EUR.", param="currency") from error
