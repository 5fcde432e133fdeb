"""Webhook endpoints: who is told of what, how it went, and again."""

from dataclasses import asdict
from typing import Any

from django.core.exceptions import PermissionDenied
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from checkout.api.examples import (
    WEBHOOK_ENDPOINT,
    WEBHOOK_ENDPOINT_REQUEST,
    WEBHOOK_MESSAGES,
    WEBHOOK_SECRET,
)
from checkout.api.pagination import cursor_for, cursor_of, limit_of
from checkout.api.refusals import CursorInvalid
from checkout.api.schema import PAGE_PARAMETERS, operation
from checkout.api.serializers.requests import NothingRequest
from checkout.api.serializers.webhooks import (
    DeletedEndpointAnswer,
    EndpointAnswer,
    EndpointChangeRequest,
    EndpointRequest,
    EndpointsAnswer,
    EndpointSecretAnswer,
    ReplayAnswer,
    ReplayRequest,
    WebhookMessagesAnswer,
    WebhookTestAnswer,
)
from checkout.api.views.base import ApiView
from payments.api.idempotency import IdempotentMixin
from payments.api.permissions import RequiresScope, Scope
from payments.errors import (
    TooManyWebhookEndpoints,
    WebhookEndpointIsDisabled,
    WebhookEndpointNotFound,
    WebhookEventUnknown,
    WebhookMessageNotFound,
    WebhookUrlInvalid,
)
from payments.outward import endpoints
from payments.services.change_webhook_endpoint import change_webhook_endpoint
from payments.services.create_webhook_endpoint import create_webhook_endpoint
from payments.services.delete_webhook_endpoint import delete_webhook_endpoint
from payments.services.recognise_api_key import ApiKeyView
from payments.services.replay_webhooks import replay_webhooks
from payments.services.rotate_webhook_secret import rotate_webhook_secret
from payments.services.send_test_webhook import send_test_webhook
from payments.states import WebhookEndpointState

_READ, _WRITE = Scope.WEBHOOKS_READ, Scope.WEBHOOKS_WRITE
_ENDPOINT_REFUSALS = (WebhookUrlInvalid, WebhookEventUnknown)


