"""Bodies of answers: read off the frozen views that selectors return."""

from collections.abc import Callable
from functools import cached_property
from operator import attrgetter
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from checkout.states import OrderState, ShipmentState
from payments.channels.contract import ActionKind, Advice
from payments.states import CaptureMode, PaymentMethod, PaymentState, RefundCause, RefundState
from risk.allowances import DAY, MONTH, PAYMENT

_Written = tuple[str, serializers.Field[Any, Any, Any, Any], Callable[[Any], Any]]


class Answer(serializers.Serializer[Any]):
    """Output only."""

    # Attributes of an object, none of them a method; of all else the framework makes what it can.
    def to_representation(self, instance: Any) -> dict[str, Any]:
        try:
            values = [(name, field, read(instance)) for name, field, read in self._writing]
        except AttributeError:
            return dict(super().to_representation(instance))
        return {
            name: None if value is None else field.to_representation(value) for name, field, value in values
        }

    @cached_property
    def _writing(self) -> list[_Written]:
        return [
            (name, field, _itself if field.source == "*" else attrgetter(field.source or name))
            for name, field in self.fields.items()
        ]


def _itself(view: Any) -> Any:
    return view


class MoneyAnswer(Answer):
    amount = serializers.IntegerField(
        source="minor", help_text="Minor units: 12345 is 123.45 CNY, or 12345 JPY."
    )
    currency = serializers.CharField(help_text="ISO 4217.")


class _Titled(Answer):
    """`title` in the language of the request, which the view passes on."""

    title = serializers.SerializerMethodField(help_text="In the language of `Accept-Language`.")

    @extend_schema_field(str)
    def get_title(self, view: Any) -> str:
        return str(view.title(self.context["locale"]))


class SkuAnswer(_Titled):
    sku = serializers.CharField(source="code")
    description = serializers.SerializerMethodField()
    price = MoneyAnswer(help_text="Of one, before discounts and shipping.")
    available = serializers.IntegerField(help_text="Neither sold nor held by another order.")
    purchase_limit = serializers.IntegerField(allow_null=True, help_text="Per customer in 30 days.")

    @extend_schema_field(str)
    def get_description(self, view: Any) -> str:
        return str(view.description(self.context["locale"]))


class PageAnswer(Answer):
    next_cursor = serializers.CharField(allow_null=True, help_text="For the next page; null on the last one.")


class CatalogueAnswer(PageAnswer):
    data = SkuAnswer(many=True)  # type: ignore[assignment]


class PricedLineAnswer(Answer):
    sku = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_price = MoneyAnswer()
    base = MoneyAnswer(help_text="Unit price × quantity.")
    discount = MoneyAnswer()
    tax = MoneyAnswer(help_text="Added to the price.")
    tax_included = MoneyAnswer(help_text="Inside the price already.")
    total = MoneyAnswer(help_text="What the customer sees on the line: base − discount.")


class PreviewAnswer(Answer):
    lines = PricedLineAnswer(source="breakdown.lines", many=True)
    base = MoneyAnswer(source="breakdown.base")
    discounts = MoneyAnswer(source="breakdown.discounts")
    tax = MoneyAnswer(source="breakdown.tax")
    tax_included = MoneyAnswer(source="breakdown.tax_included")
    shipping = MoneyAnswer(source="breakdown.shipping")
    payable = MoneyAnswer(source="breakdown.payable", help_text="base − discounts + tax + shipping.")
    region = serializers.CharField(source="breakdown.region")
    rules_version = serializers.CharField(source="breakdown.rules_version")
    quote = serializers.CharField(help_text="Signed. Hand it to `POST orders` unread; it serves one order.")
    expires_at = serializers.DateTimeField()


class NextActionAnswer(Answer):
    kind = serializers.ChoiceField(choices=[kind.value for kind in ActionKind])
    value = serializers.CharField(
        help_text=(
            "An address to send the browser to, the text to draw as a QR code, or JSON. Of `challenge`: an object "
            "with `challenge`, `kind`, `kinds`, `sent_to`, `answers_left` and `codes_left`; see "
            "`GET payments/{id}/challenge`."
        )
    )
    expires_at = serializers.DateTimeField(allow_null=True)


class FailureAnswer(Answer):
    code = serializers.CharField(source="failure_code")
    message = serializers.CharField(source="failure_message")
    advice = serializers.ChoiceField(
        choices=[*[advice.value for advice in Advice], ""], help_text="What the customer can do next."
    )


class CardAnswer(Answer):
    brand = serializers.CharField()
    last4 = serializers.CharField()
    country = serializers.CharField(source="card_country", help_text="The issuer's.")


