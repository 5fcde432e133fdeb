"""The list of stuck money: every kind of every app, and reconciliation's own."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache

from django.conf import settings
from django.db.models import BigIntegerField, CharField, F, Q, QuerySet, Value
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ledger.money import Money
from ledger.stuck import Action, Button, StuckKind, Told, by_identifier
from ledger.wording import in_words
from reconciliation.models import Discrepancy, Sighting, StatementRun
from reconciliation.runs import overdue
from reconciliation.states import CLOSED, RepairState, SightingKind
from reconciliation.wording import KINDS

_REFUND = Button(
    action=Action.REFUND,
    label=gettext_lazy("Refund it"),
    promise=gettext_lazy(
        "Sends back all that is left of this payment; a large sum waits for a second person's approval."
    ),
    moves_money=True,
)
_APPLY = Button(
    action=Action.APPLY_ORDER,
    label=gettext_lazy("Apply the paid order"),
    promise=gettext_lazy(
        "Tells the order again that it is paid: it takes its stock, or the money goes back where the stock is gone."
    ),
)
_ASK = Button(
    action=Action.ASK,
    label=gettext_lazy("Ask the provider now"),
    promise=gettext_lazy(
        "Asks the provider about the payment and applies the answer, if it is about our sum. No other sum is applied."
    ),
)
_CLOSE = Button(
    action=Action.CLOSE_MISMATCH,
    label=gettext_lazy("Accept nothing and close"),
    promise=gettext_lazy("Closes the discrepancy for your reason. Nothing of the other sum is ever booked."),
)
_FETCH = Button(
    action=Action.FETCH_STATEMENT,
    label=gettext_lazy("Fetch it now"),
    promise=gettext_lazy(
        "Asks the provider for the statement, matches and settles it. Nothing is posted twice."
    ),
)
_TAKE_UP = Button(
    action=Action.TAKE_UP,
    label=gettext_lazy("Take it up"),
    promise=gettext_lazy(
        "It is yours then; its details show ours and theirs, and what can be done about it."
    ),
)
_WORDS = {
    SightingKind.PAID_NOT_ORDERED: gettext_lazy("The money was taken, and the order does not count as paid."),
    SightingKind.ORDERED_NOT_PAID: gettext_lazy("The order counts as paid, and no money is taken or held."),
    SightingKind.CANCELLED_NOT_REFUNDED: gettext_lazy(
        "The order was cancelled after it was paid, and the money is not on its way back."
    ),
    SightingKind.SURPLUS_NOT_REFUNDED: gettext_lazy(
        "Another payment paid the order; this money is not on its way back."
    ),
}
_SIGHTINGS = {
    SightingKind.PAID_NOT_ORDERED: (gettext_lazy("Paid, not ordered"), (_APPLY, _REFUND)),
    SightingKind.ORDERED_NOT_PAID: (gettext_lazy("Ordered, not paid"), (_ASK,)),
    SightingKind.CANCELLED_NOT_REFUNDED: (gettext_lazy("Cancelled, not refunded"), (_REFUND,)),
    SightingKind.SURPLUS_NOT_REFUNDED: (gettext_lazy("Paid twice, not refunded"), (_REFUND,)),
}


@cache
def every_kind() -> tuple[StuckKind, ...]:
    """Of all the sources, in their order."""
    return tuple(kind for path in settings.STUCK_SOURCES for kind in import_string(path)())


def alarm_levels(kind: str) -> tuple[timedelta, ...]:
    """How long items of this kind may be stuck before an alarm tells of them, and again."""
    minutes = settings.STUCK_ALARMS.get(kind, settings.STUCK_ALARMS["*"])
    return tuple(timedelta(minutes=after) for after in minutes)


def kinds() -> Iterator[StuckKind]:
    for kind, (title, buttons) in _SIGHTINGS.items():
        yield StuckKind(
            code=kind.value,
            title=title,
            buttons=buttons,
            rows=_Seen(kind),
            tell=_sighting_told,
            named=lambda subject: Q(subject=subject),
        )
    yield StuckKind(
        code="mismatch",
        title=gettext_lazy("Amount mismatch"),
        buttons=(_ASK, _CLOSE),
        rows=_mismatches,
        tell=_mismatch_told,
        named=by_identifier("dis"),
    )
    yield StuckKind(
        code="statement_missing",
        title=gettext_lazy("Statement missing"),
        buttons=(_FETCH,),
        rows=_missing_statements,
        tell=_missing_told,
        named=by_identifier("run"),
    )
    yield StuckKind(
        code="unmatched",
        title=gettext_lazy("Unmatched on a statement"),
        buttons=(_TAKE_UP,),
        rows=_unmatched,
        tell=_unmatched_told,
        named=by_identifier("dis"),
    )


def _missing_statements(now: datetime) -> QuerySet[StatementRun]:
    return overdue(now).annotate(
        stuck_since=F("created_at"),
        stuck_amount=Value(0, output_field=BigIntegerField()),
        stuck_currency=Value("", output_field=CharField()),
    )


def _missing_told(row: StatementRun) -> Told:
    words = _("The statement of %(channel)s (%(kind)s) of %(day)s is not here: %(error)s")
    told = {"channel": in_words(row.channel), "kind": in_words(row.kind), "day": row.day_on.isoformat()}
    return Told(row.public_id, "", words % {**told, "error": row.last_error or _("it was not asked for yet")})


class _Seen:
    """The rows of one kind of sighting."""

    def __init__(self, kind: SightingKind) -> None:
        self._kind = kind

    def __call__(self, now: datetime) -> QuerySet[Sighting]:
        return Sighting.objects.filter(kind=self._kind).annotate(
            stuck_since=F("first_seen_at"), stuck_amount=F("amount"), stuck_currency=F("currency")
        )


def _sighting_told(row: Sighting) -> Told:
    return Told(row.subject, row.reference, str(_WORDS[SightingKind(row.kind)]))


def _mismatches(now: datetime) -> QuerySet[Discrepancy]:
    rows = Discrepancy.objects.filter(file=None).exclude(state__in=sorted(CLOSED))
    return rows.annotate(
        stuck_since=F("first_seen_at"), stuck_amount=F("amount_at_risk"), stuck_currency=F("currency")
    )


def _mismatch_told(row: Discrepancy) -> Told:
    told = (
        Money(row.told_amount, row.told_currency).formatted()
        if row.told_currency
        else _("no sum that it names")
    )
    what = _("At %(channel)s it is %(told)s, we asked for %(ours)s. Nothing of it was applied.") % {
        "channel": in_words(row.channel),
        "told": told,
        "ours": Money(row.amount, row.currency).formatted(),
    }
    return Told(row.public_id, row.reference, what)


def _unmatched(now: datetime) -> QuerySet[Discrepancy]:
    """What statements tell otherwise than our books, but for what waits for a later file."""
    later = Q(repairs__state=RepairState.DONE.value, repairs__waits_on__gt=now.date())
    rows = Discrepancy.objects.exclude(file=None).unclosed().exclude(later)
    return rows.annotate(
        stuck_since=F("first_seen_at"), stuck_amount=F("amount_at_risk"), stuck_currency=F("currency")
    )


def _unmatched_told(row: Discrepancy) -> Told:
    what = _("The %(channel)s statement and our books differ (%(kind)s), line %(line)d.") % {
        "channel": in_words(row.channel),
        "kind": str(KINDS[row.kind]).lower(),
        "line": row.line,
    }
    return Told(row.public_id, row.reference or row.their_reference, what)
