"""Send the code of a challenged payment again, or another way."""

from checkout.errors import OrderNotFound
from checkout.facts import WRITE_ORDERS, Client, Viewer
from checkout.selectors.contacts import contacts_of
from checkout.selectors.orders import find
from payments import selectors
from payments.errors import PaymentNotFound
from payments.selectors import PaymentView
from risk.errors import ChallengeOver
from risk.services.send_challenge_code import send_challenge_code


def resend_code(*, payment: str, viewer: Viewer, client: Client, kind: str) -> PaymentView:
    """This will send a new code by `kind` ("email", "sms") to where the order's customer is reached.

    Raises `PaymentNotFound`, and what `send_challenge_code` raises. Asks a messenger: must run outside any
    transaction.
    """
    found = selectors.payment(payment)
    try:
        order = find(found.reference, viewer, WRITE_ORDERS)
    except OrderNotFound as hidden:
        raise PaymentNotFound(f"There is no payment {payment[:40]!r}.") from hidden
    if not found.challenge:
        raise ChallengeOver("This payment does not wait for a code.")
    send_challenge_code(
        challenge=found.challenge,
        owner=client.session,
        kind=kind,
        contacts=contacts_of(order),
        language=client.language,
    )
    return selectors.payment(found.id)
