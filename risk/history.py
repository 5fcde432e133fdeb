"""What is remembered of one customer, card, device, address, network, merchant or SKU. Pure, and bounded.

The same code counts online and in training. A history holds what was known when it was last told something: whoever
replays the past tells it payments and outcomes in the order in which they became known, and reads before telling.
"""

import struct
import zlib
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import NamedTuple, Self

RING = 128  # payments kept one by one
DAYS = 64  # days kept as sums
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000  # milliseconds
KEPT = 60 * DAY
LARGEST_RATIO = 65_535
MARKS = ("customer", "card", "device", "address", "merchant")

_RECORD = struct.Struct("<qqH5I")
_HEAD = struct.Struct("<BqqHH")
_DAY = struct.Struct("<iqqiiii")
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

    payments: int = 0
    sum: int = 0
    frauds: int = 0
    plain: int = 0
    passed: int = 0
    failed: int = 0


class NotAHistory(ValueError):
    """These bytes were not written by `History.dump`."""


def mark(key: str) -> int:
    """A short hash of an entity's key; two keys may share it, which costs a distinct count one."""
    return (zlib.crc32(key.encode()) or 1) if key else 0


class History:
    """The last payments one by one (at most 128, of 60 days) and sums by day (at most 64)."""

    __slots__ = (
        "amounts",
        "days",
        "events",
        "first_at",
        "ordered",
        "ratios",
        "squares",
        "sum",
        "times",
        "total",
    )

    def __init__(self) -> None:
        self.first_at = 0
        self.total = 0
        self.times: list[int] = []
        self.amounts: list[int] = []
        self.ratios: list[int] = []
        self.events: list[Event] = []
        self.ordered: list[int] = []
        self.sum = 0
        self.squares = 0
        self.days: dict[int, Bucket] = {}

    def observe(self, event: Event) -> None:
        """Remember a payment; one that comes late is put where it belongs."""
        at, amount = event.at, event.amount
        self.total += 1
        if not self.first_at or at < self.first_at:
            self.first_at = at
        self._keep(event)
        day = at // DAY
        bucket = self.days.get(day)
        if bucket is None:
            self._new_day(day, Bucket(1, amount))
        else:
            self.days[day] = Bucket(bucket[0] + 1, bucket[1] + amount, *bucket[2:])

    def outcome(self, at: int, *, plain: bool, undo: bool = False) -> None:
        """The payment of `at` is known for a fraud now; `undo` when it turned out to be none after all.

        Called once per payment and verdict: it can not tell one payment of a day from another.
        """
        day, step = at // DAY, -1 if undo else 1
        bucket = self.days.get(day)
        if bucket is not None:
            self.days[day] = bucket._replace(
                frauds=max(bucket.frauds + step, 0), plain=max(bucket.plain + step * plain, 0)
            )

    def proof(self, at: int, *, passed: bool) -> None:
        """Somebody was asked to confirm the payment of `at`, and did or failed to. Called once per challenge."""
        bucket = self.days.get(at // DAY)
        if bucket is not None:
            self.days[at // DAY] = bucket._replace(
                passed=bucket.passed + passed, failed=bucket.failed + (not passed)
            )

    def since(self, at: int) -> int:
        """Where in the ring the payments from `at` on begin."""
        return bisect_left(self.times, at)

    def covers(self, at: int) -> bool:
        """Whether the ring holds every payment from `at` on."""
        return len(self.times) < RING or self.times[0] < at

    def dump(self) -> bytes:
        """Compact and exact: `load(dump())` answers every question alike."""
        parts = [_HEAD.pack(_FORMAT, self.first_at, self.total, len(self.events), len(self.days))]
        parts += [_RECORD.pack(*event) for event in self.events]
        parts += [_DAY.pack(day, *bucket) for day, bucket in sorted(self.days.items())]
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
        records = list(map(Event._make, _RECORD.iter_unpack(data[_HEAD.size : cut])))
        buckets = {fields[0]: Bucket._make(fields[1:]) for fields in _DAY.iter_unpack(data[cut:])}
        return cls.of(records, buckets, first_at=first_at, total=total)

    @classmethod
    def of(cls, events: Iterable[Event], days: Mapping[int, Bucket], *, first_at: int, total: int) -> Self:
        """A history from its parts, wherever they were kept."""
        history = cls()
        kept = sorted(events, key=itemgetter(0))[-RING:]
        oldest = kept[-1].at - KEPT if kept else 0
        history.events = kept = [event for event in kept if event[0] >= oldest]
        history.times = [event[0] for event in kept]
        history.amounts = amounts = [event[1] for event in kept]
        history.ratios = [event[2] for event in kept]
        history.ordered = sorted(amounts)
        history.sum = sum(amounts)
        history.squares = sum([amount * amount for amount in amounts])
        for day in sorted(days)[-DAYS:]:
            history.days[day] = days[day]
        history.first_at, history.total = first_at, total
        return history

    def _keep(self, event: Event) -> None:
        at, amount = event.at, event.amount
        times = self.times
        if not times or at >= times[-1]:
            times.append(at)
            self.amounts.append(amount)
            self.ratios.append(event.ratio)
            self.events.append(event)
        else:
            place = bisect_right(times, at)
            times.insert(place, at)
            self.amounts.insert(place, amount)
            self.ratios.insert(place, event.ratio)
            self.events.insert(place, event)
        insort(self.ordered, amount)
        self.sum += amount
        self.squares += amount * amount
        oldest = times[-1] - KEPT
        while len(times) > RING or times[0] < oldest:
            self._drop_first()

    def _drop_first(self) -> None:
        amount = self.amounts.pop(0)
        del self.times[0], self.ratios[0], self.events[0]
        del self.ordered[bisect_left(self.ordered, amount)]
        self.sum -= amount
        self.squares -= amount * amount

    def _new_day(self, day: int, bucket: Bucket) -> None:
        self.days[day] = bucket
        if len(self.days) > DAYS:
            del self.days[min(self.days)]
