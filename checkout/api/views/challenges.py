"""Challenges: what a customer must prove before a payment that we doubt goes on."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from checkout.api.callers import client_of, viewer_of
from checkout.api.examples import CHALLENGE, PAYMENT
from checkout.api.schema import operation
from checkout.api.serializers.answers import PaymentAnswer
from checkout.api.serializers.challenges import ChallengeAnswer, ChallengeAnswerRequest, ChallengeCodeRequest
from checkout.api.views.base import ApiView
from checkout.api.views.payments import payment_seen_by
from checkout.facts import READ_ORDERS, WRITE_ORDERS
from checkout.services.resend_code import resend_code
from payments.api.idempotency import IdempotentMixin
from payments.api.permissions import Scope
from payments.errors import PaymentNotFound
from payments.services.answer_challenge import answer_challenge
from risk import challenges
from risk.errors import (
    ChallengeAnswerWrong,
    ChallengeFailed,
    ChallengeKindUnavailable,
    ChallengeNotFound,
    ChallengeNotYours,
    ChallengeOver,
    CodeLimitReached,
    DeviceFrozen,
)


class ChallengeView(IdempotentMixin, ApiView):
    scopes = {"GET": Scope.ORDERS_READ, "POST": Scope.PAYMENTS_WRITE}
    input_serializer = ChallengeAnswerRequest

    @operation(
        "getChallenge",
        tag="payments",
        summary="Look at what the customer must confirm",
        description=(
            "For a payment whose `next_action` is of kind `challenge`. `task` is what the browser works on: a puzzle "
            "of altcha's protocol for `captcha`, the options of `navigator.credentials.get` for `passkey`."
        ),
        answer=ChallengeAnswer,
        refusals=(PaymentNotFound, ChallengeNotFound),
        examples={"answer": CHALLENGE},
    )
    def get(self, request: Request, payment: str) -> Response:
        return self._shown(payment_seen_by(viewer_of(request), payment).challenge)

    @operation(
        "answerChallenge",
        tag="payments",
        summary="Answer a challenge",
        description=(
            "A right answer lets the payment go on where it stood: follow the new `next_action`. Five wrong ones "
            "cancel the payment and free the articles. Answer from the session, or with the order token or API key, "
            "that started the payment."
        ),
        request=ChallengeAnswerRequest,
        answer=PaymentAnswer,
        moves=True,
        refusals=(
            PaymentNotFound,
            ChallengeOver,
            ChallengeNotYours,
            DeviceFrozen,
            ChallengeAnswerWrong,
            ChallengeFailed,
        ),
        examples={"request": {"kind": "email", "answer": "042137"}, "answer": PAYMENT},
    )
    def post(self, request: Request, **kwargs: Any) -> Any:
        return super().post(request, **kwargs)

    def perform(self, request: Request, data: dict[str, Any], **kwargs: Any) -> Response:
        viewer = viewer_of(request, READ_ORDERS)
        answered = answer_challenge(
            payment=payment_seen_by(viewer, kwargs["payment"]).id,
            owner=client_of(request).session,
            kind=data["kind"],
            answer=data["answer"],
            actor=viewer.actor,
        )
        return self.answer(PaymentAnswer, answered)

    def _shown(self, challenge: str) -> Response:
        task = challenges.task_of(challenge)
        return self.answer(ChallengeAnswer, challenges.challenge(challenge), task=task or None)


class ChallengeCodeView(IdempotentMixin, ApiView):
    scopes = {"POST": Scope.PAYMENTS_WRITE}
    input_serializer = ChallengeCodeRequest

    @operation(
        "sendChallengeCode",
        tag="payments",
        summary="Send a new code",
        description="By e-mail or SMS. It takes the place of every code before it; at most three a payment.",
        request=ChallengeCodeRequest,
        answer=PaymentAnswer,
        moves=True,
        refusals=(
            PaymentNotFound,
            ChallengeOver,
            ChallengeNotYours,
            ChallengeKindUnavailable,
            CodeLimitReached,
        ),
        examples={"request": {"kind": "email"}, "answer": PAYMENT},
    )
    def post(self, request: Request, **kwargs: Any) -> Any:
        return super().post(request, **kwargs)

    def perform(self, request: Request, data: dict[str, Any], **kwargs: Any) -> Response:
        sent = resend_code(
            payment=kwargs["payment"],
            viewer=viewer_of(request, WRITE_ORDERS),
            client=client_of(request),
            kind=data["kind"],
        )
        return self.answer(PaymentAnswer, sent)
