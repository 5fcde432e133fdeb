"""What is remembered of one customer, card, device, address, network, merchant or SKU. Pure, and bounded.

The same code counts online and in training. A history holds what was known when it was last told something: whoever
replays the past tells it payments and outcomes in the order in which they became known, and reads before telling.
"""

import struct
import zlib
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from functools import cache
from operator import lt
from typing import Any, NamedTuple, Self, TypeAlias

RING = 128  # payments kept one by one
DAYS = 64  # days kept as sums
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000  # milliseconds
KEPT = 60 * DAY
LARGEST_RATIO = 65_535
MOST_PROOFS = 32_767  # of a day
MARKS = ("customer", "card", "device", "address", "merchant")

_RECORD = struct.Struct("<qqH5I")
_HEAD = struct.Struct("<BqqHH")
_DAY = struct.Struct("<iqqiihh")
DAY_BYTES = _DAY.size
Columns: TypeAlias = Sequence[Sequence[int]]  # of records, each field's values
_FORMAT = 2


class Event(NamedTuple):
    """One payment: time in ms since 1970, CNY minor units, and short hashes of who took part (0: not known).

    `ratio` is the amount in percent of what was usual for the customer just then (0: not known).
    """

    at: int
    amount: int
    ratio: int = 0
    customer: int = 0
    card: int = 0
    device: int = 0
    address: int = 0
    merchant: int = 0

    def pack(self) -> bytes:
        """Of fixed length, so that a list of them can be kept outside and cut anywhere."""
        return _RECORD.pack(*self)

    @classmethod
    def unpack(cls, record: bytes) -> Self:
        return cls(*_RECORD.unpack(record))


class Bucket(NamedTuple):
    """One day's payments, how many of them are known for frauds by now, and how challenges about them ended.

    A plain fraud is one of an amount that was usual for its customer: it says more about the place than the person.
    """

    day: int
    payments: int = 0
    sum: int = 0
    frauds: int = 0
    plain: int = 0
    passed: int = 0
    failed: int = 0

    def pack(self) -> bytes:
        """Of fixed length."""
        return _DAY.pack(*self)


_NO_PAYMENTS: Columns = ((),) * len(Event._fields)


class NotAHistory(ValueError):
    """These bytes were not written by `History.dump`."""


@cache
def _several(record: str, count: int) -> struct.Struct:
    return struct.Struct(f"<{record * count}")


def columns_of(record: str, fields: int, data: bytes) -> Columns:
    """Records of whole numbers one after the other, by field. `record` is the format of one, without its order."""
    count = len(data) // struct.calcsize(f"<{record}")
    flat = _several(record, count).unpack(data)
    return [flat[field::fields] for field in range(fields)]


