"""The provider-neutral names of what proves a sale, and which of it matters for which kind of dispute. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

TEXTS: Mapping[str, str] = {
    "customer_name": "Customer's name",
    "customer_email": "Customer's e-mail address",
    "customer_ip": "Address of the customer's device on the internet",
    "billing_address": "Billing address",
    "shipping_address": "Shipping address",
    "shipping_carrier": "Carrier",
    "shipping_tracking": "Tracking number",
    "shipped_on": "Shipped on",
    "product_description": "What was sold",
    "service_date": "When the service was given",
    "access_log": "How the payment was made and checked",
    "duplicate_explanation": "Why this is no second charge for the same thing",
    "refund_policy": "Refund policy, as shown to the customer",
    "refund_refusal": "Why no refund is owed",
    "cancellation_policy": "Cancellation policy, as shown to the customer",
    "cancellation_rebuttal": "Why the order was not cancelled in time",
    "other_text": "Anything else",
}
FILES: Mapping[str, str] = {
    "receipt": "Receipt",
    "shipping_document": "Proof of shipping or delivery",
    "customer_message": "Messages with the customer",
    "service_document": "Proof of service",
    "signature": "Customer's signature",
    "other_file": "Another document",
}
LONGEST_TEXT = 20_000
LONGEST_FILE = 5 * 1024 * 1024

_SALE = ("product_description", "customer_name", "customer_email", "receipt")
_SHIPPING = ("shipping_address", "shipping_carrier", "shipping_tracking", "shipped_on", "shipping_document")
# category → what a bank looks at first
MATTERS: Mapping[str, tuple[str, ...]] = {
    "fraud": (*_SALE, "customer_ip", "access_log", "billing_address", *_SHIPPING, "signature"),
    "not_received": (*_SALE, *_SHIPPING, "service_date", "service_document"),
    "not_as_described": (*_SALE, "refund_policy", "refund_refusal", "customer_message"),
    "duplicate": (*_SALE, "duplicate_explanation"),
    "not_refunded": (*_SALE, "refund_policy", "refund_refusal", "customer_message"),
    "cancelled": (*_SALE, "cancellation_policy", "cancellation_rebuttal", "customer_message"),
    "other": (*_SALE, "access_log", "other_text", "other_file"),
}
_CATEGORY = {
    "fraudulent": "fraud",
    "unrecognized": "fraud",
    "debit_not_authorized": "fraud",
    "product_not_received": "not_received",
    "product_unacceptable": "not_as_described",
    "duplicate": "duplicate",
    "credit_not_processed": "not_refunded",
    "subscription_canceled": "cancelled",
}
_MAGIC = {b"%PDF-": "application/pdf", b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


@dataclass(frozen=True, slots=True)
class Paper:
    """A file as it is handed over: not stored yet."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Pack:
    """What our own records say: texts and files by their neutral names."""

    texts: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Paper] = field(default_factory=dict)


def category_of(reason: str) -> str:
    """The neutral category of a provider's reason; "other" for what nobody has met."""
    return _CATEGORY.get(reason, "other")


def content_type_of(content: bytes) -> str:
    """What the first bytes say it is, whatever its name says; "" for what no bank takes."""
    return next((kind for start, kind in _MAGIC.items() if content.startswith(start)), "")


def in_order(category: str, names: Mapping[str, str]) -> list[tuple[str, str, bool]]:
    """(name, label, whether it matters for this category), what matters first."""
    matters = MATTERS.get(category, MATTERS["other"])
    ranked = sorted(names, key=lambda name: matters.index(name) if name in matters else len(matters))
    return [(name, names[name], name in matters) for name in ranked]
