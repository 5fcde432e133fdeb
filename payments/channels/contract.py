"""What every channel promises. Pure: dataclasses, enums and one protocol; no Django.

A channel translates; it decides nothing and stores nothing. It never raises for what a provider answered or
failed to answer: a refusal is `DECLINED` or `ERRORED`, and no clear answer (time out, reset, 5xx, an answer whose
signature does not verify) is `UNKNOWN`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from ledger.money import Money


class Capability(StrEnum):
    MANUAL_CAPTURE = "manual_capture"
    PARTIAL_CAPTURE = "partial_capture"
    VOID = "void"
    CLOSE = "close"
    REFUND = "refund"
    PARTIAL_REFUND = "partial_refund"
    THREE_D_SECURE = "three_d_secure"
    QR = "qr"
    REDIRECT = "redirect"


class Outcome(StrEnum):
    """What the provider says of one movement."""

    SUCCEEDED = "succeeded"  # the money moved: captured, refunded, voided or closed
    AUTHORIZED = "authorized"  # held, waiting for capture
    ACTION_REQUIRED = "action_required"  # the customer must do something: see next_action
    PENDING = "pending"  # accepted, no result yet
    DECLINED = "declined"  # proven: no money moved, the customer may try again
    ERRORED = "errored"  # proven: no money moved, our request was refused
    CANCELLED = "cancelled"  # closed, voided or expired at the provider
    NOT_FOUND = "not_found"  # the provider does not know this movement
    UNKNOWN = "unknown"  # no clear answer: ask again before anything else


class Advice(StrEnum):
    """What a refusal means for the customer's next step."""

    TRY_AGAIN = "try_again"
    OTHER_CARD = "other_card"
    OTHER_METHOD = "other_method"
    STEP_UP = "step_up"
    CONTACT_BANK = "contact_bank"
    STOP = "stop"


class Challenge(StrEnum):
    """Whether to ask for 3-D Secure."""

    AUTOMATIC = "automatic"  # the issuer decides
    REQUIRED = "required"  # always challenge


class ActionKind(StrEnum):
    REDIRECT = "redirect"  # a page of the provider's: a 3-D Secure challenge, a wallet's cashier
    THREE_D_SECURE = "three_d_secure"  # a challenge page that may be framed in ours
    QR = "qr"  # text to draw as a QR code


@dataclass(frozen=True, slots=True)
class NextAction:
    kind: ActionKind
    value: str  # the URL, or the QR's text
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Instrument:
    """What may be known of a card: never its number."""

    token: str
    brand: str = ""
    last4: str = ""
    country: str = ""  # issuer's, ISO 3166 alpha-2
    funding: str = ""
    fingerprint: str = ""
    expires_on: str = ""  # "2030-04"


@dataclass(frozen=True, slots=True)
class StartRequest:
    """Ask for money. `key` is the outbound idempotency key: the same for every retry of this movement."""

    key: str
    reference: str  # ours, shown to the provider: att_…, at most 32 characters
    amount: Money
    description: str
    notify_url: str
    return_url: str
    expires_at: datetime
    instrument: str = ""  # a channel token, for cards
    capture: bool = True
    challenge: Challenge = Challenge.AUTOMATIC
    device: str = "desktop"  # or "phone"
    client_ip: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MovementRequest:
    """Query, capture, void, close or refund what an earlier `StartRequest` began.

    `reference` and `channel_reference` name the payment's attempt (ours, theirs; theirs is empty when no answer
    came). `amount` is the sum to capture or refund. `movement_reference` names the refund (ref_…). `total` is the
    sum first asked for. `start` is the first request as it was sent, for channels that ask by sending it again
    under the same key (its replay can not charge twice).
    """

    key: str
    reference: str
    channel_reference: str
    total: Money
    amount: Money | None = None
    movement_reference: str = ""
    reason: str = ""
    notify_url: str = ""
    start: StartRequest | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one call, in our words. `amount` is the money the provider says it moved or holds."""

    outcome: Outcome
    channel_reference: str = ""
    amount: Money | None = None
    next_action: NextAction | None = None
    instrument: Instrument | None = None
    three_d_secure: Mapping[str, Any] | None = None
    code: str = ""  # the provider's own refusal code
    message: str = ""
    advice: Advice | None = None
    happened_at: datetime | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)  # for the operator; free of secrets and card numbers


class NoticeKind(StrEnum):
    PAYMENT = "payment"
    REFUND = "refund"
    OTHER = "other"  # understood, of no consequence to us: stored and acknowledged


@dataclass(frozen=True, slots=True)
class Notice:
    """One verified notification. `event_id` is unique per channel and stays the same across redeliveries."""

    event_id: str
    kind: NoticeKind
    reference: str  # our att_… (from out_trade_no, metadata …)
    answer: Answer
    movement_reference: str = ""  # our ref_…, for refunds
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The exact HTTP answer by which a provider knows that its notification arrived."""

    status: int
    body: str = ""
    content_type: str = "text/plain"


class NoticeRefused(Exception):
    """A notification that must change nothing. `code` is stable and goes to the log and the answer."""

    code: ClassVar[str] = "notice_refused"
    status: ClassVar[int] = 400

    @classmethod
    def named(cls, code: str) -> "NoticeRefused":
        """The refusal whose `code` was stored."""
        kinds = {kind.code: kind for kind in (UnknownReference, AmountMismatch)}
        return kinds.get(code, cls)(code)


class InvalidSignature(NoticeRefused):
    code = "invalid_signature"


class StaleNotice(NoticeRefused):
    code = "stale_notice"


class MalformedNotice(NoticeRefused):
    code = "malformed_notice"


class NotForUs(NoticeRefused):
    """Signed by the provider, meant for another application, seller or merchant."""

    code = "not_for_us"


class UnknownReference(NoticeRefused):
    """Genuine, about a payment that we never asked for."""

    code = "unknown_reference"
    status = 404


class AmountMismatch(NoticeRefused):
    """Genuine, about another amount or currency than we asked for."""

    code = "amount_mismatch"
    status = 422


class InstrumentUnknown(Exception):
    """The channel does not know this card token, or it was used up."""


class ChannelUnavailable(Exception):
    """A read that moves no money (describing an instrument) found no answer; safe to try again."""


class Channel(Protocol):
    """One provider. Base URL, keys, clock and HTTP timeouts come through the constructor."""

    code: str
    capabilities: frozenset[Capability]

    def describe_instrument(self, token: str) -> Instrument: ...

    def start(self, request: StartRequest) -> Answer: ...

    def query(self, request: MovementRequest) -> Answer: ...

    def capture(self, request: MovementRequest) -> Answer: ...

    def void(self, request: MovementRequest) -> Answer:
        """Release an authorisation, or close what was not paid. CANCELLED when nothing is or will be taken."""
        ...

    def refund(self, request: MovementRequest) -> Answer: ...

    def query_refund(self, request: MovementRequest) -> Answer: ...

    def read_notice(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """Verify the raw body, then translate. Raises a `NoticeRefused`; header names are lower case."""
        ...

    def acknowledge(self) -> Acknowledgement: ...

    def refuse(self, refusal: NoticeRefused) -> Acknowledgement: ...
