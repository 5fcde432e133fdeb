"""Bodies about the cards that a customer keeps."""

from typing import Any

from rest_framework import serializers

from checkout.api.serializers.answers import Answer, MoneyAnswer
from checkout.api.serializers.fields import StrictSerializer, Text
from checkout.api.serializers.requests import MoneyRequest
from payments.states import SavedMethodState

_LEFT_OUT = object()


class SavedMethodRequest(StrictSerializer):
    label = Text(max_length=60, allow_blank=True, required=False)  # type: ignore[assignment]
    is_default = serializers.BooleanField(
        required=False, help_text="True: offer this card first, in place of the one before."
    )
    single_limit = MoneyRequest(required=False, allow_null=True, help_text="At most in one payment.")
    daily_limit = MoneyRequest(required=False, allow_null=True, help_text="At most in 24 hours.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        limits = {
            name: money and money["money"]
            for name in ("single", "daily")
            if (money := attrs.pop(f"{name}_limit", _LEFT_OUT)) is not _LEFT_OUT
        }
        return {**attrs, "limits": limits}


class SavedMethodAnswer(Answer):
    id = serializers.CharField(help_text="sm_…")
    state = serializers.ChoiceField(choices=[SavedMethodState.ACTIVE.value, SavedMethodState.EXPIRED.value])
    brand = serializers.CharField()
    masked = serializers.CharField(help_text="All that is ever shown of the number.")
    last4 = serializers.CharField()
    country = serializers.CharField(help_text="Issuer's, ISO 3166-1 alpha-2.")
    funding = serializers.CharField()
    expires_on = serializers.CharField(help_text="Year and month.")
    label = serializers.CharField()  # type: ignore[assignment]
    is_default = serializers.BooleanField()
    single_limit = MoneyAnswer(allow_null=True)
    daily_limit = MoneyAnswer(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class SavedMethodsAnswer(Answer):
    data = SavedMethodAnswer(many=True)  # type: ignore[assignment]


class DeletedSavedMethodAnswer(Answer):
    id = serializers.CharField()
    deleted = serializers.BooleanField()
