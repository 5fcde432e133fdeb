"""What is planned: every payment of three weeks, who is behind it, and whether that is honest."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random

HONEST = ""
ATTACKS = ("card testing", "account takeover", "coupon farm", "friendly-fraud ring", "mule addresses")
DAYS = 21
QUIET_DAYS = 5  # at the beginning nobody attacks
CHINA = timedelta(hours=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """Who says to buy. `account` is empty for guests; `paid_before` counts orders of before the first day."""

    email: str
    account: str = ""
    phone: str = ""
    paid_before: int = 0
    member_for: int = 0  # days, at the start
    devices: tuple[str, ...] = ()  # from which those orders were paid
    coupon: bool = False  # pays the first order with the newcomers' discount

    @property
    def name(self) -> str:
        return self.account or self.email


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One payment. `attack` is its label, and `trait` what is special about an honest one.

    A retry names the visit that it tries again. `reported` days later the owner of the money complains, if it went
    through; `passes` says whether who is behind it would pass a challenge.
    """

    at: datetime
    number: int
    buyer: Buyer
    amount: int  # fen
    method: str
    device: str
    ip: str
    door: str
    country: str = "CN"
    card: str = ""
    card_country: str = ""
    sku: str = ""
    declined: bool = False  # by the bank
    again: int = -1
    attack: str = HONEST
    group: str = ""
    trait: str = ""
    reported: int = 0
    passes: bool = True


@dataclass(slots=True)
class Plan:
    """Names that are used once, chance that depends on the seed alone, and the visits so far."""

    seed: int
    start: datetime = datetime(2026, 3, 2, tzinfo=UTC) - CHINA
    visits: list[Visit] = field(default_factory=list)
    chance: Random = field(init=False)
    _numbers: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.chance = Random(f"attacks:{self.seed}")

    def new(self, what: str) -> str:
        return f"{what}-{self.seed}-{next(self._numbers)}"

    def ip(self) -> str:
        """Of somebody nobody else here is."""
        number = next(self._numbers)
        first = self.chance.choice((36, 58, 101, 117, 183, 222))
        return f"{first}.{number >> 8 & 255}.{number & 255}.{number % 200 + 9}"

    def moment(self, day: float, *, hour: float | None = None) -> datetime:
        """On a day, in China; mostly in the evening."""
        awake = self.chance.triangular(7, 24, 20) if hour is None else hour
        return self.start + timedelta(days=int(day), hours=awake)

    def add(self, visit: Visit) -> None:
        self.visits.append(visit)

    def written(self) -> list[Visit]:
        """In the order of time, numbered anew; what would be later than the last day is left out."""
        end = self.start + timedelta(days=DAYS)
        kept = sorted((visit for visit in self.visits if visit.at < end), key=lambda visit: visit.at)
        numbers = {visit.number: number for number, visit in enumerate(kept)}
        return [
            replace(visit, number=numbers[visit.number], again=numbers.get(visit.again, -1)) for visit in kept
        ]


def digest(visits: Sequence[Visit]) -> str:
    """The fingerprint of a script with its labels, told before the first decision."""
    told = hashlib.sha256()
    for visit in visits:
        told.update(json.dumps(asdict(visit), default=str, sort_keys=True).encode())
    return told.hexdigest()