class Packed(Sequence[Sequence[int]]):
    """The same of records of which most fields are never asked for: each is unpacked when it is.

    `fields` are the formats of one record, each with everything but its field left out.
    """

    __slots__ = ("_count", "_data", "_fields", "_found")

    def __init__(self, fields: Sequence[str], data: bytes) -> None:
        self._fields, self._data = fields, data
        self._count = len(data) // struct.calcsize(f"<{fields[0]}")
        self._found: list[tuple[int, ...] | None] = [None] * len(fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __getitem__(self, field: Any) -> Any:
        found = self._found[field]
        if found is None:
            found = self._found[field] = _several(self._fields[field], self._count).unpack(self._data)
        return found


def ascend(values: Sequence[int]) -> bool:
    """Whether each is more than the one before it."""
    return all(map(lt, values, values[1:]))


def first_kept(times: Sequence[int]) -> int:
    """Where in ascending times those begin that a history keeps."""
    return max(len(times) - RING, bisect_left(times, times[-1] - KEPT))


def mark(key: str) -> int:
    """A short hash of an entity's key; two keys may share it, which costs a distinct count one."""
    return (zlib.crc32(key.encode()) or 1) if key else 0


class Spread:
    """Amounts in their order, with their sum and the sum of their squares."""

    __slots__ = ("ordered", "squares", "sum")

    def __init__(self, amounts: Iterable[int]) -> None:
        self.ordered = sorted(amounts)
        self.sum = sum(self.ordered)
        self.squares = sum([amount * amount for amount in self.ordered])

    def add(self, amount: int) -> None:
        insort(self.ordered, amount)
        self.sum += amount
        self.squares += amount * amount

    def drop(self, amount: int) -> None:
        del self.ordered[bisect_left(self.ordered, amount)]
        self.sum -= amount
        self.squares -= amount * amount


class History:
    """The last payments one by one (at most 128, of 60 days) and sums by day (at most 64)."""

    __slots__ = ("_by_day", "_days", "_owned", "_spread", "columns", "first_at", "total")

    def __init__(self) -> None:
        self.first_at = 0
        self.total = 0
        # The payments' fields: what is asked is asked of one field of many payments. Own lists once it is told one.
        self.columns: Columns = _NO_PAYMENTS
        self._owned: list[list[int]] | None = None
        # What is told something has buckets, what is only read has their fields; each is made of the other.
        self._days: dict[int, Bucket] | None = {}
        self._by_day: Columns | None = None
        self._spread: Spread | None = None

    @property
    def times(self) -> Sequence[int]:
        return self.columns[0]

    @property
    def amounts(self) -> Sequence[int]:
        return self.columns[1]

    @property
    def ratios(self) -> Sequence[int]:
        return self.columns[2]

    @property
    def days(self) -> dict[int, Bucket]:
        """To be changed by `_set_day` only."""
        if self._days is None:
            self._days = {bucket[0]: bucket for bucket in map(Bucket, *self.by_day)}
        return self._days

    @property
    def by_day(self) -> Columns:
        """The fields of the days' buckets, each in the order of the days."""
        if self._by_day is None:
            self._by_day = list(zip(*sorted(self.days.values()), strict=True)) or [()] * len(Bucket._fields)
        return self._by_day

    @property
    def events(self) -> list[Event]:
        return list(map(Event, *self.columns))

    @property
    def spread(self) -> Spread:
        """Of the amounts. Nobody asks for that of most histories, so it is made when it is asked for."""
        if self._spread is None:
            self._spread = Spread(self.amounts)
        return self._spread

    def observe(self, event: Event) -> None:
        """Remember a payment; one that comes late is put where it belongs."""
        self.total += 1
        if not self.first_at or event.at < self.first_at:
            self.first_at = event.at
        self._keep(event)
        day = event.at // DAY
        bucket = self.days.get(day)
        if bucket is None:
            self._set_day(Bucket(day, 1, event.amount))
        else:
            self._set_day(bucket._replace(payments=bucket[1] + 1, sum=bucket[2] + event.amount))

    def outcome(self, at: int, *, plain: bool, undo: bool = False) -> None:
        """The payment of `at` is known for a fraud now; `undo` when it turned out to be none after all.

        Called once per payment and verdict: it can not tell one payment of a day from another.
        """
        day, step = at // DAY, -1 if undo else 1
        bucket = self.days.get(day)
        if bucket is not None:
            frauds, plains = max(bucket.frauds + step, 0), max(bucket.plain + step * plain, 0)
            self._set_day(bucket._replace(frauds=frauds, plain=plains))

    def proof(self, at: int, *, passed: bool) -> None:
        """Somebody was asked to confirm the payment of `at`, and did or failed to. Called once per challenge."""
        bucket = self.days.get(at // DAY)
        if bucket is not None:
            yes, no = min(bucket.passed + passed, MOST_PROOFS), min(bucket.failed + (not passed), MOST_PROOFS)
            self._set_day(bucket._replace(passed=yes, failed=no))

    def since(self, at: int) -> int:
        """Where in the ring the payments from `at` on begin."""
        return bisect_left(self.times, at)

    def covers(self, at: int) -> bool:
        """Whether the ring holds every payment from `at` on."""
        return len(self.times) < RING or self.times[0] < at

    def dump(self) -> bytes:
        """Compact and exact: `load(dump())` answers every question alike."""
        parts = [_HEAD.pack(_FORMAT, self.first_at, self.total, len(self.times), len(self.days))]
        parts += [event.pack() for event in self.events]
        parts += [bucket.pack() for bucket in sorted(self.days.values())]
        return b"".join(parts)

    @classmethod
    def load(cls, data: bytes) -> Self:
        """What `dump` wrote. Raises NotAHistory."""
        try:
            version, first_at, total, events, days = _HEAD.unpack_from(data)
            cut = _HEAD.size + events * _RECORD.size
            if version != _FORMAT or len(data) != cut + days * _DAY.size:
                raise NotAHistory("the length or the format's number is wrong")
        except struct.error as error:
            raise NotAHistory(str(error)) from error
        columns = list(zip(*_RECORD.iter_unpack(data[_HEAD.size : cut]), strict=True))
        return cls.of(columns, data[cut:], first_at=first_at, total=total)

    @classmethod
    def of(cls, columns: Columns, days: bytes, *, first_at: int, total: int) -> Self:
        """A history from its parts, wherever they were kept.

        `columns` are the fields of payments in the order of time (none of no payments), `days` packed buckets.
        """
        history = cls()
        if columns:
            start = first_kept(columns[0])
            history.columns = [column[start:] for column in columns] if start else columns
        by_day = columns_of(_DAY.format[1:], len(Bucket._fields), days)
        if len(by_day[0]) > DAYS or not ascend(by_day[0]):
            by_day = list(zip(*sorted(zip(*by_day, strict=True))[-DAYS:], strict=True))
        history._days, history._by_day = None, by_day
        history.first_at, history.total = first_at, total
        return history

    def _keep(self, event: Event) -> None:
        columns = self._own_columns()
        at, times = event.at, columns[0]
        place = bisect_right(times, at) if times and at < times[-1] else len(times)
        for column, value in zip(columns, event, strict=True):
            column.insert(place, value)
        if self._spread is not None:
            self._spread.add(event.amount)
        oldest = times[-1] - KEPT
        while len(times) > RING or times[0] < oldest:
            self._drop_first(columns)

    def _own_columns(self) -> list[list[int]]:
        """To be changed; most histories that are read are told nothing, and keep what they were read from."""
        if self._owned is None:
            self.columns = self._owned = [list(column) for column in self.columns]
        return self._owned

    def _drop_first(self, columns: list[list[int]]) -> None:
        if self._spread is not None:
            self._spread.drop(columns[1][0])
        for column in columns:
            del column[0]

    def _set_day(self, bucket: Bucket) -> None:
        days = self.days
        days[bucket.day] = bucket
        if len(days) > DAYS:
            del days[min(days)]
        self._by_day = None
