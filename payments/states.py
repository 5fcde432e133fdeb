"""The states of payments, attempts, refunds and disputes, and which of them are final. Pure."""

from enum import StrEnum


class PaymentState(StrEnum):
    INIT = "INIT"
    RISK_CHECKING = "RISK_CHECKING"
    IN_REVIEW = "IN_REVIEW"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    PROCESSING = "PROCESSING"
    AUTHORIZED = "AUTHORIZED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"


class AttemptKind(StrEnum):
    """The movement that an attempt asks the channel for."""

    START = "START"  # authorise, or authorise and capture at once
    CAPTURE = "CAPTURE"
    VOID = "VOID"


class AttemptState(StrEnum):
    CREATED = "CREATED"
    SENT = "SENT"
    SUCCEEDED = "SUCCEEDED"
    DECLINED = "DECLINED"
    ERRORED = "ERRORED"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"


class RefundState(StrEnum):
    REQUESTED = "REQUESTED"
    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    PROCESSING = "PROCESSING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"


class RefundCause(StrEnum):
    """In the words that card networks know."""

    FRAUDULENT = "fraudulent"
    DUPLICATE = "duplicate"
    REQUESTED_BY_CUSTOMER = "requested_by_customer"


class InboxState(StrEnum):
    RECEIVED = "RECEIVED"
    APPLIED = "APPLIED"
    IGNORED = "IGNORED"
    FAILED = "FAILED"
    DEAD = "DEAD"


class DisputeState(StrEnum):
    WARNING = "WARNING"
    NEEDS_RESPONSE = "NEEDS_RESPONSE"
    UNDER_REVIEW = "UNDER_REVIEW"
    WON = "WON"
    LOST = "LOST"
    ACCEPTED = "ACCEPTED"
    EXPIRED = "EXPIRED"


class DisputeMovementKind(StrEnum):
    SUBMIT = "SUBMIT"
    ACCEPT = "ACCEPT"


class DisputeMovementState(StrEnum):
    SENT = "SENT"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"


class SavedMethodState(StrEnum):
    PENDING = "PENDING"  # agreed to, not charged yet
    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"  # shown still, pays nothing
    DELETED = "DELETED"


class RoutingPolicyState(StrEnum):
    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    RETIRED = "RETIRED"


class CaptureMode(StrEnum):
    """When the money that a channel can hold is taken."""

    AUTOMATIC = "automatic"  # at once
    MANUAL = "manual"  # when what was ordered is sent, in parts perhaps


class PaymentMethod(StrEnum):
    CARD = "card"
    APPLE_PAY = "apple_pay"
    ALIPAY = "alipay"
    WECHAT_PAY = "wechat_pay"
    UNIONPAY = "unionpay"
    E_CNY = "e_cny"
    BANK_TRANSFER = "bank_transfer"
    CRYPTO = "crypto"


# No money of the customer's is or can be moving any more without a new request.
SETTLED = frozenset({PaymentState.SUCCEEDED, PaymentState.CANCELLED})
# The payment may still take money: nothing else may be started for the same order.
LIVE = frozenset(PaymentState) - {PaymentState.CANCELLED}
OPEN_DISPUTE = frozenset({DisputeState.WARNING, DisputeState.NEEDS_RESPONSE, DisputeState.UNDER_REVIEW})
# The provider knows one way to lose; we say why.
LOST_DISPUTE = frozenset({DisputeState.LOST, DisputeState.ACCEPTED, DisputeState.EXPIRED})


class WebhookEndpointState(StrEnum):
    ENABLED = "ENABLED"
    DISABLED = "DISABLED"


class WebhookMessageState(StrEnum):
    WAITING = "WAITING"
    DELIVERED = "DELIVERED"
    DEAD = "DEAD"
