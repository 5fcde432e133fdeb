"""What Stripe's refusal codes mean for the customer's next step, as data."""

from types import MappingProxyType

from payments.channels.contract import Advice, Outcome
from payments.channels.meanings import Meaning, Reaction

# A decline code says more than the error code that it comes with, so it is looked up first.
ADVICE: dict[str, Advice] = {
    # the issuer declined
    "approve_with_id": Advice.TRY_AGAIN,
    "authentication_required": Advice.STEP_UP,
    "authentication_not_handled": Advice.STEP_UP,
    "call_issuer": Advice.CONTACT_BANK,
    "card_not_supported": Advice.OTHER_CARD,
    "card_velocity_exceeded": Advice.CONTACT_BANK,
    "currency_not_supported": Advice.OTHER_CARD,
    "do_not_honor": Advice.CONTACT_BANK,
    "do_not_try_again": Advice.OTHER_CARD,
    "duplicate_transaction": Advice.STOP,
    "expired_card": Advice.OTHER_CARD,
    "fraudulent": Advice.OTHER_METHOD,
    "generic_decline": Advice.OTHER_CARD,
    "incorrect_cvc": Advice.TRY_AGAIN,
    "incorrect_number": Advice.TRY_AGAIN,
    "incorrect_zip": Advice.TRY_AGAIN,
    "insufficient_funds": Advice.OTHER_CARD,
    "invalid_account": Advice.OTHER_CARD,
    "invalid_amount": Advice.CONTACT_BANK,
    "invalid_cvc": Advice.TRY_AGAIN,
    "invalid_expiry_month": Advice.TRY_AGAIN,
    "invalid_expiry_year": Advice.TRY_AGAIN,
    "invalid_number": Advice.TRY_AGAIN,
    "issuer_not_available": Advice.TRY_AGAIN,
    "lost_card": Advice.OTHER_METHOD,
    "merchant_blacklist": Advice.OTHER_METHOD,
    "new_account_information_available": Advice.OTHER_CARD,
    "no_action_taken": Advice.OTHER_CARD,
    "not_permitted": Advice.OTHER_CARD,
    "pickup_card": Advice.OTHER_METHOD,
    "processing_error": Advice.TRY_AGAIN,
    "reenter_transaction": Advice.TRY_AGAIN,
    "restricted_card": Advice.OTHER_METHOD,
    "security_violation": Advice.OTHER_CARD,
    "service_not_allowed": Advice.OTHER_CARD,
    "stolen_card": Advice.OTHER_METHOD,
    "test_mode_live_card": Advice.OTHER_CARD,
    "transaction_not_allowed": Advice.OTHER_CARD,
    "try_again_later": Advice.TRY_AGAIN,
    "withdrawal_count_limit_exceeded": Advice.OTHER_CARD,
    # the payment, or our request, was refused
    "card_declined": Advice.OTHER_CARD,
    "card_decline_rate_limit_exceeded": Advice.OTHER_CARD,
    "payment_intent_authentication_failure": Advice.OTHER_CARD,
    "payment_intent_payment_attempt_failed": Advice.OTHER_CARD,
    "payment_intent_payment_attempt_expired": Advice.TRY_AGAIN,
    "payment_method_invalid": Advice.TRY_AGAIN,
    "payment_method_provider_decline": Advice.OTHER_CARD,
    "resource_missing": Advice.TRY_AGAIN,
    "charge_disputed": Advice.STOP,
    "charge_already_refunded": Advice.STOP,
    "amount_too_large": Advice.STOP,
    "amount_too_small": Advice.STOP,
}


# What Stripe refuses before it looks at the card: our key or account is not in order.
_ACCOUNT = (
    "account_closed",
    "account_invalid",
    "api_key_expired",
    "not_authorised",
    "platform_api_key_expired",
    "secret_key_required",
    "testmode_charges_only",
    "tls_version_unsupported",
)
# Wrong with the request itself: another card would be refused as well.
_REQUEST = ("amount_too_large", "amount_too_small", "resource_missing")

MEANINGS = MappingProxyType(
    {
        **{
            code: Meaning(Outcome.ERRORED if code in _REQUEST else Outcome.DECLINED, Reaction(step))
            for code, step in ADVICE.items()
        },
        **{code: Meaning(Outcome.ERRORED, Reaction.OTHER_CHANNEL) for code in _ACCOUNT},
        "rate_limit": Meaning(Outcome.UNKNOWN, Reaction.RETRY_LATER),
        "lock_timeout": Meaning(Outcome.UNKNOWN, Reaction.RETRY_LATER),
    }
)


def advice(decline_code: str, code: str, otherwise: Advice) -> Advice:
    return ADVICE.get(decline_code) or ADVICE.get(code) or otherwise
