"""What the core asks of a provider, and the world that it hands to it."""

import asyncio
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from starlette.routing import BaseRoute

from sandbox.storage import Storage

_SKEW: ContextVar[float] = ContextVar("skew", default=0.0)


@dataclass(slots=True)
class World:
    """Everything a handler may touch. `public_url` is the sandbox's own address, without a last slash.

    It has two clocks. `now()` can be moved forward (`sandbox.clock`): business times, expiries and retry
    schedules go by it. `wall()` is the real one, for what two machines compare with each other: the time
    stamps of signatures, which a merchant checks against its own clock.
    """

    storage: Storage
    public_url: str
    providers: dict[str, "Provider"] = field(default_factory=dict)
    wake_deliveries: asyncio.Event = field(default_factory=asyncio.Event)
    ahead: float = 0.0

    def now(self) -> float:
        return time.time() + self.ahead

    def wall(self) -> float:
        return time.time() + _SKEW.get()

    def from_merchant(self, moment: float) -> float:
        """A moment that a merchant wrote by its own real clock, on the world's clock."""
        return moment + self.ahead

    @contextmanager
    def skewed(self, seconds: float) -> Iterator[None]:
        """Let the wall clock of this task go wrong for a while."""
        token = _SKEW.set(seconds)
        try:
            yield
        finally:
            _SKEW.reset(token)

    def new_id(self, prefix: str) -> str:
        return prefix + secrets.token_hex(12)


@dataclass(frozen=True, slots=True)
class Payment:
    """A row of the common table. `state`: waiting, authorized, paid, failed or closed; minor units.

    `refunded` is without the refunds that failed; `disputed` was taken back by disputes and `reinstated`
    came home of it; `dispute_fees` are in the currency of the payment.
    """

    id: str
    channel: str
    merchant: str
    reference: str
    amount: int
    currency: str
    description: str
    state: str
    captured: int
    refunded: int
    disputed: int
    reinstated: int
    dispute_fees: int
    scan_url: str
    actions: str
    expires_at: float | None
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """A notification on its way. `content` is the provider's own text, which `sign` turns into a request.

    `twist` names what goes wrong with its first `twisted_tries` tries (`sandbox.twists`).
    """

    id: str
    channel: str
    merchant: str
    payment: str
    event_id: str
    kind: str
    url: str
    content: str
    state: str
    attempts: int
    next_at: float
    last_status: int | None
    last_error: str
    created_at: float
    twist: str
    twisted_tries: int


@dataclass(frozen=True, slots=True)
class SignedRequest:
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Trouble:
    """An answer of a provider that is not well."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PayoutTerms:
    """How a channel pays its merchants each day: `day_shift` seconds after a UTC day began, its own has begun.

    The payout of a day leaves `made_after` seconds after that day's end, and is at the bank `arrives_after` later.
    """

    payer: str
    key: "Callable[[World, str, date], str]"
    text: "Callable[[World, str, date, str], str]"
    day_shift: float
    made_after: float
    arrives_after: float

    def hour_of(self, day: int) -> float:
        """When the payout of this day (counted from 1970) leaves."""
        return (day + 1) * 86_400 - self.day_shift + self.made_after

    def last_hour(self, now: float) -> float:
        """The last moment at which payouts have left."""
        return self.hour_of(int((now - self.hour_of(0)) // 86_400))


class ActionRefused(Exception):
    """The payment is not in a state for this action; the message says why."""


class Provider(ABC):
    """One payment provider. Subclasses live in `sandbox/<channel>/provider.py`."""

    channel: str
    schema: str = ""
    # seconds to wait after the first, second … attempt; afterwards the delivery has failed
    retry_schedule: Sequence[float] = ()
    # whether it asks `sandbox.fates.decline_of` itself when money is to be taken
    plays_issuer: bool = False
    # whether a refund that has succeeded may still fail
    refunds_can_come_back: bool = False
    # where the merchants' own calls arrive: only these meet the random mix; people's pages never do
    api_paths: Sequence[str] = ()

    # SQL of every movement of money: merchant, currency, kind, reference and parent (the merchant's), number (its
    # own), amount (signed, as the merchant sees it), fee (kept; negative when given back), moved_at
    movements: str = ""
    # its statements by name, each a `sandbox.statements.pages.Page`, the most telling one first
    statements: Mapping[str, Any] = {}
    # how it pays its merchants, unless it has a way of its own
    pays_out: PayoutTerms | None = None

    def prepare(self, world: World) -> None:
        """Make keys at the first start."""
        return None

    @abstractmethod
    def routes(self, world: World) -> list[BaseRoute]: ...

    @abstractmethod
    def onboard(self, world: World, merchant: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Create or update the merchant's account; the same merchant always gets the same credentials."""

    @abstractmethod
    def act(self, world: World, payment: Payment, action: str) -> None:
        """Do what a person does: "scan", "pay", "decline", "expire". Runs in a transaction."""

    def tick(self, world: World) -> None:
        """Let happen what the clock brings by itself. Called often: must be cheap when nothing is due."""
        return None

    def keep_appointment(self, world: World, payment: Payment, deed: str, content: str) -> None:
        """Do what was put off with `sandbox.appointments.make`. Runs in a transaction."""
        raise ActionRefused(f"{self.channel} knows no {deed!r}")

    def open_dispute(self, world: World, payment: Payment, *, amount: int, reason: str) -> str:
        """Let the cardholder dispute `amount` of the payment; returns the dispute's id. In a transaction."""
        raise ActionRefused(f"{self.channel} knows no disputes")

    @abstractmethod
    def sign(self, world: World, delivery: Delivery) -> SignedRequest: ...

    def acknowledged(self, status: int, body: bytes) -> bool:
        return 200 <= status < 300

    def open_items(self, world: World) -> Mapping[str, int]:
        """What of its own is not finished, besides payments, appointments and notifications."""
        return {}

    def mark(self, world: World, merchant: str) -> str:
        """A text that every API call of this merchant carries; "" when there is none."""
        return ""

    def trouble(self, world: World, status: int, path: str, text: str) -> Trouble | None:
        """How this provider itself says 500, 502, 503 or 429; None where only a proxy would answer."""
        return None

    def for_merchant(self, world: World, delivery: Delivery, merchant: str) -> Delivery | None:
        """The same notification as another merchant would get it, or None."""
        return None

    def contradiction(self, world: World, delivery: Delivery) -> tuple[str, str, str] | None:
        """Event id, kind and content of a notification that denies this one, as an older state would."""
        return None
