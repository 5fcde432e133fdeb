"""What payments tells the world. Pure: frozen dataclasses that know their name, subject and payload.

`reference` is the opaque name that the caller gave to what is being paid ("ord_…"). Amounts are minor units.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all events, of every app. `subject` orders delivery: events of one subject arrive in turn."""

    name: ClassVar[str]
    reference: str

    @property
    def subject(self) -> str:
        return self.reference

    def payload(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentEvent(Event):
    payment: str  # pay_…
    amount: int
    currency: str
    method: str
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentStarted(PaymentEvent):
    """Published before any money can move. A handler that raises vetoes the payment."""

    name: ClassVar[str] = "payment.started"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentHeldForReview(PaymentEvent):
    """A person decides by `decide_by` (ISO 8601); stock must be kept until then."""

    name: ClassVar[str] = "payment.held_for_review"
    decide_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentActionRequired(PaymentEvent):
    """The customer is with the provider (3-D Secure, QR) until `expires_at` (ISO 8601).

    `reviewed` when a person let it go on: the time that this took is not the customer's.
    """

    name: ClassVar[str] = "payment.action_required"
    expires_at: str
    reviewed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentSucceeded(PaymentEvent):
    name: ClassVar[str] = "payment.succeeded"
    captured: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFailed(PaymentEvent):
    """No money moved. The same payment may be tried again while the order lives."""

    name: ClassVar[str] = "payment.failed"
    code: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCancelled(PaymentEvent):
    """Closed or voided: no money was kept. `reason`: "customer", "expired", "replaced",
    "review_rejected", "review_expired", "risk_rejected", "late_authorization" or "capture_refused"."""

    name: ClassVar[str] = "payment.cancelled"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMismatched(PaymentEvent):
    """The provider speaks of another amount or currency than ours: nothing was applied."""

    name: ClassVar[str] = "payment.mismatched"
    told_amount: int
    told_currency: str
    source: str  # "notice", "query", "answer"; "refund" when one that was refused is said to have happened


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequested(PaymentEvent):
    name: ClassVar[str] = "refund.requested"
    refund: str
    requested: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundSucceeded(PaymentEvent):
    name: ClassVar[str] = "refund.succeeded"
    refund: str  # ref_…
    refunded: int  # this refund
    refunded_total: int  # of the payment so far


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundFailed(PaymentEvent):
    name: ClassVar[str] = "refund.failed"
    refund: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEndpointDisabled(Event):
    """`reference` is the endpoint (whe_…): it failed for too long, or said that it is gone."""

    name: ClassVar[str] = "webhook_endpoint.disabled"
    url: str
    reason: str
    created_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event that has happened, as those hear of it who listen to everything. `sequence` grows with time."""

    sequence: int
    id: str  # evt_…
    name: str
    subject: str
    payload: dict[str, Any]
    happened_at: datetime
    request_id: str = ""
