from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import transaction

from ledger.postings import first_entry_at
from payments.channels import registry
from reconciliation.models import StatementRun
from reconciliation.runs import channels_with_statements
from reconciliation.terms import terms_of


def open_runs(
    *, now: datetime, channel: str = "", since: date | None = None, until: date | None = None
) -> int:
    """This will note every statement that should be here and was not asked for: of each channel that writes statements,
    each kind, each of its days from its first movement to the last one that is over.

    The oldest days first, `STATEMENT_CATCH_UP` of them at a time. With `since` or `until`, days from then or to then,
    whether money moved or not. Owns its transaction; safe beside itself. Returns how many there are new.
    """
    opened = 0
    with transaction.atomic(durable=True):
        for code, kinds in channels_with_statements(channel):
            span = _span(code, now, since, until)
            for kind in kinds if span else ():
                missing = _missing(code, kind, *span)
                StatementRun.objects.expect(code, kind, {day: _ready_at(code, day) for day in missing})
                opened += len(missing)
    return opened


def _span(
    channel: str, now: datetime, since: date | None, until: date | None
) -> tuple[date, date] | tuple[()]:
    """The first and the last day that are to be here."""
    terms = terms_of(channel)
    over = terms.day_of(now) - timedelta(days=1)
    first = since or _first_day(channel)
    last = min(until, over) if until else over
    return (first, last) if first and first <= last else ()


def _first_day(channel: str) -> date | None:
    """What was kept earlier is asked for by name (`since`); of a bank account, as soon as anything is paid out."""
    moved = first_entry_at(f"receivable:{channel}")
    if channel == "bank":
        others = [first_entry_at(f"receivable:{code}") for code in registry.configured() if code != channel]
        moved = min((one for one in (moved, *others) if one), default=None)
    return terms_of(channel).day_of(moved) if moved else None


def _missing(channel: str, kind: str, first: date, last: date) -> list[date]:
    known = StatementRun.objects.filter(channel=channel, kind=kind, day_on__range=(first, last))
    have = set(known.values_list("day_on", flat=True))
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return [day for day in days if day not in have][: settings.STATEMENT_CATCH_UP]


def _ready_at(channel: str, day: date) -> datetime:
    terms = terms_of(channel)
    return datetime.combine(terms.window(day)[1].astimezone(terms.zone).date(), terms.ready_after, terms.zone)
