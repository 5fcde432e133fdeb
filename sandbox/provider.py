"""What the core asks of a provider, and the world that it hands to it."""

import asyncio
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.routing import BaseRoute

from sandbox.storage import Storage


@dataclass(slots=True)
class World:
    """Everything a handler may touch. `public_url` is the sandbox's own address, without a last slash."""

    storage: Storage
    public_url: str
    providers: dict[str, "Provider"] = field(default_factory=dict)
    wake_deliveries: asyncio.Event = field(default_factory=asyncio.Event)

    def now(self) -> float:
        return time.time()

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
    """A notification on its way. `content` is the provider's own text, which `sign` turns into a request."""

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


@dataclass(frozen=True, slots=True)
class SignedRequest:
    headers: Mapping[str, str]
    body: bytes


class ActionRefused(Exception):
    """The payment is not in a state for this action; the message says why."""


class Provider(ABC):
    """One payment provider. Subclasses live in `sandbox/<channel>/provider.py`."""

    channel: str
    schema: str = ""
    # seconds to wait after the first, second … attempt; afterwards the delivery has failed
    retry_schedule: Sequence[float] = ()

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

    def open_dispute(self, world: World, payment: Payment, *, amount: int, reason: str) -> str:
        """Let the cardholder dispute `amount` of the payment; returns the dispute's id. In a transaction."""
        raise ActionRefused(f"{self.channel} knows no disputes")

    @abstractmethod
    def sign(self, world: World, delivery: Delivery) -> SignedRequest: ...

    def acknowledged(self, status: int, body: bytes) -> bool:
        return 200 <= status < 300
