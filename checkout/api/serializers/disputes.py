"""Bodies about disputes."""

from rest_framework import serializers

from checkout.api.serializers.answers import Answer, MoneyAnswer, PageAnswer
from checkout.api.serializers.fields import StrictSerializer, Text
from payments.evidence import FILES, MATTERS, TEXTS
from payments.states import DisputeMovementKind, DisputeMovementState, DisputeState


class EvidenceFileAnswer(Answer):
    kind = serializers.ChoiceField(choices=sorted(FILES))
    name = serializers.CharField()
    content_type = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes.")
    sha256 = serializers.CharField()
    created_at = serializers.DateTimeField()


class OurAnswerAnswer(Answer):
    kind = serializers.ChoiceField(choices=[kind.value for kind in DisputeMovementKind])
    state = serializers.ChoiceField(choices=[state.value for state in DisputeMovementState])
    message = serializers.CharField(help_text="Why the provider refused it, if it did.")
    created_at = serializers.DateTimeField()


class DisputeAnswer(Answer):
    id = serializers.CharField(help_text="dsp_…")
    payment = serializers.CharField(help_text="pay_…")
    order = serializers.CharField(source="reference", help_text="ord_…")
    channel = serializers.CharField()
    state = serializers.ChoiceField(choices=[state.value for state in DisputeState])
    amount = MoneyAnswer()
    kept = MoneyAnswer(help_text="What the channel holds from us now.")
    lost = MoneyAnswer(help_text="The part of it that is gone for good.")
    fee = MoneyAnswer()
    reason = serializers.CharField(help_text="In the provider's words.")
    category = serializers.ChoiceField(choices=sorted(MATTERS))
    double_risk = serializers.BooleanField(help_text="Money of the payment was refunded, too.")
    due_by = serializers.DateTimeField(allow_null=True)
    submitted_at = serializers.DateTimeField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    texts = serializers.DictField(
        child=serializers.CharField(), help_text=f"The draft, by name: {', '.join(TEXTS)}."
    )
    files = EvidenceFileAnswer(many=True)
    answer = OurAnswerAnswer(allow_null=True, help_text="What we sent, and what came of it.")
    can_answer = serializers.BooleanField()


class DisputesAnswer(PageAnswer):
    data = DisputeAnswer(many=True)  # type: ignore[assignment]


class EvidenceRequest(StrictSerializer):
    texts = serializers.DictField(
        child=Text(allow_blank=True),
        help_text=f"Name → text; an empty one is taken out. Names: {', '.join(TEXTS)}.",
    )


class AcceptRequest(StrictSerializer):
    reason = Text(max_length=300)
