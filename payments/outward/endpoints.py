"""Reads about merchants' endpoints, as frozen dataclasses; and what makes an endpoint acceptable."""

import base64
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Prefetch

from ledger.identifiers import MalformedIdentifier, decode
from payments.errors import (
    WebhookEndpointNotFound,
    WebhookEventUnknown,
    WebhookMessageNotFound,
    WebhookUrlInvalid,
)
from payments.models import WebhookDelivery, WebhookEndpoint, WebhookMessage
from payments.outward.addresses import AddressRefused, check_url
from payments.outward.announcement import unknown_patterns
from payments.states import WebhookEndpointState, WebhookMessageState

_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class EndpointView:
    """`failing_since` while nothing arrives."""

    id: str
    url: str
    description: str
    events: tuple[str, ...]
    state: WebhookEndpointState
    disabled_reason: str
    failing_since: datetime | None
    previous_secret_until: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class EndpointWithSecret:
    """The secret is shown here and then never again."""

    endpoint: EndpointView
    secret: str


@dataclass(frozen=True, slots=True)
class DeliveryView:
    number: int
    status: int | None
    latency_ms: int
    excerpt: str
    error: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class MessageView:
    """`deliveries` holds every try, the newest first."""

    id: str
    event: str
    type: str
    subject: str
    state: WebhookMessageState
    tries: int
    next_try_at: datetime | None
    created_at: datetime
    deliveries: tuple[DeliveryView, ...]


def endpoints() -> list[EndpointView]:
    return [endpoint_view(row) for row in WebhookEndpoint.objects.all()]


def endpoint(public_id: str) -> EndpointView:
    """Raises `WebhookEndpointNotFound`."""
    return endpoint_view(endpoint_row(public_id))


def endpoint_row(public_id: str, *, locked: bool = False) -> WebhookEndpoint:
    """For the use cases. Raises `WebhookEndpointNotFound`."""
    rows = WebhookEndpoint.objects.locked() if locked else WebhookEndpoint.objects.all()
    try:
        return rows.by_public_id(public_id).get()
    except (MalformedIdentifier, WebhookEndpoint.DoesNotExist) as error:
        raise WebhookEndpointNotFound(f"There is no webhook endpoint {public_id[:40]!r}.") from error


def messages_of(public_id: str, *, limit: int, before: str = "") -> list[MessageView]:
    """What the endpoint was told, newest first, after the message `before` (whm_…). Raises `WebhookEndpointNotFound`,
    `WebhookMessageNotFound`."""
    rows = WebhookMessage.objects.filter(endpoint=endpoint_row(public_id))
    if before:
        rows = rows.filter(pk__lt=message_key(before))
    tries = Prefetch("deliveries", queryset=WebhookDelivery.objects.order_by("-id"))
    return [_message_view(row) for row in rows.order_by("-pk").prefetch_related(tries)[:limit]]


def message_key(public_id: str) -> UUID:
    try:
        return decode("whm", public_id)
    except MalformedIdentifier as error:
        raise WebhookMessageNotFound(f"There is no webhook message {public_id[:40]!r}.") from error


def check_endpoint(*, url: str, events: Collection[str]) -> None:
    """Raises `WebhookUrlInvalid`, `WebhookEventUnknown`. What the name resolves to is checked at every call."""
    try:
        check_url(url)
    except AddressRefused as refusal:
        raise WebhookUrlInvalid(str(refusal), param="url") from refusal
    unknown = unknown_patterns(events)
    if unknown or not events:
        raise WebhookEventUnknown(
            f"Choose events by name, by family (refund.*) or all (*); unknown: {', '.join(unknown) or 'none given'}.",
            param="events",
        )


def new_secret() -> str:
    """As the Standard Webhooks write it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def endpoint_view(row: WebhookEndpoint) -> EndpointView:
    return EndpointView(
        id=row.public_id,
        url=row.url,
        description=row.description,
        events=tuple(row.events),
        state=WebhookEndpointState(row.state),
        disabled_reason=row.disabled_reason,
        failing_since=row.first_failed_at,
        previous_secret_until=row.previous_secret_until,
        created_at=row.created_at,
    )


def _message_view(row: WebhookMessage) -> MessageView:
    return MessageView(
        id=row.public_id,
        event=row.event,
        type=row.type,
        subject=row.subject,
        state=row.status,
        tries=row.tries,
        next_try_at=row.next_try_at if row.status == WebhookMessageState.WAITING else None,
        created_at=row.created_at,
        deliveries=tuple(
            DeliveryView(
                number=one.number,
                status=one.status,
                latency_ms=one.latency_ms,
                excerpt=one.excerpt,
                error=one.error,
                created_at=one.created_at,
            )
            for one in row.deliveries.all()
        ),
    )
