from datetime import timedelta

from django.utils import timezone

from payments import selectors
from payments.models import Attempt, Payment
from payments.selectors import PaymentView
from payments.services.send_attempt import send_attempt
from payments.states import AttemptState

# Customers reload and pages poll: the provider is not asked more often than this about one attempt.
_PATIENCE = timedelta(seconds=2)


def refresh_payment(*, payment: str) -> PaymentView:
    """This will ask the provider what became of everything open on the payment, and apply what it says.

    For a customer who comes back from the provider before its notification. Opens its own transactions. Raises
    `PaymentNotFound`.
    """
    found = selectors.payment(payment)
    settled_before = timezone.now() - _PATIENCE
    for attempt in Attempt.objects.filter(payment__in=Payment.objects.by_public_id(found.id)).open():
        # A first call that has not come back is still being made by somebody.
        if (
            attempt.state != AttemptState.CREATED
            and attempt.answered_at
            and attempt.answered_at < settled_before
        ):
            send_attempt(attempt=attempt, again=True)
    return selectors.payment(found.id)
