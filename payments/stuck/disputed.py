"""Disputes that run out of time, and answers to them that got no answer."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import DateTimeField, ExpressionWrapper, F, QuerySet, Value
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ledger.stuck import Action, Button, StuckKind, Told, by_identifier
from ledger.wording import in_words
from payments.disputes import unanswered
from payments.models import Dispute, DisputeMovement
from payments.states import DisputeMovementState
from payments.stuck.moving import ASK, UNKNOWN_AFTER

DUE_WITHIN = timedelta(hours=48)


def _due(now: datetime) -> QuerySet[Dispute]:
    since = ExpressionWrapper(F("due_by") - Value(DUE_WITHIN), output_field=DateTimeField())
    rows = unanswered().filter(due_by__gt=now, due_by__lte=now + DUE_WITHIN)
    return rows.select_related("payment").annotate(
        stuck_since=since, stuck_amount=F("amount"), stuck_currency=F("currency")
    )


def _due_told(row: Any) -> Told:
    words = _("Nobody has answered the customer's bank; unanswered on %(due)s UTC, the money is lost.")
    return Told(row.public_id, row.payment.reference, words % {"due": f"{row.due_by:%Y-%m-%d %H:%M}"})


def _unknown(now: datetime) -> QuerySet[DisputeMovement]:
    rows = DisputeMovement.objects.filter(
        state=DisputeMovementState.UNKNOWN, created_at__lte=now - UNKNOWN_AFTER
    )
    return rows.select_related("dispute__payment").annotate(
        stuck_since=F("created_at"), stuck_amount=F("dispute__amount"), stuck_currency=F("dispute__currency")
    )


def _unknown_told(row: DisputeMovement) -> Told:
    words = _("Our answer was sent to %(channel)s; it has not said whether it has it.")
    what = words % {"channel": in_words(row.dispute.channel)}
    return Told(row.public_id, row.dispute.payment.reference, what, details=row.dispute.public_id)


KINDS = (
    StuckKind(
        code="dispute_due",
        title=gettext_lazy("Dispute due"),
        buttons=(
            Button(
                action=Action.PREPARE_ANSWER,
                label=gettext_lazy("Draft the answer"),
                promise=gettext_lazy(
                    "Fills the draft with what our records prove. Nothing is sent: read and submit it on its page."
                ),
            ),
        ),
        rows=_due,
        tell=_due_told,
        named=by_identifier("dsp"),
    ),
    StuckKind(
        code="dispute_unknown",
        title=gettext_lazy("Dispute answer unknown"),
        buttons=(ASK,),
        rows=_unknown,
        tell=_unknown_told,
        named=by_identifier("dmv"),
    ),
)