class ProgramsOnly(RequiresScope):
    """Endpoints are the merchant's. People manage them in the console."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if isinstance(request.auth, ApiKeyView):
            return super().has_permission(request, view)
        if request.user.is_authenticated:
            raise PermissionDenied
        raise NotAuthenticated


class WebhooksView(ApiView):
    permission_classes = [ProgramsOnly]

    def actor(self) -> str:
        key = self.request.auth
        assert isinstance(key, ApiKeyView), "ProgramsOnly lets no one else in"
        return key.id


class WebhookEndpointsView(IdempotentMixin, WebhooksView):
    scopes = {"GET": _READ, "POST": _WRITE}
    input_serializer = EndpointRequest

    @operation(
        "listWebhookEndpoints",
        tag="webhooks",
        summary="List webhook endpoints",
        answer=EndpointsAnswer,
        token=False,
        examples={"answer": {"data": [WEBHOOK_ENDPOINT]}},
    )
    def get(self, request: Request) -> Response:
        return self.answer(EndpointsAnswer, {"data": endpoints.endpoints()})

    @operation(
        "createWebhookEndpoint",
        tag="webhooks",
        summary="Be told of events",
        description="What is sent, and how to verify it, is in docs/webhooks.md.",
        request=EndpointRequest,
        answer=EndpointSecretAnswer,
        status=201,
        moves=True,
        token=False,
        refusals=(*_ENDPOINT_REFUSALS, TooManyWebhookEndpoints),
        examples={"request": WEBHOOK_ENDPOINT_REQUEST, "answer": {**WEBHOOK_ENDPOINT, **WEBHOOK_SECRET}},
    )
    def post(self, request: Request, **kwargs: Any) -> Any:
        return super().post(request, **kwargs)

    def perform(self, request: Request, data: dict[str, Any], **kwargs: Any) -> Response:
        made = create_webhook_endpoint(**data, actor=self.actor())
        response = self.answer(EndpointSecretAnswer, _with_secret(made), status=201)
        response["Location"] = f"/api/v1/webhook_endpoints/{made.endpoint.id}"
        return response


class WebhookEndpointView(WebhooksView):
    scopes = {"GET": _READ, "PATCH": _WRITE, "DELETE": _WRITE}

    @operation(
        "getWebhookEndpoint",
        tag="webhooks",
        summary="Look at a webhook endpoint",
        answer=EndpointAnswer,
        token=False,
        refusals=(WebhookEndpointNotFound,),
        examples={"answer": WEBHOOK_ENDPOINT},
    )
    def get(self, request: Request, endpoint: str) -> Response:
        return self.answer(EndpointAnswer, endpoints.endpoint(endpoint))

    @operation(
        "changeWebhookEndpoint",
        tag="webhooks",
        summary="Change a webhook endpoint, or switch it on or off",
        description="What is left out stays. Nothing is kept for an endpoint that is off.",
        request=EndpointChangeRequest,
        answer=EndpointAnswer,
        token=False,
        refusals=(WebhookEndpointNotFound, *_ENDPOINT_REFUSALS),
        examples={"request": {"events": ["*"]}, "answer": {**WEBHOOK_ENDPOINT, "events": ["*"]}},
    )
    def patch(self, request: Request, endpoint: str) -> Response:
        data = self.read(EndpointChangeRequest, request)
        state = data.pop("state", None)
        enabled = None if state is None else state == WebhookEndpointState.ENABLED
        changed = change_webhook_endpoint(endpoint=endpoint, enabled=enabled, actor=self.actor(), **data)
        return self.answer(EndpointAnswer, changed)

    @operation(
        "deleteWebhookEndpoint",
        tag="webhooks",
        summary="Delete a webhook endpoint with its deliveries",
        answer=DeletedEndpointAnswer,
        token=False,
        refusals=(WebhookEndpointNotFound,),
        examples={"answer": {"id": WEBHOOK_ENDPOINT["id"], "deleted": True}},
    )
    def delete(self, request: Request, endpoint: str) -> Response:
        delete_webhook_endpoint(endpoint=endpoint, actor=self.actor())
        return self.answer(DeletedEndpointAnswer, {"id": endpoint, "deleted": True})


class WebhookSecretView(IdempotentMixin, WebhooksView):
    scopes = {"POST": _WRITE}
    input_serializer = NothingRequest

    @operation(
        "rotateWebhookSecret",
        tag="webhooks",
        summary="Exchange the signing secret",
        description="For a day messages are signed with both.",
        request=NothingRequest,
        answer=EndpointSecretAnswer,
        moves=True,
        token=False,
        refusals=(WebhookEndpointNotFound,),
        examples={"request": {}, "answer": {**WEBHOOK_ENDPOINT, **WEBHOOK_SECRET}},
    )
    def post(self, request: Request, **kwargs: Any) -> Any:
        return super().post(request, **kwargs)

    def perform(self, request: Request, data: dict[str, Any], **kwargs: Any) -> Response:
        rotated = rotate_webhook_secret(endpoint=kwargs["endpoint"], actor=self.actor())
        return self.answer(EndpointSecretAnswer, _with_secret(rotated))


class WebhookDeliveriesView(WebhooksView):
    scopes = {"GET": _READ}

    @operation(
        "listWebhookDeliveries",
        tag="webhooks",
        summary="What an endpoint was told, newest first, with every try",
        answer=WebhookMessagesAnswer,
        parameters=PAGE_PARAMETERS,
        token=False,
        refusals=(WebhookEndpointNotFound,),
        examples={"answer": WEBHOOK_MESSAGES},
    )
    def get(self, request: Request, endpoint: str) -> Response:
        limit = limit_of(request)
        try:
            found = endpoints.messages_of(endpoint, limit=limit + 1, before=cursor_of(request))
        except WebhookMessageNotFound as gone:
            raise CursorInvalid("Pass `next_cursor` of the page before, unchanged.", param="cursor") from gone
        page = found[:limit]
        next_cursor = cursor_for(page[-1].id) if len(found) > limit else None
        return self.answer(WebhookMessagesAnswer, {"data": page, "next_cursor": next_cursor})


class WebhookReplayView(WebhooksView):
    scopes = {"POST": _WRITE}

    @operation(
        "replayWebhooks",
        tag="webhooks",
        summary="Send one message again, or all since a time that did not arrive",
        description="The `webhook-id` stays: a message that you had is known by it.",
        request=ReplayRequest,
        answer=ReplayAnswer,
        token=False,
        refusals=(WebhookEndpointNotFound, WebhookMessageNotFound, WebhookEndpointIsDisabled),
        examples={"request": {"since": "2025-11-20T09:00:00Z"}, "answer": {"messages": 3}},
    )
    def post(self, request: Request, endpoint: str) -> Response:
        data = self.read(ReplayRequest, request)
        count = replay_webhooks(endpoint=endpoint, actor=self.actor(), **data)
        return self.answer(ReplayAnswer, {"messages": count})


class WebhookTestView(WebhooksView):
    scopes = {"POST": _WRITE}

    @operation(
        "testWebhookEndpoint",
        tag="webhooks",
        summary="Send a `webhook.test`",
        request=NothingRequest,
        answer=WebhookTestAnswer,
        token=False,
        refusals=(WebhookEndpointNotFound, WebhookEndpointIsDisabled),
        examples={"request": {}, "answer": {"message": WEBHOOK_MESSAGES["data"][0]["id"]}},
    )
    def post(self, request: Request, endpoint: str) -> Response:
        self.read(NothingRequest, request)
        return self.answer(
            WebhookTestAnswer, {"message": send_test_webhook(endpoint=endpoint, actor=self.actor())}
        )


def _with_secret(made: endpoints.EndpointWithSecret) -> dict[str, Any]:
    return {**asdict(made.endpoint), "secret": made.secret}
