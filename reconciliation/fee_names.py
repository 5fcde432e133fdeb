"""Under which business key the fee of a statement's line is posted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from ledger.facts import TransactionView
from ledger.money import Money
from ledger.postings import transactions_by_key
from reconciliation.rows import Line
from reconciliation.rules import rounded


class Fee(NamedTuple):
    key: str
    reference: str  # of what was paid
    amount: Money
    happened_at: datetime
    words: str


class FeeNames:
    """Keys for the lines of one file, batch by batch in its order; for the same file the same ones every time.

    "att_…:fee" is the first line's of a movement. Others of it (captures in parts, what a correction tells otherwise)
    have behind it their time and their currency, where these are not the first one's, and of several at one time the
    later ones their number. One that is `alone` is asked for without the other lines of its file.
    """

    def __init__(self, version: int, *, alone: bool = False) -> None:
        self.version = version
        self.given: set[str] = set()  # kept of corrected files only, which are few
        self._alone = alone
        self._before: set[str] = set()  # of the batch before this one: lines of one time lie side by side

    def fees_of(self, lines: Sequence[Line], orders: Mapping[str, str]) -> list[Fee]:
        """What was kept of each line; `orders` by their references."""
        keys = self._keys(lines)
        return [
            Fee(
                key=keys[line.number],
                reference=orders.get(line.reference, ""),
                amount=Money(rounded(line.fee), line.currency),
                happened_at=line.happened_at,
                words=line.their_reference,
            )
            for line in lines
        ]

    def _keys(self, lines: Sequence[Line]) -> dict[int, str]:
        """By the line's number."""
        wanted = self._wanted(lines)
        counts = Counter(wanted.values())
        taken = counts.keys() & self._before
        if self._alone:
            taken |= current(list(counts), self.version).keys()
        shared = {
            number: f"{key}:{number}" for number, key in wanted.items() if counts[key] > 1 or key in taken
        }
        posted = current(list(shared.values()), self.version)
        names = {}
        for number, key in wanted.items():
            own = shared.get(number, "")
            names[number] = own if own in posted or key in taken else key
            taken.add(names[number])
        self._before = {*wanted.values(), *names.values()}
        if self.version > 1:
            self.given.update(names.values())
        return names

    def _wanted(self, lines: Sequence[Line]) -> dict[int, str]:
        posted = transactions_by_key([f"{line.reference}:fee" for line in lines])
        first = {key: (view.happened_at, view.entries[0].amount.currency) for key, view in posted.items()}
        wanted = {}
        for line in lines:
            key = f"{line.reference}:fee"
            at, currency = first.setdefault(key, (line.happened_at, line.currency))
            if at != line.happened_at:
                key = f"{key}:{line.happened_at:%Y%m%d%H%M%S}"
            if currency != line.currency:
                key = f"{key}:{line.currency}"
            wanted[line.number] = key
        return wanted


def in_version(key: str, version: int) -> str:
    """A corrected file posts what it tells otherwise under the key of its version."""
    return key if version == 1 else f"{key}:v{version}"


def current(keys: Sequence[str], version: int) -> dict[str, TransactionView]:
    """What stands of each key: its newest posting up to this version, unless that is reversed."""
    names = [in_version(key, number) for key in keys for number in range(1, version + 1)]
    posted = transactions_by_key([*names, *(f"{name}:undone" for name in names)]) if names else {}
    found = {}
    for key in keys:
        newest = next((n for v in range(version, 0, -1) if (n := in_version(key, v)) in posted), "")
        if newest and f"{newest}:undone" not in posted:
            found[key] = posted[newest]
    return found
