"""What a program tells of an order that it has not placed, and what risk says of it."""

from typing import Any

from rest_framework import serializers

from checkout.api.serializers.answers import Answer
from checkout.api.serializers.fields import Integer, IpAddress, StrictSerializer, Text, Word
from checkout.api.serializers.requests import AddressRequest, MoneyRequest
from checkout.facts import MAX_LINES, Address
from ledger.money import Money
from risk.states import Action, Level

_MOST_ORDERS = 10**6
_COUNTED: dict[str, Any] = {"min_value": 0, "max_value": 10**6, "required": False}


class AssessedCustomerRequest(StrictSerializer):
    reference = Text(max_length=64, required=False, help_text="Always the same for the same customer.")
    email = Text(max_length=254, required=False)
    paid_orders = Integer(min_value=0, max_value=_MOST_ORDERS, required=False)
    registered_at = serializers.DateTimeField(required=False)
    verification_level = Integer(min_value=0, max_value=3, required=False)


class AssessedInstrumentRequest(StrictSerializer):
    kind = Text(max_length=20, help_text="`card`, `alipay`, `wechat_pay`, …")
    country = Word(r"\A[A-Z]{2}\Z", required=False, help_text="The issuer's, ISO 3166-1 alpha-2.")
    fingerprint = Text(
        max_length=128, required=False, help_text="The provider's word for the card, never a number."
    )
    brand = Text(max_length=20, required=False)


class AssessedDeviceRequest(StrictSerializer):
    identifier = Text(max_length=128, required=False)
    fingerprint = Text(
        max_length=64, required=False, help_text="What the browser's script says it looks like."
    )
    ip = IpAddress(required=False)
    country = Word(r"\A[A-Z]{2}\Z", required=False, help_text="Of the network, ISO 3166-1 alpha-2.")
    is_new = serializers.BooleanField(required=False, help_text="Never seen with this customer before.")
    is_proxy = serializers.BooleanField(required=False)


class AssessedBehaviourRequest(StrictSerializer):
    seconds_on_page = Integer(**_COUNTED, help_text="From showing the form to sending it.")
    keystrokes = Integer(**_COUNTED)
    keystroke_ms = Integer(**_COUNTED, help_text="The middle time between two keys of one field.")
    pastes = Integer(**_COUNTED)
    address_changes = Integer(**_COUNTED, help_text="Since the customer's last order.")
    coupon_attempts = Integer(**_COUNTED, help_text="Codes that were tried since the customer's last order.")


class AssessmentRequest(StrictSerializer):
    reference = Text(max_length=64, help_text="Your name for what may become an order.")
    amount = MoneyRequest()
    customer = AssessedCustomerRequest(required=False)
    instrument = AssessedInstrumentRequest(required=False)
    address = AddressRequest(required=False, help_text="Of the delivery.")
    device = AssessedDeviceRequest(required=False, help_text="The customer's, not your server.")
    behaviour = AssessedBehaviourRequest(
        required=False, help_text="How the form was filled in; it can only raise risk."
    )
    skus = serializers.ListField(child=Text(max_length=64), max_length=MAX_LINES, required=False)
    coupon = serializers.BooleanField(required=False, help_text="A coupon takes something off the price.")

    def validate_amount(self, value: dict[str, Money]) -> Money:
        return value["money"]

    def validate_address(self, value: dict[str, str]) -> Address:
        return Address(**value)


class ReasonAnswer(Answer):
    code = serializers.CharField(help_text="Of the rule, list, limit or model.")
    text = serializers.CharField()
    weight = serializers.IntegerField(help_text="What it adds to the score.")


class AssessmentAnswer(Answer):
    id = serializers.CharField(source="decision", help_text="dec_…")
    action = serializers.ChoiceField(choices=[Action.ACCEPT.value, Action.REJECT.value])
    level = serializers.ChoiceField(choices=[level.value for level in Level])
    score = serializers.IntegerField(help_text="0 and up; the policy says what follows from which.")
    reasons: Any = ReasonAnswer(many=True)
    policy = serializers.CharField(help_text="Name and version.")
