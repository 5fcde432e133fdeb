"""How the contract suite drives one channel: a small interface, one module for each channel.

A driver onboards its own merchant at the sandbox with the receiver's address, builds the channel from the
credentials through the channel's own `from_settings`, and plays the customer.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

from ledger.identifiers import encode, new_key
from ledger.money import Money
from payments.channels.contract import (
    Answer,
    Capability,
    Channel,
    MovementRequest,
    Notice,
    Outcome,
    StartRequest,
    StatementSource,
)
from tests.channels.world import Receiver, Sandbox


class Driver(ABC):
    code: str
    currency: str = "CNY"
    start_path: str  # the path that `start` calls at the sandbox, for faults
    refund_path: str  # the same for `refund`
    starts_in_browser: bool = False  # whether the customer's browser takes there what `start` made
    asks_at_start: bool = True  # whether `start` asks the provider at all
    paid_at_start: bool = False  # whether `start` takes the money at once (a card), or the customer must act

    slow_refund: int = 0  # the sum of a refund that ends when `refund_ends` says so; 0 if there is none
    # why the channel does not promise a capability, where what page.py says of all is not the whole truth
    without: Mapping[Capability, str] = {}
    abnormal_refund: int = 0  # the sum of one that the customer's bank does not take

    def __init__(self, sandbox: Sandbox, receiver: Receiver) -> None:
        self.sandbox = sandbox
        self.receiver = receiver
        self.notify_path = f"/webhooks/{self.code}"
        self.channel = self.build()
        receiver.answers[self.notify_path] = self.channel.acknowledge()

    @abstractmethod
    def build(self, *, timeout_seconds: float = 5.0, api_base: str = "") -> Channel:
        """The channel with this driver's credentials; `api_base` replaces the sandbox's address."""

    @abstractmethod
    def build_with_wrong_key(self) -> Channel:
        """The same account, signed or authorised with a key that the provider does not know."""

    @property
    def statements(self) -> StatementSource:
        """The channel as a source of bills (`Capability.STATEMENT`)."""
        return cast(StatementSource, self.channel)

    def instrument(self) -> str:
        """A fresh instrument token that is accepted (cards)."""
        return ""

    def declined_instrument(self) -> str:
        return ""

    def disputed(self, *, inquiry: bool = False) -> tuple[StartRequest, Answer]:
        """A payment that came in and that the customer disputes, or asks the bank about (an inquiry)."""
        raise NotImplementedError

    def judge(self, dispute: str, verdict: str) -> None:
        """What the customer's bank does: "win", "lose", "escalate", or "expire" for nothing."""
        self.sandbox.ask("POST", f"/control/disputes/{dispute}/{verdict}")

    def start_request(
        self, amount: int = 10_000, *, capture: bool = True, instrument: str = ""
    ) -> StartRequest:
        """A new payment of `amount` minor units under a new key and reference."""
        reference = encode("att", new_key())
        return StartRequest(
            key=f"{reference}:start",
            reference=reference,
            amount=Money(amount, self.currency),
            description="Blue bicycle 蓝色自行车",
            notify_url=self.receiver.url + self.notify_path,
            return_url="http://127.0.0.1:9/return",
            expires_at=datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=20),
            instrument=instrument or self.instrument(),
            capture=capture,
            client_ip="127.0.0.1",
        )

    def waiting_request(self) -> StartRequest:
        """A payment that waits for the customer after `start`."""
        return self.start_request()

    def code_request(self) -> StartRequest:
        """A payment whose customer scans a code (`Capability.QR`)."""
        return self.start_request()

    def page_request(self) -> StartRequest:
        """A payment whose customer goes to a page of the provider's (`Capability.REDIRECT`)."""
        return replace(self.start_request(), device="phone")

    def unheard_of(self) -> MovementRequest:
        """A question about a payment that the provider never saw."""
        return replace(self.movement(self.start_request()), start=None)

    def movement(self, start: StartRequest, answer: Answer | None = None) -> MovementRequest:
        """A question about `start`; without `answer` no channel reference is known."""
        return MovementRequest(
            key=f"{start.reference}:move",
            reference=start.reference,
            channel_reference=answer.channel_reference if answer else "",
            total=start.amount,
            notify_url=start.notify_url,
            start=start,
        )

    def refund_ends(self, movement: MovementRequest) -> None:
        """Let a refund of `slow_refund` arrive."""
        raise NotImplementedError

    def tells_of(self, notice: Notice, start: StartRequest) -> bool:
        return notice.reference == start.reference

    def turns_away(self, stranger: Channel, start: StartRequest) -> bool:
        """Whether one whose key the provider does not know is refused, and knows nothing for certain."""
        return stranger.start(start).outcome in {Outcome.ERRORED, Outcome.UNKNOWN}

    def time_is_over(self, start: StartRequest) -> None:
        self.sandbox.act(start.reference, "expire")

    def customer_opens(self, start: StartRequest) -> None:
        """The customer looks at what `start` gave (scans the code, opens the page) and does no more."""
        return None

    def customer_pays(self, start: StartRequest) -> None:
        """What the customer does after `start` so that the money moves."""
        self.sandbox.act(start.reference, "pay")

    def customer_declines(self, start: StartRequest) -> None:
        self.sandbox.act(start.reference, "decline")

    def paid(self, amount: int = 10_000) -> tuple[StartRequest, Answer]:
        """A payment whose money has come in, with the channel's last answer."""
        request = self.start_request(amount)
        answer = self.channel.start(request)
        if not self.paid_at_start:
            self.customer_pays(request)
        return request, self.channel.query(self.movement(request, answer))
