"""What is agreed with each channel: when its day ends, how long a row may take, what it charges."""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

_NOON = time(12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """What a channel keeps of each payment. `rates` are basis points, all that may apply to one of its payments.

    `fixed`, `least` and `most` are minor units. `unit` is what a fee is rounded to, in thousandths of a minor unit,
    half up or down. `gives_back` says whether a refund brings its share of the fee back.
    """

    rates: tuple[int, ...]
    fixed: int = 0
    least: int = 0
    most: int | None = None
    unit: int = 1000
    half_up: bool = True
    gives_back: bool = False

    def fee(self, amount: int, rate: int) -> int:
        """Of one payment over `amount` minor units, in thousandths of one."""
        share = (amount * rate + (5 * self.unit if self.half_up else 0)) // (10 * self.unit) * self.unit
        fee = max(share + self.fixed * 1000, self.least * 1000)
        return fee if self.most is None else min(fee, self.most * 1000)

    def returned(self, amount: int, rate: int) -> int:
        """What a refund over `amount` brings back, below zero."""
        if not self.gives_back:
            return 0
        return -((amount * rate + (5 * self.unit if self.half_up else 0)) // (10 * self.unit) * self.unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far two sides may lie apart and agree still. `fee` and `refund_fee` are thousandths of a minor unit.

    `seconds` is how far apart in time two rows of the same amount may be that are recognised by nothing else.
    """

    amount: int = 0
    fee: int = 0
    refund_fee: int = 0
    seconds: int = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """`matched` are the kinds of statement that are compared with our movements; what others say is added up only.

    A day that begins at noon or later (`cut_off`) bears the date of the day on which it ends. A row may come
    `late_days` after its day; then it is missing. `merchant` is who we are on the file, where that is compared.
    """

    zone: ZoneInfo
    cut_off: time = time()
    ready_after: time = time(10)
    late_days: int = 1
    matched: tuple[str, ...] = ()
    merchant: str = ""
    currency: str = ""
    tolerance: Tolerance = field(default_factory=Tolerance)
    tariff: Tariff | None = None

    @property
    def offset(self) -> timedelta:
        """From midnight to the beginning of the provider's day."""
        since = timedelta(hours=self.cut_off.hour, minutes=self.cut_off.minute)
        return since - timedelta(days=1) if self.cut_off >= _NOON else since

    def window(self, day: date) -> tuple[datetime, datetime]:
        """From when to when the provider's `day` lasts."""
        return self._begin(day), self._begin(day + timedelta(days=1))

    def day_of(self, moment: datetime) -> date:
        return (moment.astimezone(self.zone).replace(tzinfo=None) - self.offset).date()

    def _begin(self, day: date) -> datetime:
        return (datetime.combine(day, time()) + self.offset).replace(tzinfo=self.zone)


def terms_of(channel: str) -> Terms:
    """Those of `settings.RECONCILIATION`; of a channel that is not in it, a day in UTC and nothing to match."""
    told: dict[str, Any] = {"zone": "UTC", **settings.RECONCILIATION.get(channel, {})}
    for clock in {"cut_off", "ready_after"} & told.keys():
        told[clock] = time.fromisoformat(told[clock])
    name, _, key = told.pop("merchant", "").partition(".")
    return Terms(
        zone=ZoneInfo(told.pop("zone")),
        merchant=getattr(settings, name)[key] if name else "",
        tolerance=Tolerance(**told.pop("tolerance", {})),
        tariff=Tariff(**tariff) if (tariff := told.pop("tariff", None)) else None,
        **told,
    )
