"""What every channel promises. Pure: dataclasses, enums and one protocol; no Django.

A channel translates; it decides nothing and stores nothing. It never raises for what a provider answered or
failed to answer: a refusal is `DECLINED` or `ERRORED`, and no clear answer (time out, reset, 5xx, an answer whose
signature does not verify) is `UNKNOWN`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from ledger.money import Money


class Capability(StrEnum):
    MANUAL_CAPTURE = "manual_capture"
    PARTIAL_CAPTURE = "partial_capture"  # less than what is held, once; the rest is let go
    MULTI_CAPTURE = "multi_capture"  # several captures of one hold
    VOID = "void"
    CLOSE = "close"
    REFUND = "refund"
    PARTIAL_REFUND = "partial_refund"
    THREE_D_SECURE = "three_d_secure"
    QR = "qr"
    REDIRECT = "redirect"
    IN_APP = "in_app"  # inside the wallet's own browser
    TRANSFER = "transfer"  # the customer sends the money by bank
    SAVED_INSTRUMENT = "saved_instrument"
    DISPUTE = "dispute"
    STATEMENT = "statement"
    ABNORMAL_REFUND = "abnormal_refund"  # what the customer's bank did not take goes to our bank account


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
    FORM = "form"  # a form that the browser posts to the provider: {"url", "fields"} as JSON
    IN_APP = "in_app"  # parameters for the bridge of the wallet's own browser, as JSON
    TRANSFER = "transfer"  # where to send the money and under which words, as JSON
    CHALLENGE = "challenge"  # ours, before any channel was asked: how to answer it, as JSON


@dataclass(frozen=True, slots=True)
class NextAction:
    kind: ActionKind
    value: str  # the URL, the QR's text, or JSON as the kind says
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
    wallet: str = ""  # "apple_pay" …: then the digits are the device's own, not the card's
    three_d_secure: bool = True  # whether its bank can be asked to confirm


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
    device: str = "desktop"  # or "phone", or "in_app" for the wallet's own browser
    client_ip: str = ""
    method: str = ""  # a `PaymentMethod`, for channels that serve several
    payer: str = ""  # who pays, as the wallet calls them (openid)
    customer: str = ""  # the channel's token of the customer, for instruments that are kept
    keep_instrument: bool = False  # the customer agreed to have the card kept for the next time
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MovementRequest:
    """Query, capture, void, close or refund what an earlier `StartRequest` began.

    `final` says of a capture that no other follows: what is held beyond it is let go. `captured_before` is what was
    captured when this capture was first asked for, in minor units.
    `reference` and `channel_reference` name the payment's attempt (ours, theirs; theirs is empty when no answer
    came). `amount` is the sum to capture or refund. `movement_reference` names the refund (ref_…), `cause` why it is
    given ("fraudulent"). `total` is the sum first asked for. `start` is the first request, for channels that ask by
    sending it again under the same key (its replay can not charge twice).
    """

    key: str
    reference: str
    channel_reference: str
    total: Money
    amount: Money | None = None
    movement_reference: str = ""
    reason: str = ""
    cause: str = ""
    notify_url: str = ""
    start: StartRequest | None = None
    final: bool = True
    captured_before: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one call, in our words. `amount` is the money the provider says it moved or holds.

    Of a payment, `amount` is the whole sum that was asked for, and `captured` what was taken of it so far, where
    the channel takes it in parts. `held_until` is when the provider lets an authorisation go by itself. `movement`
    names the money itself, where somebody may send it twice for one payment (a bank's line).
    """

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
    captured: Money | None = None
    held_until: datetime | None = None
    movement: str = ""


class DisputeNewsState(StrEnum):
    """Where a dispute stands, as the provider says."""

    WARNING = "warning"  # an inquiry: no money was withdrawn
    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    WON = "won"  # or withdrawn by the customer's bank
    LOST = "lost"  # also when it was accepted, or nobody answered in time


