"""What risk says of an order before it is placed."""

from typing import Any

from django.utils import timezone
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from checkout.api.callers import viewer_of
from checkout.api.examples import ASSESSMENT, ASSESSMENT_REQUEST
from checkout.api.refusals import AmountInvalid, CurrencyUnknown
from checkout.api.schema import operation
from checkout.api.serializers.assessments import AssessmentAnswer, AssessmentRequest
from checkout.api.views.base import ApiView
from checkout.errors import AddressInvalid
from checkout.selectors.screening import facts_told
from checkout.services.screen_order import screen_order
from payments.api.idempotency import IdempotentMixin
from payments.api.permissions import Scope


class AssessmentsView(IdempotentMixin, ApiView):
    scopes = {"POST": Scope.ORDERS_WRITE}
    input_serializer = AssessmentRequest

    @operation(
        "assessOrder",
        tag="risk",
        summary="Ask risk about an order before placing it",
        description=(
            "The same check as `POST orders` makes, for whoever takes orders elsewhere: lists, rules, history, graph "
            "and model. It takes nothing of limits and moves nothing, but counts as an attempt within the minute. "
            "Before there is an order there is nothing to hold or to challenge: the action is `accept` or `reject`, "
            "and level, score and reasons say the rest."
        ),
        request=AssessmentRequest,
        answer=AssessmentAnswer,
        status=201,
        moves=True,
        token=False,
        refusals=(AmountInvalid, CurrencyUnknown, AddressInvalid),
        examples={"request": ASSESSMENT_REQUEST, "answer": ASSESSMENT},
    )
    def post(self, request: Request, **kwargs: Any) -> Any:
        return super().post(request, **kwargs)

    def perform(self, request: Request, data: dict[str, Any], **kwargs: Any) -> Response:
        if not viewer_of(request).may(Scope.ORDERS_WRITE):
            raise PermissionDenied(
                f"This takes an API key with the scope {Scope.ORDERS_WRITE}.", code="scope_missing"
            )
        verdict = screen_order(facts=facts_told(data, now=timezone.now()))
        return self.answer(AssessmentAnswer, verdict, status=201)
