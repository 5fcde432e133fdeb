"""A number of a report, and how it names the journal lines that it is the sum of."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Self
from urllib.parse import urlencode

from ledger.errors import UnknownReport
from ledger.money import exponent
from ledger.rules import CHART, Kind, kind_of

_LONGEST_KEY = 100
# Days that reports are asked about; there is room on both sides to reckon with.
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2999, 12, 31)


class By(StrEnum):
    """What the lines of a report are told apart by."""

    WHOLE = ""
    DAY = "day"
    CHANNEL = "channel"
    ITEM = "item"
    ORDER = "order"
    AGE = "age"  # of what the channel still owes


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """`account` may be a head of the chart that ends in ":", for all accounts below it; empty, it is all of income and
    expense, or what `kind` says of it. `first` is the first day, empty for the beginning. `key` is the value of `by`.
    """

    currency: str
    last: date
    first: date | None = None
    account: str = ""
    kind: str = ""
    by: By = By.WHOLE
    key: str = ""
    credit: bool = False  # whether credits count as positive, as in every report of profit

    def __post_init__(self) -> None:
        exponent(self.currency)
        if self.account and (self.by == By.AGE or not self.account.endswith(":")):
            kind_of(self.account)
        if not self._is_sound():
            raise UnknownReport("There is no such number in any report.")

    def _is_sound(self) -> bool:
        return (
            self.kind in ("", Kind.INCOME, Kind.EXPENSE)
            and len(self.key) <= _LONGEST_KEY
            and "\x00" not in self.key
            and all(FIRST_DAY <= day <= LAST_DAY for day in (self.first, self.last) if day)
            and (not self.account.endswith(":") or self.account in CHART)
            and (self.by != By.AGE or bool(self.account))
        )

    @property
    def query(self) -> str:
        """The cell as the query of an address."""
        told = {
            "currency": self.currency,
            "first": self.first.isoformat() if self.first else "",
            "last": self.last.isoformat(),
            "account": self.account,
            "kind": self.kind,
            "by": self.by.value,
            "key": self.key,
            "credit": "1" if self.credit else "",
        }
        return urlencode({name: value for name, value in told.items() if value})

    @classmethod
    def told(cls, query: Mapping[str, str]) -> Self:
        """The cell of an address's query. Raises `UnknownReport` when it is none."""
        try:
            return cls(
                currency=query.get("currency", ""),
                first=date.fromisoformat(query["first"]) if query.get("first") else None,
                last=date.fromisoformat(query.get("last", "")),
                account=query.get("account", ""),
                kind=query.get("kind", ""),
                by=By(query.get("by", "")),
                key=query.get("key", ""),
                credit=bool(query.get("credit")),
            )
        except ValueError as problem:
            raise UnknownReport("There is no such number in any report.") from problem
