"""Many postings at once: checked and put together while the server writes those before them."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import TypeAlias

from django.conf import settings

from ledger.errors import Refusal
from ledger.facts import PostedTransaction, Posting
from ledger.identifiers import new_digits
from ledger.rules import refuse_unsound
from ledger.wire import Row, call, texts

_FEW = 8  # postings, for which a plan made once a session is as good as one of their own
_MANY = 1000  # postings in one statement

Result: TypeAlias = PostedTransaction | Refusal


class Batch:
    """Sound postings as columns: a list of values for each, which the statement takes apart again."""

    def __init__(
        self, postings: Sequence[Posting], places: Iterable[int], results: dict[int, Result]
    ) -> None:
        """Of those at `places`. What each comes to, if nothing is in its way, is put into `results`."""
        self.places: list[int] = []
        self._told: list[Posting] = []
        self._keys: list[str] = []
        self._numbers: dict[tuple[str, str], str] = {}
        self._heads: list[str] = []
        self._positions: list[str] = []
        self._accounts: list[str] = []
        self._amounts: list[str] = []
        self._items: list[str] = []
        for place in places:
            posting = postings[place]
            try:
                refuse_unsound(posting.entries)
            except Refusal as refusal:
                results[place] = refusal
            else:
                key = self._add(posting)
                self.places.append(place)
                results[place] = PostedTransaction(key, posting.business_key, created=True)

    @property
    def accounts(self) -> list[tuple[str, str]]:
        return list(self._numbers)

    def misses_accounts(self, row: Row) -> bool:
        return int(row[0] or 0) < len(self._numbers)

    def unwritten(self, row: Row) -> list[int]:
        """The places of those that the statement, which answered with `row`, did not write."""
        written = row[1]
        if written is None:
            return []
        keys = set(written.replace("-", "")[1:-1].split(","))
        return [place for place, key in zip(self.places, self._keys, strict=True) if key not in keys]

    def _add(self, posting: Posting) -> str:
        key, entries = new_digits(), posting.entries
        self._told.append(posting)
        self._keys.append(key)
        self._heads += [str(len(self._told))] * len(entries)
        self._positions += _positions(len(entries))
        numbers = self._numbers
        for entry in entries:
            money = entry.amount
            account = (entry.account, money.currency)
            number = numbers.get(account)
            if number is None:
                number = numbers[account] = str(len(numbers) + 1)
            self._accounts.append(number)
            self._amounts.append(str(money.minor))
            self._items.append(entry.item)
        return key

    def values(self) -> list[object]:
        told = self._told
        return [
            texts([name for name, _ in self._numbers]),
            texts([currency for _, currency in self._numbers]),
            settings.LEDGER_TIME_ZONE,
            _plain(self._keys),
            texts([posting.business_key for posting in told]),
            texts([posting.reference for posting in told]),
            texts([posting.description for posting in told]),
            _plain([str(len(posting.entries)) for posting in told]),
            None,  # of many, none reverses another
            _perhaps([posting.happened_at.isoformat() if posting.happened_at else None for posting in told]),
            _perhaps([posting.on.isoformat() if posting.on else None for posting in told]),
            _plain(self._heads),
            _plain(self._positions),
            _plain(self._accounts),
            _plain(self._amounts),
            texts(self._items),
        ]


def write(batches: Iterable[Batch], *, few: bool) -> list[tuple[Batch, Row]]:
    """Each batch with what the server answered: how many of its accounts exist, and what was written of it.

    Nothing of a batch is written while one of its accounts is missing. One round trip: while the server writes one
    batch, the next is put together.
    """
    sent: list[Batch] = []

    def calls() -> Iterator[list[object]]:
        for batch in batches:
            if batch.places:
                sent.append(batch)
                yield batch.values()

    rows = call("ledger_append" if few else "ledger_append_many", calls(), as_made=True)
    return list(zip(sent, rows, strict=True))


def are_few(postings: Sequence[Posting]) -> bool:
    return len(postings) <= _FEW


def are_many(postings: Sequence[Posting]) -> bool:
    """More than one statement takes."""
    return len(postings) > _MANY


def accounts_of(postings: Iterable[Posting]) -> set[tuple[str, str]]:
    return {(line.account, line.amount.currency) for posting in postings for line in posting.entries}


def is_sound(posting: Posting) -> bool:
    try:
        refuse_unsound(posting.entries)
    except Refusal:
        return False
    return True


def chunks(postings: Sequence[Posting]) -> Iterator[Sequence[int]]:
    """The places of those that go into one statement.

    Several statements go in the order of the keys, as a statement sorts them, so that nobody deadlocks; equal keys are
    in one.
    """
    places = range(len(postings))
    keys = [posting.business_key for posting in postings]
    if not are_many(postings) or len(set(keys)) < len(keys):
        return iter([places])
    ordered = sorted(places, key=keys.__getitem__)
    return (ordered[first : first + _MANY] for first in range(0, len(ordered), _MANY))


@cache
def _positions(count: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(1, count + 1))


def _plain(values: Iterable[str]) -> str:
    """An array of values that need no quotes."""
    return f"{{{','.join(values)}}}"


def _perhaps(values: Sequence[str | None]) -> str | None:
    """The same where most have none; nothing at all is as good as an array of nothing."""
    return _plain(value or "NULL" for value in values) if any(values) else None
