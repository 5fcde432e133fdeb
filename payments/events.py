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
    """The customer is with the provider (3-D Secure, QR), or answers our challenge, until `expires_at` (ISO 8601).

    `reviewed` when a person let it go on: the time that this took is not the customer's.
    """

    name: ClassVar[str] = "payment.action_required"
    expires_at: str
    reviewed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentSucceeded(PaymentEvent):
    """The first money of it was taken: all, or a part of what is held. `capture` is the name that whoever asked for
    the capture gave it."""

    name: ClassVar[str] = "payment.succeeded"
    captured: int
    capture: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAuthorized(PaymentEvent):
    """The money is held until `held_until` (ISO 8601), to be taken when the caller says so."""

    name: ClassVar[str] = "payment.authorized"
    authorized: int
    held_until: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCaptured(PaymentEvent):
    """Another part of what is held was taken; of the first one, `PaymentSucceeded` tells."""

    name: ClassVar[str] = "payment.captured"
    captured: int  # by this capture
    captured_total: int
    capture: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCaptureRefused(PaymentEvent):
    """A capture took nothing and will not: whoever named it `capture` waits no longer."""

    name: ClassVar[str] = "payment.capture_refused"
    capture: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentReleased(PaymentEvent):
    """What was held beyond the captured was let go. `reason`: "captured" (the last capture said so), "lapsed", or
    why it was voided."""

    name: ClassVar[str] = "payment.released"
    released: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentLapsing(PaymentEvent):
    """The provider lets what is held go soon: take it before `held_until` (ISO 8601), or lose it."""

    name: ClassVar[str] = "payment.lapsing"
    held: int
    held_until: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFailed(PaymentEvent):
    """No money moved. The same payment may be tried again while the order lives."""

    name: ClassVar[str] = "payment.failed"
    code: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentCancelled(PaymentEvent):
    """Closed or voided: no money was kept. `reason`: "customer", "merchant", "expired", "replaced",
    "not_owed", "review_rejected", "review_expired", "risk_rejected", "challenge_failed", "challenge_expired",
    "late_authorization", "capture_refused" or "lapsed" (the provider let go of what it held)."""

    name: ClassVar[str] = "payment.cancelled"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMismatched(PaymentEvent):
    """The provider speaks of another amount or currency than ours: nothing was applied."""

    name: ClassVar[str] = "payment.mismatched"
    told_amount: int
    told_currency: str
    source: (
        str  # "notice", "query", "answer", "dispute"; "refund": one that was refused is said to have happened
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequested(PaymentEvent):
    """It will be sent to the channel: newly asked for, approved, or tried again."""

    name: ClassVar[str] = "refund.requested"
    refund: str
    requested: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundAwaitingApproval(PaymentEvent):
    """Counted against the payment; nothing is sent before a second person agrees."""

    name: ClassVar[str] = "refund.awaiting_approval"
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
class DisputeEvent(PaymentEvent):
    """`withdrawn` is what the channel keeps from us now; `due_by` (ISO 8601, or "") ends the time to answer."""

    dispute: str  # dsp_…
    state: str
    disputed: int
    withdrawn: int
    reason: str  # a category of `payments.evidence`
    due_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeOpened(DisputeEvent):
    """`double_risk` when money of the same payment is on its way back by a refund, too."""

    name: ClassVar[str] = "dispute.opened"
    double_risk: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeUpdated(DisputeEvent):
    name: ClassVar[str] = "dispute.updated"


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeClosed(DisputeEvent):
    """WON, LOST, ACCEPTED or EXPIRED. It may be told again: an appeal can turn LOST into WON."""

    name: ClassVar[str] = "dispute.closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeDueSoon(DisputeEvent):
    name: ClassVar[str] = "dispute.due_soon"
    hours_left: int


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
