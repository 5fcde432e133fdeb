from collections.abc import Mapping
from dataclasses import replace

import structlog
from django.db import transaction

from payments.channels import registry
from payments.channels.codec import notice_to_json
from payments.channels.contract import Acknowledgement, Channel, Notice, NoticeRefused
from payments.models import InboxEvent
from payments.services.apply_notice import apply_notice

log = structlog.get_logger(__name__)

_NOT_KEPT = {"authorization", "proxy-authorization", "cookie"}
_TRY_AGAIN = Acknowledgement(status=503, body='{"code":"try_again"}', content_type="application/json")


def receive_notice(*, channel: str, headers: Mapping[str, str], body: bytes) -> Acknowledgement:
    """This will verify a provider's notification, keep it, apply it, and answer in the provider's own way.

    Opens its own transactions: the notification is stored first, once per channel and event, so that a failure to
    apply it loses nothing (5xx; the provider and the inbox both try again). What does not verify is a 4xx and
    leaves no trace but a log line. Raises `ChannelNotFound`.
    """
    provider = registry.channel(channel)
    try:
        notice = provider.read_notice(headers, body)
    except NoticeRefused as refusal:
        return _refuse(provider, refusal)
    with transaction.atomic(durable=True):
        row = _store(channel, notice, headers, body)
    try:
        refused = apply_notice(inbox=row)
    except Exception:
        log.exception("notice.not_applied", channel=channel, event_id=notice.event_id)
        return _TRY_AGAIN
    return _refuse(provider, refused) if refused else provider.acknowledge()


def _store(channel: str, notice: Notice, headers: Mapping[str, str], body: bytes) -> InboxEvent:
    """In one statement; what came before is left as it is, under the key that it got then."""
    row = InboxEvent(
        channel=channel,
        event_id=notice.event_id,
        reference=notice.movement_reference or notice.reference,
        notice=notice_to_json(notice),
        headers=_kept(headers),
        body=body,
    )
    InboxEvent.objects.bulk_create([row], ignore_conflicts=True)
    return row


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    """What a person needs to check a signature again; nothing by which a caller signs in."""
    return {name: value[:1000] for name, value in headers.items() if name not in _NOT_KEPT}


def _refuse(provider: Channel, refusal: NoticeRefused) -> Acknowledgement:
    log.warning("notice.refused", channel=provider.code, code=refusal.code)
    return replace(provider.refuse(refusal), status=refusal.status)
