"""Bodies of requests."""

from typing import Any
from urllib.parse import urlsplit

from rest_framework import serializers

from checkout.api.refusals import AmountInvalid, CurrencyUnknown, ReturnUrlInvalid
from checkout.api.serializers.fields import StrictSerializer, Text, WholeNumber, Word
from checkout.conduct import LONGEST
from checkout.errors import QuantityInvalid
from checkout.facts import MAX_LINES, MAX_QUANTITY, Address, Item, merge
from ledger.money import Money, UnknownCurrency
from payments.states import PaymentMethod, RefundCause

_LARGEST_AMOUNT = 10**15  # minor units: far above any sale, far below the column's bound
_PAYMENT = r"\Apay_[0-9a-z]{26}\Z"
_ORDER = r"\Aord_[0-9a-z]{26}\Z"
_CONDUCT = (
    "How the customer filled in your form: a JSON text of `visitor` (a browser fingerprint), `seconds`, `keys`, "
    "`tempo` (ms between two keys) and `pastes`, each if known. It is not believed, and can only raise the risk."
)


class ItemRequest(StrictSerializer):
    sku = Text(max_length=64)
    quantity = WholeNumber(
        min_value=1,
        max_value=MAX_QUANTITY,
        refusal=QuantityInvalid,
        message=f"Choose a whole number from 1 to {MAX_QUANTITY}.",
    )


class CartRequest(StrictSerializer):
    items = serializers.ListField(child=ItemRequest(), min_length=1, max_length=2 * MAX_LINES)

    def validate_items(self, value: list[dict[str, Any]]) -> tuple[Item, ...]:
        return tuple(Item(**item) for item in value)


class PreviewRequest(CartRequest):
    region = Word(r"\A[A-Z]{2}\Z", help_text="Country of delivery, ISO 3166-1 alpha-2.")
    coupon = Text(
        max_length=40, required=False, help_text="A code, once for each customer. It is in the quote."
    )


class AddressRequest(StrictSerializer):
    name = Text(max_length=200)
    phone = Text(max_length=40, allow_blank=True)
    country = Word(r"\A[A-Z]{2}\Z", help_text="ISO 3166-1 alpha-2.")
    region = Text(max_length=200, allow_blank=True, default="", help_text="Province or state.")
    city = Text(max_length=200)
    line1 = Text(max_length=200)
    line2 = Text(max_length=200, allow_blank=True, default="")
    postal_code = Text(max_length=20, allow_blank=True, default="")


class OrderRequest(CartRequest):
    quote = Text(max_length=4000, help_text="From the preview of these same items, unread and unchanged.")
    address = AddressRequest()
    email = Text(max_length=254)
    locale = serializers.ChoiceField(
        choices=["en", "zh-hans"],
        required=False,
        help_text="Of what the customer is sent; else `Accept-Language`.",
    )
    conduct = Text(max_length=LONGEST, required=False, help_text=_CONDUCT)

    def validate_address(self, value: dict[str, str]) -> Address:
        return Address(**value)


class NothingRequest(StrictSerializer):
    """An empty object: the address says all."""


class PaymentRequest(StrictSerializer):
    order = Word(_ORDER)
    method = serializers.ChoiceField(choices=[method.value for method in PaymentMethod])
    instrument = Word(
        r"\A[A-Za-z0-9_\-]{1,200}\Z",
        required=False,
        help_text="For cards: the token from the provider's card fields, never a number.",
    )
    saved_method = Word(
        r"\Asm_[0-9a-z]{26}\Z",
        required=False,
        help_text="For cards: one that the signed-in customer keeps, instead of `instrument`.",
    )
    keep_instrument = serializers.BooleanField(
        required=False, help_text="The signed-in customer agrees to have this card kept for the next time."
    )
    return_url = Text(
        max_length=500,
        required=False,
        help_text="Where the browser goes after a page of the provider's. Absolute, https or http.",
    )
    conduct = Text(max_length=LONGEST, required=False, help_text=_CONDUCT)

    def validate_return_url(self, value: str) -> str:
        try:
            parts = urlsplit(value)
            good = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.username is None
        except ValueError:
            good = False
        if not good or not value.isascii() or not value.isprintable() or " " in value:
            raise ReturnUrlInvalid("Give an absolute https:// or http:// address.", param="return_url")
        return value


class MoneyRequest(StrictSerializer):
    amount = WholeNumber(
        min_value=1,
        max_value=_LARGEST_AMOUNT,
        refusal=AmountInvalid,
        message="Give a whole number of minor units (12345 for 123.45 CNY), 1 or more.",
    )
    currency = Word(r"\A[A-Z]{3}\Z", help_text="ISO 4217.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"money": Money(attrs["amount"], attrs["currency"])}
        except UnknownCurrency as unknown:
            raise CurrencyUnknown(f"{unknown}.", param="amount.currency") from unknown


class ReasonRequest(StrictSerializer):
    reason = Text(max_length=300)


class PaymentRefundRequest(StrictSerializer):
    amount = MoneyRequest(required=False, help_text="Left out: all that is left to refund.")
    reason = Text(max_length=300)
    cause = serializers.ChoiceField(
        choices=[cause.value for cause in RefundCause],
        required=False,
        help_text="`fraudulent` teaches risk. With an API key only.",
    )

    def validate_amount(self, value: dict[str, Money]) -> Money:
        return value["money"]


class RefundRequest(PaymentRefundRequest):
    payment = Word(_PAYMENT)


class OrderRefundRequest(PaymentRefundRequest):
    lines = serializers.ListField(
        child=ItemRequest(),
        min_length=1,
        max_length=MAX_LINES,
        required=False,
        help_text="Articles to refund, at what was paid for them: discount and tax shares inside.",
    )
    shipping = serializers.BooleanField(required=False, help_text="The shipping, too.")
    restock = serializers.BooleanField(
        required=False,
        help_text="Put the articles up for sale again; left out: if they never left the house. Only the shop decides.",
    )

    def validate_lines(self, value: list[dict[str, Any]]) -> dict[str, int]:
        lines: dict[str, int] = {}
        for item in value:
            lines[item["sku"]] = lines.get(item["sku"], 0) + item["quantity"]
        return lines


class CaptureRequest(StrictSerializer):
    amount = MoneyRequest(required=False, help_text="Left out: all that is held.")
    final = serializers.BooleanField(
        required=False, default=False, help_text="Nothing more will be captured: let go of the rest."
    )

    def validate_amount(self, value: dict[str, Money]) -> Money:
        return value["money"]


class ShipmentRequest(StrictSerializer):
    items = serializers.ListField(
        child=ItemRequest(),
        min_length=1,
        max_length=MAX_LINES,
        required=False,
        help_text="What leaves. Left out: all that has not left.",
    )
    carrier = Text(max_length=60)
    tracking = Text(max_length=80, allow_blank=True, default="")

    def validate_items(self, value: list[dict[str, Any]]) -> dict[str, int]:
        return {item.sku: item.quantity for item in merge(Item(**item) for item in value)}
