"""Many postings at once: as columns, in one statement, which passes over those whose keys are taken."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import TypeAlias

from django.conf import settings

from ledger.errors import Refusal
from ledger.facts import PostedTransaction, Posting
from ledger.identifiers import new_digits
from ledger.rules import refuse_unsound
from ledger.wire import Row, call, texts

_MANY = 1000  # postings in one statement

OpenAccounts: TypeAlias = Callable[[Iterable[tuple[str, str]]], None]  # (name, currency) of each


def are_many(places: Sequence[int]) -> bool:
    """More than one statement takes."""
    return len(places) > _MANY


def sound(postings: Sequence[Posting], refusals: dict[int, Refusal]) -> list[int]:
    """The places of those that may be written. Why another may not is put into `refusals`."""
    places = []
    for place, posting in enumerate(postings):
        try:
            refuse_unsound(posting.entries)
        except Refusal as refusal:
            refusals[place] = refusal
        else:
            places.append(place)
    return places


def write(
    postings: Sequence[Posting], places: Sequence[int], open_accounts: OpenAccounts
) -> dict[int, PostedTransaction]:
    """Write those at `places`, which are sound. Those whose key is taken, or that name a closed day, have no result.

    One round trip; more when accounts must be opened: nothing of a statement is written while one is missing.
    """
    asked = [_Batch(postings, chunk) for chunk in _chunks(postings, places)]
    written: dict[int, PostedTransaction] = {}
    while asked:
        rows = call("ledger_append", [batch.values() for batch in asked])
        missing = []
        for batch, row in zip(asked, rows, strict=True):
            if batch.misses_accounts(row):
                missing.append(batch)
            else:
                written |= batch.written(row)
        if missing:
            open_accounts(account for batch in missing for account in batch.accounts)
        asked = missing
    return written


class _Batch:
    """A list of values for each column, which the statement takes apart again."""

    def __init__(self, postings: Sequence[Posting], places: Sequence[int]) -> None:
        self._places = places
        self._told: list[Posting] = []
        self._keys: list[str] = []
        self._numbers: dict[tuple[str, str], str] = {}
        self._heads: list[str] = []
        self._positions: list[str] = []
        self._accounts: list[str] = []
        self._amounts: list[str] = []
        self._items: list[str] = []
        for place in places:
            self._add(postings[place])

    @property
    def accounts(self) -> list[tuple[str, str]]:
        return list(self._numbers)

    def misses_accounts(self, row: Row) -> bool:
        return int(row[0] or 0) < len(self._numbers)

    def written(self, row: Row) -> dict[int, PostedTransaction]:
        """What the statement, which answered with `row`, wrote; it does not say so when that is all."""
        keys = set(self._keys if row[1] is None else row[1].replace("-", "")[1:-1].split(","))
        return {
            place: PostedTransaction(key, posting.business_key, created=True)
            for place, key, posting in zip(self._places, self._keys, self._told, strict=True)
            if key in keys
        }

    def _add(self, posting: Posting) -> None:
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


def _chunks(postings: Sequence[Posting], places: Sequence[int]) -> Iterator[Sequence[int]]:
    """The places of those that go into one statement.

    Several statements go in the order of the keys, as a statement sorts them, so that nobody deadlocks; equal keys are
    in one.
    """
    keys = {postings[place].business_key for place in places}
    if not are_many(places) or len(keys) < len(places):
        return iter([places] if places else [])
    ordered = sorted(places, key=lambda place: postings[place].business_key)
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
