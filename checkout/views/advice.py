"""What to tell a customer whose payment did not work: why, as far as we may say, and what to do next."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from payments.selectors import PaymentView

# Banks' words for a lost or stolen card are not repeated: the person paying may not be its owner.
_REASONS: dict[str, Promise] = {
    "insufficient_funds": _("The bank says that there is not enough money on the card."),
    "card_velocity_exceeded": _("The card has reached a limit set by the bank."),
    "expired_card": _("The card has expired."),
    "incorrect_cvc": _("The security code was not right."),
    "incorrect_number": _("The card number was not right."),
    "processing_error": _("The bank could not process the payment just now."),
    "authentication_required": _("The bank wants you to confirm the payment."),
    "payment_intent_authentication_failure": _("The bank could not confirm that it was you."),
    "authentication_failed": _("The bank could not confirm that it was you."),
    "expired": _("The time to pay ran out."),
}
_STEPS: dict[str, Promise] = {
    "try_again": _("Try once more in a moment, or choose another method."),
    "other_card": _("Use another card, or choose another method."),
    "other_method": _("Choose another method below."),
    "step_up": _("Try once more and confirm the payment with your bank, or choose another method."),
    "contact_bank": _("Ask the bank that issued the card, or choose another method."),
    "stop": _("Choose another method. Please do not try this card again."),
}
_NO_REASON = _("The bank declined the payment and gave no reason.")
_ANY_STEP = _("Try again with another card or another method.")


def reason(payment: PaymentView) -> str:
    return str(_REASONS.get(payment.failure_code, _NO_REASON))


def next_step(payment: PaymentView) -> str:
    return str(_STEPS.get(payment.advice, _ANY_STEP))
