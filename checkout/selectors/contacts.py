"""Where a customer can be reached to confirm a payment."""

from collections.abc import Mapping

import phonenumbers
from django.contrib.auth import get_user_model

from checkout.facts import READ_ORDERS, Viewer
from checkout.models import Order
from checkout.selectors.orders import find
from checkout.states import PAID
from risk import challenges
from risk.states import ChallengeKind


def contacts_of(order: Order) -> Mapping[str, str]:
    """By kind of code; what is not known is left out.

    Whoever took over an account can type any address into a new order, so an account is reached by its own e-mail
    address and by the phone of its first paid order. A guest is reached as the order says: there is nothing else.
    """
    if order.user_id is None:
        return _known(order.email, order.address.get("phone", ""), order.country)
    user = get_user_model().objects.filter(pk=order.user_id).values_list("email", flat=True).first()
    first = Order.objects.filter(user_id=order.user_id, state__in=PAID).order_by("created_at").first()
    known = first or order
    return _known(user or known.email, known.address.get("phone", ""), known.country)


def sendable_kinds(order_id: str, viewer: Viewer, *, challenge: str) -> frozenset[str]:
    """The kinds by which the order's customer would be sent a new code now.

    Raises `OrderNotFound`, `ChallengeNotFound`.
    """
    return challenges.sendable(challenge, contacts=contacts_of(find(order_id, viewer, READ_ORDERS)))


def _known(email: str, phone: str, country: str) -> Mapping[str, str]:
    found = {ChallengeKind.EMAIL: email, ChallengeKind.SMS: _dialled(phone, country)}
    return {str(kind): to for kind, to in found.items() if to}


def _dialled(phone: str, country: str) -> str:
    """As a gateway dials it; empty for what is no number that a message could reach."""
    try:
        parsed = phonenumbers.parse(phone, country)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_valid_number(parsed):
        return ""
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
