"""Money on its way back that does not arrive."""

from datetime import datetime, timedelta

from django.db.models import F, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ledger.stuck import Action, Button, StuckKind, Told, by_identifier
from ledger.wording import in_words
from payments.models import Refund
from payments.models.refund import RefundQuerySet
from payments.states import RefundState
from payments.stuck.moving import ASK, UNKNOWN_AFTER

APPROVED_WITHIN = timedelta(hours=24)
_RETRY = Button(
    action=Action.RETRY_REFUND,
    label=gettext_lazy("Try the refund again"),
    promise=gettext_lazy(
        "Asks the provider what became of the last try; only if it never paid, the refund goes out again."
    ),
    moves_money=True,
)


def _measured(rows: RefundQuerySet, since: str) -> QuerySet[Refund]:
    return rows.select_related("payment").annotate(
        stuck_since=F(since), stuck_amount=F("amount"), stuck_currency=F("currency")
    )


def _failed(now: datetime) -> QuerySet[Refund]:
    rows = Refund.objects.needing_a_person().filter(state=RefundState.FAILED, payment__surplus=False)
    return _measured(rows, "updated_at")


def _surplus_failed(now: datetime) -> QuerySet[Refund]:
    rows = Refund.objects.needing_a_person().filter(state=RefundState.FAILED, payment__surplus=True)
    return _measured(rows, "updated_at")


def _abnormal(now: datetime) -> QuerySet[Refund]:
    return _measured(Refund.objects.needing_a_person().exclude(state=RefundState.FAILED), "created_at")


def _unknown(now: datetime) -> QuerySet[Refund]:
    rows = Refund.objects.filter(state=RefundState.UNKNOWN, asked_at__lte=now - UNKNOWN_AFTER)
    return _measured(rows, "asked_at")


def _unapproved(now: datetime) -> QuerySet[Refund]:
    rows = Refund.objects.awaiting_approval().filter(created_at__lte=now - APPROVED_WITHIN)
    return _measured(rows, "created_at")


def _told(row: Refund, what: str) -> Told:
    return Told(row.public_id, row.payment.reference, what)


def _failed_told(row: Refund) -> Told:
    why = row.message or row.code or _("no reason given")
    words = _("The refund through %(channel)s failed: %(why)s. The customer still waits for it.")
    return _told(row, words % {"channel": in_words(row.payment.channel), "why": why.rstrip(".")})


def _surplus_told(row: Refund) -> Told:
    why = row.message or row.code or _("no reason given")
    words = _("The customer paid twice, and the refund through %(channel)s failed: %(why)s.")
    return _told(row, words % {"channel": in_words(row.payment.channel), "why": why.rstrip(".")})


def _abnormal_told(row: Refund) -> Told:
    words = _("The customer's bank would not take the refund; %(channel)s waits for us to say where it goes.")
    return _told(row, words % {"channel": in_words(row.payment.channel)})


def _unknown_told(row: Refund) -> Told:
    words = _("A refund was sent to %(channel)s; it has given no clear answer.")
    return _told(row, words % {"channel": in_words(row.payment.channel)})


def _unapproved_told(row: Refund) -> Told:
    return _told(row, _("The refund has waited for a second person's approval for more than a day."))


KINDS = (
    StuckKind(
        code="refund_failed",
        title=gettext_lazy("Refund failed"),
        buttons=(_RETRY,),
        rows=_failed,
        tell=_failed_told,
        named=by_identifier("ref"),
    ),
    StuckKind(
        code="surplus_refund_failed",
        title=gettext_lazy("Paid twice, refund failed"),
        buttons=(_RETRY,),
        rows=_surplus_failed,
        tell=_surplus_told,
        named=by_identifier("ref"),
    ),
    StuckKind(
        code="refund_abnormal",
        title=gettext_lazy("Refund needs a person"),
        buttons=(
            Button(
                action=Action.FINISH_REFUND,
                label=gettext_lazy("Take it to our account"),
                promise=gettext_lazy(
                    "The provider pays it to our own bank account; pay the customer by bank from there."
                ),
                moves_money=True,
            ),
        ),
        rows=_abnormal,
        tell=_abnormal_told,
        named=by_identifier("ref"),
    ),
    StuckKind(
        code="refund_unknown",
        title=gettext_lazy("Refund unknown"),
        buttons=(ASK,),
        rows=_unknown,
        tell=_unknown_told,
        named=by_identifier("ref"),
    ),
    StuckKind(
        code="refund_unapproved",
        title=gettext_lazy("Refund awaits approval"),
        buttons=(
            Button(
                action=Action.APPROVE_REFUND,
                label=gettext_lazy("Approve"),
                promise=gettext_lazy(
                    "Sends the refund to the customer. Who asked for it can not approve it."
                ),
                moves_money=True,
            ),
        ),
        rows=_unapproved,
        tell=_unapproved_told,
        named=by_identifier("ref"),
    ),
)
