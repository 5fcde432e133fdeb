"""What risk is told about an order."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from checkout.conduct import Conduct
from checkout.facts import Client
from checkout.models import Order
from checkout.selectors.customers import customer_history
from risk import naming, places
from risk.facts import AddressFacts, BehaviourFacts, CustomerFacts, DeviceFacts, InstrumentFacts, PaymentFacts

# A proxy that does not say for whom it asks: what strangers share says nothing of any of them.
_THIS_MACHINE = ("127.0.0.1", "::1")
_DOOR = ("country", "postal_code", "city", "line1")


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
            email_hash=naming.email_name(order.email),
            phone_hash=naming.phone_name(order.address.get("phone", ""), order.country),
            paid_orders=history.paid_orders,
            registered_at=history.registered_at,
            verification_level=history.level,
        ),
        delivery=AddressFacts(country=order.country, hash=_address_name(order.address)),
        device=DeviceFacts(
            identifier=client.device_id,
            fingerprint=client.conduct.fingerprint,
            label=client.label,
            is_new=bool(client.device_id) and history.paid_orders > 0 and not history.device_seen,
            ip="" if client.ip in _THIS_MACHINE else client.ip,
            ip_country=where.country,
            is_proxy=where.is_proxy,
            latitude_e6=where.latitude_e6,
            longitude_e6=where.longitude_e6,
        ),
        behaviour=_behaviour(client.conduct),
        skus=tuple(skus),
        coupon=bool(order.coupon),
    )


def facts_told(told: Mapping[str, Any], *, now: datetime) -> PaymentFacts:
    """An order that is not placed, from the body of a request; who is told of here is known to nobody else."""
    customer, address = dict(told.get("customer", {})), told.get("address")
    device, email = dict(told.get("device", {})), customer.pop("email", "")
    place: dict[str, str] = {part: getattr(address, part) for part in ("phone", *_DOOR)} if address else {}
    return PaymentFacts(
        stage="order",
        subject=told["reference"],
        amount=told["amount"].minor,
        currency=told["amount"].currency,
        happened_at=now,
        customer=CustomerFacts(
            email_hash=naming.email_name(email) if email else "",
            phone_hash=naming.phone_name(place.get("phone", ""), place.get("country", "")),
            **customer,
        ),
        instrument=InstrumentFacts(**told.get("instrument", {})),
        delivery=AddressFacts(country=place["country"], hash=_address_name(place))
        if place
        else AddressFacts(),
        device=DeviceFacts(ip_country=device.pop("country", ""), **device),
        behaviour=BehaviourFacts(**told.get("behaviour", {})),
        skus=tuple(told.get("skus", ())),
        coupon=told.get("coupon", False),
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


def account_facts(user_id: int) -> CustomerFacts:
    """What of an account decides how much it may pay."""
    history = customer_history(user_id=user_id, email="", device_id="")
    return CustomerFacts(
        reference=f"cus_{user_id}",
        paid_orders=history.paid_orders,
        registered_at=history.registered_at,
        verification_level=history.level,
    )


def _address_name(address: dict[str, str]) -> str:
    return naming.address_name(**{part: address[part] for part in _DOOR})
