"""Add a passkey to a customer's account."""

from checkout.facts import Viewer
from checkout.selectors.customers import has_paid
from risk.errors import PasskeyRefused
from risk.services.register_passkey import register_passkey


def add_passkey(*, viewer: Viewer, nonce: str, answer: str, label: str) -> str:
    """This will keep the passkey that the viewer's browser made; returns psk_….

    Only who has paid an order may add one: an account that was just made proves nothing by a passkey of its own.
    Raises `PasskeyRefused`.
    """
    if not has_paid(viewer):
        raise PasskeyRefused("A passkey can be added once an order of yours is paid.")
    return register_passkey(
        customer=viewer.customer, nonce=nonce, answer=answer, label=label, actor=viewer.actor
    )
