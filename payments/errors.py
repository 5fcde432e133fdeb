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


class SavedMethodNotFound(Refusal):
    """Not one of the customer's, or given up."""

    code = "saved_method_not_found"
    status = 404


class SavedMethodExpired(Refusal):
    """The month on the card is over: enter its successor as a new card."""

    code = "saved_method_expired"


class SavedMethodLimit(Refusal):
    """More than the customer lets this card pay at once, or in 24 hours; nothing was asked for."""

    code = "saved_method_limit"


class SavedMethodLimitInvalid(Refusal):
    """A limit of nothing, in an unknown currency, or a daily one below the single one."""

    code = "saved_method_limit_invalid"


class CustomerUnknown(Refusal):
    """Only who is signed in can keep cards and pay with them."""

    code = "customer_unknown"
    status = 403


class CustomerStillPaying(Refusal):
    """A payment with one of the customer's cards is not over: erase once it is."""

    code = "customer_still_paying"
    status = 409


class InvalidRoutingPolicy(Refusal):
    """The policy's document can not be used; `param` names the rule or field."""

    code = "invalid_routing_policy"


class RoutingPolicyNotFound(Refusal):
    code = "routing_policy_not_found"
    status = 404


class RoutingPolicyNotSwitchable(Refusal):
    """A policy in this state can not take this step."""

    code = "routing_policy_not_switchable"
    status = 409


class InvalidChannelSwitch(Refusal):
    """A switch that says something that can not be; `param` names the field."""

    code = "invalid_channel_switch"


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


class PaymentNotCapturable(Refusal):
    """Nothing is held for this payment that could be taken or let go."""

    code = "payment_not_capturable"
    status = 409


class CaptureExceedsHeld(Refusal):
    """More than what is authorised and neither captured nor let go."""

    code = "capture_exceeds_held"


class CaptureKeyReused(Refusal):
    """The same capture key came with another payment or amount."""

    code = "capture_key_reused"
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


class RefundLimitReached(Refusal):
    """The channel takes no more refunds of this payment."""

    code = "refund_limit_reached"
    status = 409


class RefundWindowOver(Refusal):
    """The channel does not return money any more that was paid so long ago."""

    code = "refund_window_over"
    status = 409


class RefundNotWaiting(Refusal):
    """It waits for nobody's approval: somebody was quicker, or it never needed one."""

    code = "refund_not_waiting"
    status = 409


class SecondPersonNeeded(Refusal):
    """Nobody approves what they asked for themselves."""

    code = "second_person_needed"
    status = 403


class RefundNotFailed(Refusal):
    """Only a refund that failed can be tried again, settled by hand or closed."""

    code = "refund_not_failed"
    status = 409


class RefundNotFinishable(Refusal):
    """The channel does not wait for a person to finish this refund, or has no way to."""

    code = "refund_not_finishable"
    status = 409


class HandSettlementInvalid(Refusal):
    """A bank account or reference that can not be."""

    code = "hand_settlement_invalid"


class ReviewNotFound(Refusal):
    """No payment waits for this case."""

    code = "review_not_found"
    status = 404


class ReviewNotReady(Refusal):
    """The channel has not authorised yet: there is nothing to capture or void."""

    code = "review_not_ready"
    status = 409


class DisputeNotFound(Refusal):
    code = "dispute_not_found"
    status = 404


class DisputeNotOpen(Refusal):
    """It is under review or closed: there is nothing to answer any more."""

    code = "dispute_not_open"
    status = 409


class InquiryNotAcceptable(Refusal):
    """The bank only asks: no money was withdrawn that could be given up. A refund ends it."""

    code = "inquiry_not_acceptable"
    status = 409


class DisputePastDue(Refusal):
    """The time to answer is over."""

    code = "dispute_past_due"
    status = 409


class DisputeAlreadyAnswered(Refusal):
    """Evidence is submitted once, and accepting is final; one of them was done or is under way."""

    code = "dispute_already_answered"
    status = 409


class DisputeNotAnswerableHere(Refusal):
    """The channel takes no answers through its API: answer in the provider's own console."""

    code = "dispute_not_answerable_here"
    status = 409


class EvidenceInvalid(Refusal):
    """A text or file that can not be evidence: an unknown name, too long, too large, not PDF, PNG or JPEG."""

    code = "evidence_invalid"


class EvidenceEmpty(Refusal):
    """Nothing to submit: write a text or add a file first."""

    code = "evidence_empty"


class EvidenceFileNotFound(Refusal):
    code = "evidence_file_not_found"
    status = 404


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


class NothingToAsk(Refusal):
    """The provider has said what became of it, or was never asked for it."""

    code = "nothing_to_ask"
    status = 409


class NothingSecured(Refusal):
    """The payment has no money that counts for its order."""

    code = "nothing_secured"
    status = 409