class PaymentAnswer(Answer):
    id = serializers.CharField(help_text="pay_…")
    order = serializers.CharField(source="reference", help_text="ord_…")
    state = serializers.ChoiceField(choices=[state.value for state in PaymentState])
    method = serializers.ChoiceField(choices=[method.value for method in PaymentMethod])
    channel = serializers.CharField(help_text="The provider; empty until one was asked.")
    amount = MoneyAnswer()
    captured = MoneyAnswer()
    refunded = MoneyAnswer()
    refundable = MoneyAnswer()
    held = MoneyAnswer(help_text="Authorised, and neither captured nor let go.")
    held_until = serializers.DateTimeField(
        allow_null=True, help_text="When the provider lets it go by itself."
    )
    capture_mode = serializers.ChoiceField(choices=[mode.value for mode in CaptureMode])
    next_action = NextActionAnswer(allow_null=True, help_text="What the customer has to do now, if anything.")
    failure = serializers.SerializerMethodField(help_text="Why the last try failed. No money moved.")
    card = serializers.SerializerMethodField(help_text="What may be known of a card.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()

    @extend_schema_field(FailureAnswer(allow_null=True))
    def get_failure(self, view: Any) -> dict[str, Any] | None:
        return dict(FailureAnswer(view).data) if view.failure_code else None

    @extend_schema_field(CardAnswer(allow_null=True))
    def get_card(self, view: Any) -> dict[str, Any] | None:
        return dict(CardAnswer(view).data) if view.last4 else None


class OrderLineAnswer(_Titled):
    sku = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_price = MoneyAnswer()
    total = MoneyAnswer()


class OrderSummaryAnswer(Answer):
    id = serializers.CharField(help_text="ord_…")
    state = serializers.ChoiceField(choices=[state.value for state in OrderState])
    payable = MoneyAnswer()
    lines = OrderLineAnswer(many=True)
    placed_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(help_text="Stock is held for an unpaid order until then.")


class ShipmentLineAnswer(_Titled):
    sku = serializers.CharField()
    quantity = serializers.IntegerField()


class ShipmentAnswer(Answer):
    id = serializers.CharField(help_text="shp_…")
    order = serializers.CharField(help_text="ord_…")
    state = serializers.ChoiceField(choices=[state.value for state in ShipmentState])
    lines = ShipmentLineAnswer(many=True)
    amount = MoneyAnswer(help_text="Its share of what the order costs.")
    carrier = serializers.CharField()
    tracking = serializers.CharField()
    refusal = serializers.CharField(help_text="Why its money could not be taken; empty unless CALLED_OFF.")
    created_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField(allow_null=True)
    delivered_at = serializers.DateTimeField(allow_null=True)


class ShipmentsAnswer(Answer):
    data = ShipmentAnswer(many=True)  # type: ignore[assignment]


class OrdersAnswer(PageAnswer):
    data = OrderSummaryAnswer(many=True)  # type: ignore[assignment]


class ShortageAnswer(Answer):
    period = serializers.ChoiceField(choices=[PAYMENT, DAY, MONTH])
    limit = MoneyAnswer()
    left = MoneyAnswer(help_text="How much of the limit remains.")
    everywhere = serializers.BooleanField(help_text="Whether it stands in the way of every other method too.")


class PaymentOptionAnswer(Answer):
    method = serializers.ChoiceField(choices=[method.value for method in PaymentMethod])
    shortage = ShortageAnswer(allow_null=True, help_text="Why the method is not available for this amount.")


class PaymentOptionsAnswer(Answer):
    data = PaymentOptionAnswer(many=True)  # type: ignore[assignment]


class AddressAnswer(Answer):
    name = serializers.CharField()
    phone = serializers.CharField()
    country = serializers.CharField()
    region = serializers.CharField()
    city = serializers.CharField()
    line1 = serializers.CharField()
    line2 = serializers.CharField()
    postal_code = serializers.CharField()


class OrderAnswer(OrderSummaryAnswer):
    email = serializers.CharField()
    address = AddressAnswer()
    subtotal = MoneyAnswer()
    discount = MoneyAnswer()
    tax = MoneyAnswer()
    tax_included = MoneyAnswer()
    shipping = MoneyAnswer()
    refunded = MoneyAnswer()
    payments = PaymentAnswer(many=True, help_text="Newest first.")
    can_pay = serializers.BooleanField()
    can_cancel = serializers.BooleanField()
    can_refund = serializers.BooleanField()


class PlacedOrderAnswer(OrderAnswer):
    """The order, and for a guest the token that opens it: shown now and never again."""

    order_token = serializers.CharField(help_text="Send it as `Order-Token`. Empty for a signed-in customer.")


class RefundAnswer(Answer):
    id = serializers.CharField(help_text="ref_…")
    payment = serializers.CharField(help_text="pay_…")
    order = serializers.CharField(source="reference", help_text="ord_…")
    state = serializers.ChoiceField(choices=[state.value for state in RefundState])
    amount = MoneyAnswer()
    reason = serializers.CharField()
    cause = serializers.ChoiceField(
        choices=["", *[cause.value for cause in RefundCause]], help_text="Empty where none was given."
    )
    failure_code = serializers.CharField(source="code", help_text="Empty unless FAILED.")
    failure_message = serializers.CharField(source="message")
    arrives_in_days = serializers.SerializerMethodField(
        help_text="Working days, from and to, until the customer's account shows it."
    )
    created_at = serializers.DateTimeField()

    @extend_schema_field(serializers.ListField(child=serializers.IntegerField(), min_length=2, max_length=2))
    def get_arrives_in_days(self, view: Any) -> list[int]:
        return list(view.arrives)


class RefundsAnswer(Answer):
    data = RefundAnswer(many=True)  # type: ignore[assignment]


class FieldProblem(Answer):
    param = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class Problem(Answer):
    """RFC 9457. `code` is stable: switch on it, show `detail`."""

    type = serializers.CharField(help_text="A link to the code's documentation.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="What is wrong and what to do about it.")
    code = serializers.CharField()
    param = serializers.CharField(required=False, allow_null=True, help_text="The input at fault.")
