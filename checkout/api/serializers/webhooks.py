"""Bodies about merchants' webhook endpoints."""

from typing import Any

from rest_framework import serializers

from checkout.api.serializers.answers import Answer, PageAnswer
from checkout.api.serializers.fields import StrictSerializer, Text, Word
from payments.states import WebhookEndpointState, WebhookMessageState

_EVENTS = 50
_STATES = [state.value for state in WebhookEndpointState]


class EventsField(serializers.ListField):
    child = Word(r"\A[a-z_.*]{1,60}\Z")

    def __init__(self, **options: Any) -> None:
        told = "Names (`order.paid`), families (`refund.*`) or `*`."
        super().__init__(min_length=1, max_length=_EVENTS, help_text=told, **options)


class EndpointRequest(StrictSerializer):
    url = Text(max_length=500, help_text="Public, https, port 443 or 8443.")
    events = EventsField()
    description = Text(max_length=200, allow_blank=True, default="")


class EndpointChangeRequest(StrictSerializer):
    url = Text(max_length=500, required=False)
    events = EventsField(required=False)
    description = Text(max_length=200, allow_blank=True, required=False)
    state = serializers.ChoiceField(choices=_STATES, required=False)


class ReplayRequest(StrictSerializer):
    message = Word(r"\Awhm_[0-9a-z]{26}\Z", required=False, help_text="One, also when it had arrived.")
    since = serializers.DateTimeField(required=False, help_text="Or all since then that did not arrive.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError("Name either a message or a time.")
        return attrs


class EndpointAnswer(Answer):
    id = serializers.CharField(help_text="whe_…")
    url = serializers.CharField()
    description = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField())
    state = serializers.ChoiceField(choices=_STATES)
    disabled_reason = serializers.CharField()
    failing_since = serializers.DateTimeField(allow_null=True, help_text="Since when nothing arrives.")
    previous_secret_until = serializers.DateTimeField(
        allow_null=True, help_text="Until then messages carry a second signature, by the secret before."
    )
    created_at = serializers.DateTimeField()


class EndpointsAnswer(Answer):
    data = EndpointAnswer(many=True)  # type: ignore[assignment]


class EndpointSecretAnswer(EndpointAnswer):
    secret = serializers.CharField(help_text="`whsec_…`, shown now and never again.")


class DeletedEndpointAnswer(Answer):
    id = serializers.CharField()
    deleted = serializers.BooleanField()


class WebhookTryAnswer(Answer):
    number = serializers.IntegerField()
    status = serializers.IntegerField(
        allow_null=True, help_text="HTTP status; null when there was no answer."
    )
    latency_ms = serializers.IntegerField()
    excerpt = serializers.CharField(help_text="The beginning of the answer, 1 KiB at most.")
    error = serializers.CharField()
    created_at = serializers.DateTimeField()


class WebhookMessageAnswer(Answer):
    id = serializers.CharField(help_text="whm_…, for a replay.")
    event = serializers.CharField(help_text="evt_…, sent as `webhook-id`.")
    type = serializers.CharField()
    subject = serializers.CharField()
    state = serializers.ChoiceField(choices=[state.value for state in WebhookMessageState])
    next_try_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    tries = WebhookTryAnswer(many=True, source="deliveries", help_text="Newest first.")


class WebhookMessagesAnswer(PageAnswer):
    data = WebhookMessageAnswer(many=True)  # type: ignore[assignment]


class ReplayAnswer(Answer):
    messages = serializers.IntegerField(help_text="How many are sent again.")


class WebhookTestAnswer(Answer):
    message = serializers.CharField(help_text="whm_…: look for it in the deliveries.")
