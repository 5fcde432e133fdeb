"""What risk says of an order before it is placed."""

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
from payments.api.permissions import Scope


class AssessmentsView(ApiView):
    scopes = {"POST": Scope.ORDERS_WRITE}

    @operation(
        "assessOrder",
        tag="risk",
        summary="Ask risk about an order before placing it",
        description=(
            "The same check as `POST orders` makes, for whoever takes orders elsewhere: lists, rules, history, graph "
            "and model. It moves nothing and takes nothing of limits, so it needs no `Idempotency-Key`; to ask twice "
            "is to be answered twice, and counts as two attempts within the minute. Before there is an order there is "
            "nothing to hold or to challenge: the action is `accept` or `reject`, and level, score and reasons say "
            "the rest."
        ),
        request=AssessmentRequest,
        answer=AssessmentAnswer,
        status=201,
        token=False,
        refusals=(AmountInvalid, CurrencyUnknown, AddressInvalid),
        examples={"request": ASSESSMENT_REQUEST, "answer": ASSESSMENT},
    )
    def post(self, request: Request) -> Response:
        if not viewer_of(request).may(Scope.ORDERS_WRITE):
            raise PermissionDenied(
                f"This takes an API key with the scope {Scope.ORDERS_WRITE}.", code="scope_missing"
            )
        facts = facts_told(self.read(AssessmentRequest, request), now=timezone.now())
        return self.answer(AssessmentAnswer, screen_order(facts=facts), status=201)
