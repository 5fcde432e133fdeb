"""Money of which nobody knows whether it moved, and money that is held and about to be lost."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import DateTimeField, ExpressionWrapper, F, QuerySet, Value
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ledger.stuck import Action, Button, StuckKind, Told, by_identifier
from ledger.wording import in_words
from payments.models import Attempt, Payment
from payments.states import AttemptKind

# The janitor asks by itself; a person is told when that did not help.
UNKNOWN_AFTER = timedelta(minutes=15)

ASK = Button(
    action=Action.ASK,
    label=gettext_lazy("Ask the provider now"),
    promise=gettext_lazy(
        "Asks the provider what became of it and applies the answer. No money is moved by asking."
    ),
)


def _unknown(now: datetime) -> QuerySet[Attempt]:
    """What the provider told another sum about is a discrepancy."""
    rows = Attempt.objects.unknown_since(now - UNKNOWN_AFTER).filter(mismatch="").select_related("payment")
    return rows.annotate(
        stuck_since=F("unknown_since"), stuck_amount=F("amount"), stuck_currency=F("currency")
    )


def _unknown_told(row: Attempt) -> Told:
    words = {
        AttemptKind.START: _("The customer's payment was sent to %(channel)s; it has given no clear answer."),
        AttemptKind.CAPTURE: _("A capture was sent to %(channel)s; it has given no clear answer."),
        AttemptKind.VOID: _("A release was sent to %(channel)s; it has given no clear answer."),
    }
    what = words[AttemptKind(row.kind)] % {"channel": in_words(row.channel)}
    return Told(row.public_id, row.payment.reference, what, details=row.payment.public_id)


def _lapsing(now: datetime) -> QuerySet[Payment]:
    warning: timedelta = settings.HOLD_WARNING
    since = ExpressionWrapper(F("held_until") - Value(warning), output_field=DateTimeField())
    rows = Payment.objects.holding().filter(held_until__lte=now + warning, surplus=False)
    return rows.annotate(
        stuck_since=since,
        stuck_amount=F("amount_authorized") - F("amount_captured"),
        stuck_currency=F("currency"),
    )


def _lapsing_told(row: Any) -> Told:
    held = row.money(row.held).formatted()
    what = _("%(held)s is held at %(channel)s until %(until)s UTC and is lost to us after that.") % {
        "held": held,
        "channel": in_words(row.channel),
        "until": f"{row.held_until:%Y-%m-%d %H:%M}",
    }
    return Told(row.public_id, row.reference, what)


KINDS = (
    StuckKind(
        code="payment_unknown",
        title=gettext_lazy("Outcome unknown"),
        buttons=(ASK,),
        rows=_unknown,
        tell=_unknown_told,
        named=by_identifier("att"),
    ),
    StuckKind(
        code="hold_lapsing",
        title=gettext_lazy("Authorisation about to lapse"),
        buttons=(
            Button(
                action=Action.CAPTURE,
                label=gettext_lazy("Capture now"),
                promise=gettext_lazy("Takes all that is held from the customer now, sent or not."),
                moves_money=True,
            ),
            Button(
                action=Action.RELEASE,
                label=gettext_lazy("Release"),
                promise=gettext_lazy(
                    "Lets go of what is held: the customer keeps the money, the order loses it."
                ),
                moves_money=True,
            ),
        ),
        rows=_lapsing,
        tell=_lapsing_told,
        named=by_identifier("pay"),
    ),
)
