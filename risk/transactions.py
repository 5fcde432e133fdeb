"""Past payments with their outcomes, as training is told them; and how a file of them is read. Pure.

A file is CSV, gzipped if its name ends so: `at` (ISO 8601, UTC where it says none), `customer`, `terminal` (or
`merchant`), `amount` (major units) and `fraud` (0 or 1). Others of its columns are not looked at.
"""

import csv
import gzip
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import IO, NamedTuple, cast

from risk.history import DAY, mark

LABEL_DELAY_DAYS = 7


class Past(NamedTuple):
    """A try to pay of the past: ms since 1970, CNY minor units, marks by kind of entity, what it turned out to be.

    Each try is told to the histories, as it is online: who tries cards is known by the tries. What became of the
    payment belongs to its `last` try, and only that is learnt from.
    """

    at: int
    amount: int
    parties: Mapping[str, int]
    fraud: int = 0
    known_at: int = 0  # when the fraud was heard of
    last: bool = True
    proofs: tuple[tuple[int, bool], ...] = ()  # when a challenge about it ended, and whether it was passed
    verdicts: tuple[
        tuple[int, bool], ...
    ] = ()  # when it was heard to be a fraud, and none after all, if told so

    @property
    def heard(self) -> tuple[tuple[int, bool], ...]:
        """The verdicts, or that of a fraud which was heard of once."""
        return self.verdicts or (((self.known_at, True),) if self.fraud and self.known_at else ())

    @property
    def day(self) -> int:
        return self.at // DAY


class UnreadableTransactions(ValueError):
    """The file is not what this module reads; the message names the line."""


def known_after(at: int, delay_days: int = LABEL_DELAY_DAYS) -> int:
    """The start of the first day by which a payment of `at` is that many days old."""
    return (at // DAY + delay_days + 1) * DAY


def read(path: Path) -> list[Past]:
    """The payments of a file in the order of time. Raises UnreadableTransactions."""
    with _opened(path) as lines:
        return sorted(_parsed(csv.DictReader(lines)), key=lambda past: past.at)


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return cast("IO[str]", gzip.open(path, "rt", newline=""))
    return path.open(newline="")


def _parsed(rows: "csv.DictReader[str]") -> Iterator[Past]:
    names = set(rows.fieldnames or ())
    place = "terminal" if "terminal" in names else "merchant"
    if missing := {"at", "customer", place, "amount", "fraud"} - names:
        raise UnreadableTransactions(f"the file has no column {', '.join(sorted(missing))}")
    # Most customers come back to the same merchants: what is the same is kept once.
    pairs: dict[tuple[str, str], Mapping[str, int]] = {}
    for row in rows:
        try:
            at, amount, fraud = _moment(row["at"]), int(Decimal(row["amount"]) * 100), int(row["fraud"])
        except (ValueError, InvalidOperation) as error:
            raise UnreadableTransactions(f"line {rows.line_num}: {error}") from error
        pair = (row["customer"], row[place])
        parties = pairs.get(pair)
        if parties is None:
            parties = pairs[pair] = {"customer": mark(pair[0]), "merchant": mark(pair[1])}
        yield Past(at, amount, parties, fraud, known_after(at) if fraud else 0)


def _moment(text: str) -> int:
    moment = datetime.fromisoformat(text)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000)