@dataclass(frozen=True, slots=True)
class DisputeNews:
    """What the provider says of one dispute. `reference` is the provider's name for it (dp_…).

    `reason` is in the provider's words ("fraudulent", "product_not_received" …). `withdrawn` is what is taken from
    us now (None: unchanged or unknown), `fee` what the dispute itself costs us. `withdrawn_at` and `reinstated_at` say
    when money was taken and given back, where the provider does.
    """

    reference: str
    state: DisputeNewsState
    amount: Money
    reason: str
    due_by: datetime | None = None
    withdrawn: Money | None = None
    fee: Money | None = None
    submitted: bool = False
    happened_at: datetime | None = None
    withdrawn_at: datetime | None = None
    reinstated_at: datetime | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)


class NoticeKind(StrEnum):
    PAYMENT = "payment"
    REFUND = "refund"
    DISPUTE = "dispute"
    OTHER = "other"  # understood, of no consequence to us: stored and acknowledged


@dataclass(frozen=True, slots=True)
class Notice:
    """One verified notification. `event_id` is unique per channel and stays the same across redeliveries."""

    event_id: str
    kind: NoticeKind
    reference: str  # our att_… (from out_trade_no, metadata …); "" where `answer.channel_reference` names it
    answer: Answer
    movement_reference: str = ""  # our ref_…, for refunds
    dispute: DisputeNews | None = None
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


@dataclass(frozen=True, slots=True)
class EvidenceRequest:
    """What we answer to a dispute. `texts` and `files` are keyed by the provider-neutral names of
    `payments.evidence`; the values of `files` are what `upload_evidence` returned. Submitting is final."""

    key: str
    dispute: str
    texts: Mapping[str, str]
    files: Mapping[str, str] = field(default_factory=dict)


class EvidenceRefused(Exception):
    """The provider does not take this file or text; the message says why."""


class DisputeDesk(Protocol):
    """What a channel with `Capability.DISPUTE` also does. Unclear answers raise `ChannelUnavailable`."""

    def query_dispute(self, reference: str) -> DisputeNews: ...

    def upload_evidence(self, *, key: str, name: str, content_type: str, content: bytes) -> str:
        """Raises `EvidenceRefused`."""
        ...

    def submit_evidence(self, request: EvidenceRequest) -> DisputeNews:
        """Raises `EvidenceRefused`. The same key again returns what the first try led to."""
        ...

    def accept_dispute(self, *, key: str, reference: str) -> DisputeNews: ...


class AbnormalRefundDesk(Protocol):
    """What a channel with `Capability.ABNORMAL_REFUND` also does. It answers `refund` and `query_refund` with PENDING
    and the code "ABNORMAL" while such a refund waits for us."""

    def finish_abnormal_refund(self, request: MovementRequest) -> Answer:
        """Have the money sent to our own bank account, from which the customer is paid then. Under the same
        `movement_reference`; asking twice is asking once."""
        ...


class InstrumentVault(Protocol):
    """What a channel with `Capability.SAVED_INSTRUMENT` also does."""

    def open_customer(self, *, key: str, reference: str) -> str:
        """The channel's token for our customer `reference`; the same key returns the same one."""
        ...

    def forget_instrument(self, token: str) -> None:
        """After this the token pays nothing. Forgetting one that is gone is no error."""
        ...


class StatementNotReady(Exception):
    """The provider has not written this day's statement yet; ask again later."""


class StatementUnavailable(Exception):
    """There is none and will be none for this day; the message says why."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A provider's file as it came, unchanged but for what the transport wrapped around it. `day` is the
    provider's own day. An empty day is a statement with no `content`."""

    channel: str
    kind: str
    day: date
    name: str
    content: bytes


class StatementSource(Protocol):
    """What a channel with `Capability.STATEMENT` also does."""

    statement_kinds: tuple[str, ...]

    def fetch_statement(self, kind: str, day: date) -> Statement:
        """Raises `StatementNotReady`, `StatementUnavailable`, `ChannelUnavailable`."""
        ...
