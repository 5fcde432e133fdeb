"""What risk is told about an order."""

import hashlib
from collections.abc import Iterable
from datetime import datetime

import phonenumbers

from checkout.conduct import Conduct
from checkout.facts import Client
from checkout.models import Order
from checkout.selectors.customers import customer_history
from risk import places
from risk.facts import AddressFacts, BehaviourFacts, CustomerFacts, DeviceFacts, PaymentFacts


def facts_about(
    order: Order, *, skus: Iterable[str], client: Client, stage: str, now: datetime
) -> PaymentFacts:
    """The order, its customer's history and the device that asks now (not the one that ordered)."""
    history = customer_history(user_id=order.user_id, email=order.email, device_id=client.device_id)
    where = places.of_address(client.ip)
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
            verification_level=history.level,
        ),
        delivery=AddressFacts(country=order.country, hash=_address_hash(order.address)),
        device=DeviceFacts(
            identifier=client.device_id,
            fingerprint=client.conduct.fingerprint,
            label=client.label,
            is_new=bool(client.device_id) and history.paid_orders > 0 and not history.device_seen,
            ip=client.ip,
            ip_country=where.country,
            is_proxy=where.is_proxy,
            latitude_e6=where.latitude_e6,
            longitude_e6=where.longitude_e6,
        ),
        behaviour=_behaviour(client.conduct),
        skus=tuple(skus),
    )


def _behaviour(conduct: Conduct) -> BehaviourFacts:
    return BehaviourFacts(
        seconds_on_page=conduct.seconds_on_page,
        keystrokes=conduct.keystrokes,
        keystroke_ms=conduct.keystroke_ms,
        pastes=conduct.pastes,
        address_changes=conduct.address_changes,
        coupon_attempts=conduct.coupon_attempts,
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
