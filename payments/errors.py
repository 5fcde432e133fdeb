"""Why payments says no. Every class names the refusal; its `code` is stable and part of the API."""

from ledger.errors import Refusal


class PaymentNotFound(Refusal):
    code = "payment_not_found"
    status = 404


class RefundNotFound(Refusal):
    code = "refund_not_found"
    status = 404


class ChannelNotFound(Refusal):
    code = "channel_not_found"
    status = 404


class MethodUnavailable(Refusal):
    """No channel that is switched on serves this method for this amount and currency."""

    code = "method_unavailable"


class InstrumentInvalid(Refusal):
    """The card token is unknown to the channel or was used up: the card must be entered again."""

    code = "instrument_invalid"


class ChannelNotReachable(Refusal):
    """Nothing was asked for and no money moved; the same request may be sent again."""

    code = "channel_not_reachable"
    status = 503


class PaymentInProgress(Refusal):
    """Another request for the same payment is under way; ask again in a moment."""

    code = "payment_in_progress"
    status = 409


class PaymentOutcomeUnknown(Refusal):
    """The provider has not said what became of the money; nothing else may happen until it does."""

    code = "payment_outcome_unknown"
    status = 409


class PaymentAlreadySucceeded(Refusal):
    code = "payment_already_succeeded"
    status = 409


class PaymentNotRefundable(Refusal):
    """Nothing was captured, so nothing can be returned."""

    code = "payment_not_refundable"
    status = 409


class RefundExceedsCaptured(Refusal):
    """More than what was captured and is neither refunded nor on its way back."""

    code = "refund_exceeds_captured"


class RefundKeyReused(Refusal):
    """The same refund key came with another amount."""

    code = "refund_key_reused"
    status = 409


class ReviewNotFound(Refusal):
    """No payment waits for this case."""

    code = "review_not_found"
    status = 404


class ReviewNotReady(Refusal):
    """The channel has not authorised yet: there is nothing to capture or void."""

    code = "review_not_ready"
    status = 409


class NoticeNotFound(Refusal):
    """No notification has this identifier."""

    code = "notice_not_found"
    status = 404


class NotDead(Refusal):
    """It was applied or delivered, or is still being tried: there is nothing to replay."""

    code = "not_dead"
    status = 409


class WebhookEndpointNotFound(Refusal):
    code = "webhook_endpoint_not_found"
    status = 404


class WebhookMessageNotFound(Refusal):
    """This endpoint was never told of such an event, or it is forgotten."""

    code = "webhook_message_not_found"
    status = 404


class WebhookUrlInvalid(Refusal):
    """Not an https address in public."""

    code = "webhook_url_invalid"


class WebhookEventUnknown(Refusal):
    """No event has this name or pattern."""

    code = "webhook_event_unknown"


class WebhookEndpointIsDisabled(Refusal):
    """Nothing is sent to an endpoint that is switched off: switch it on first."""

    code = "webhook_endpoint_disabled"
    status = 409


class TooManyWebhookEndpoints(Refusal):
    """Delete one that is not used any more first."""

    code = "too_many_webhook_endpoints"
    status = 409
