"""News that reached nobody: notifications that could not be applied, events that could not be delivered."""

from datetime import datetime

from django.db.models import BigIntegerField, CharField, F, QuerySet, Value
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ledger.stuck import Action, Button, StuckKind, Told, by_identifier
from ledger.wording import in_words
from payments.models import InboxEvent, OutboxDelivery
from payments.states import InboxState

# What they would have moved is not known before they are applied.
_NOBODY_KNOWS = {
    "stuck_amount": Value(0, output_field=BigIntegerField()),
    "stuck_currency": Value("", output_field=CharField()),
}


def _dead_notices(now: datetime) -> QuerySet[InboxEvent]:
    rows = InboxEvent.objects.filter(state=InboxState.DEAD).defer("body")
    return rows.annotate(stuck_since=F("received_at"), **_NOBODY_KNOWS)


def _notice_told(row: InboxEvent) -> Told:
    words = _("A notification of %(channel)s could not be applied: %(error)s")
    what = words % {"channel": in_words(row.channel), "error": row.error or _("no reason given")}
    return Told(row.public_id, row.reference, what)


def _dead_deliveries(now: datetime) -> QuerySet[OutboxDelivery]:
    rows = OutboxDelivery.objects.dead().select_related("event")
    return rows.annotate(stuck_since=F("dead_at"), **_NOBODY_KNOWS)


def _delivery_told(row: OutboxDelivery) -> Told:
    words = _("%(event)s did not reach %(subscriber)s: %(error)s")
    subscriber = row.subscriber.rpartition(".")[2]
    what = words % {"event": row.event.name, "subscriber": subscriber, "error": row.error}
    return Told(row.public_id, row.subject, what)


KINDS = (
    StuckKind(
        code="notice_dead",
        title=gettext_lazy("Dead notification"),
        buttons=(
            Button(
                action=Action.REPLAY,
                label=gettext_lazy("Apply it again"),
                promise=gettext_lazy(
                    "Applies the verified notification by the same rules as the first time."
                ),
            ),
        ),
        rows=_dead_notices,
        tell=_notice_told,
        named=by_identifier("inb"),
    ),
    StuckKind(
        code="event_dead",
        title=gettext_lazy("Dead event"),
        buttons=(
            Button(
                action=Action.REPLAY,
                label=gettext_lazy("Deliver it again"),
                promise=gettext_lazy(
                    "Tells the subscriber again; it may hear of one event twice without harm."
                ),
            ),
        ),
        rows=_dead_deliveries,
        tell=_delivery_told,
        named=by_identifier("dlv"),
    ),
)
