"""What risk is told about an order."""

import hashlib
from collections.abc import Iterable
from datetime import datetime

import phonenumbers

from checkout.facts import Client
from checkout.models import Order
from checkout.selectors.customers import customer_history
from risk.facts import AddressFacts, CustomerFacts, DeviceFacts, PaymentFacts

# A proxy that does not say for whom it asks: what strangers share says nothing of any of them.
_THIS_MACHINE = ("127.0.0.1", "::1")


def facts_about(
    order: Order, *, skus: Iterable[str], client: Client, stage: str, now: datetime
) -> PaymentFacts:
    """The order, its customer's history and the device that asks now (not the one that ordered)."""
    history = customer_history(user_id=order.user_id, email=order.email, device_id=client.device_id)
    return PaymentFacts(
        stage=stage,
        subject=order.public_id,
        amount=order.payable,
        currency=order.currency,
        happened_at=now,
        customer=CustomerFacts(
            reference=f"cus_{order.user_id}" if order.user_id is not None else "",
            email_hash=_hash(order.email),
            phone_hash=_phone_hash(order.address.get("phone", ""), order.country),
            paid_orders=history.paid_orders,
            registered_at=history.registered_at,
        ),
        delivery=AddressFacts(country=order.country, hash=_address_hash(order.address)),
        device=DeviceFacts(
            identifier=client.device_id,
            is_new=bool(client.device_id) and history.paid_orders > 0 and not history.device_seen,
            ip="" if client.ip in _THIS_MACHINE else client.ip,
        ),
        skus=tuple(skus),
    )


def _address_hash(address: dict[str, str]) -> str:
    """The same for the same door, whoever the parcel is for and however it is spaced and capitalised."""
    place = (address[part] for part in ("country", "postal_code", "city", "line1"))
    return _hash("|".join("".join(part.casefold().split()) for part in place))


def _phone_hash(phone: str, country: str) -> str:
    """The same for the same number, however it is written; empty for what is none."""
    try:
        number = phonenumbers.parse(phone, country)
    except phonenumbers.NumberParseException:
        return ""
    return _hash(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
