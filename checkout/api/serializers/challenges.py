"""Bodies about challenges."""

from rest_framework import serializers

from checkout.api.serializers.answers import Answer, MoneyAnswer
from checkout.api.serializers.fields import StrictSerializer, Text
from risk.states import BY_CODE, ChallengeKind, ChallengeState, CodeState

KINDS = [kind.value for kind in ChallengeKind if kind != ChallengeKind.THREE_D_SECURE]
CODE_KINDS = sorted(kind.value for kind in BY_CODE)


class ChallengeAnswer(Answer):
    id = serializers.CharField(help_text="chl_…")
    payment = serializers.CharField(source="subject", help_text="pay_…")
    amount = MoneyAnswer(help_text="The answer is good for this amount only.")
    state = serializers.ChoiceField(choices=[state.value for state in ChallengeState])
    kind = serializers.ChoiceField(choices=KINDS, help_text="How it is to be answered now.")
    kinds = serializers.ListField(child=serializers.CharField(), help_text="All that will do.")
    sent_to = serializers.CharField(help_text="Masked; empty where no code is sent.")
    code = serializers.ChoiceField(
        choices=[*[state.value for state in CodeState], ""], help_text="What became of the newest code."
    )
    codes_left = serializers.IntegerField()
    answers_left = serializers.IntegerField()
    expires_at = serializers.DateTimeField()
    task = serializers.DictField(  # added by the view
        allow_null=True, required=False, help_text="What the browser works on; null for codes."
    )


class ChallengeAnswerRequest(StrictSerializer):
    kind = serializers.ChoiceField(choices=KINDS)
    answer = Text(
        max_length=8000,
        help_text="The code; altcha's solution (base64); or the passkey's credential as JSON.",
    )


class ChallengeCodeRequest(StrictSerializer):
    kind = serializers.ChoiceField(choices=CODE_KINDS)
