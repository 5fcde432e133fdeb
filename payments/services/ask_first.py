from payments.models import Attempt, Payment
from payments.services.send_attempt import send_attempt
from payments.states import AttemptState


def ask_first(*, payment: str) -> None:
    """This will ask the provider about every movement of the payment whose outcome is UNKNOWN.

    Before anything else is done with its money. Opens its own transactions: none may be open.
    """
    rows = Payment.objects.by_public_id(payment)
    for attempt in Attempt.objects.filter(payment__in=rows, state=AttemptState.UNKNOWN, mismatch=""):
        send_attempt(attempt=attempt, again=True)
