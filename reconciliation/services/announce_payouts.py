from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.db import connection
from django.db.models import Sum

from ledger.facts import Entry
from ledger.money import Money
from ledger.postings import transactions_by_key
from ledger.services.post import post
from ledger.services.reverse import reverse
from reconciliation.models import Settlement, StatementFile, StatementTotal
from reconciliation.models.statement import LIVE
from reconciliation.rows import Line, LineKind, LineState
from reconciliation.rules import PayoutTerms, rounded
from reconciliation.services.take_deposits_back import take_deposits_back
from reconciliation.services.tell_payout_parts import tell_payout_parts
from reconciliation.states import SettlementState, StatementState, TotalPart
from reconciliation.terms import terms_of

# Any fixed number: two days of a channel that lists no payouts are reckoned one after the other.
_LOCK: Final = 726_231_932


@dataclass(frozen=True, slots=True, kw_only=True)
class _Payout:
    group: str
    currency: str
    net: int
    paid_on: date
    paid_at: datetime
    line: int


def announce_payouts(*, file: StatementFile, terms: PayoutTerms, lines: Sequence[Line]) -> int:
    """This will note what the file says was paid out, and post it from the channel's account into transit.

    A channel that lists no payouts pays what its statements came to so far and was not paid yet; a day that comes after
    later ones changes what those paid. Of a file that corrects another, what is said otherwise is reversed and posted
    anew. An operation: needs an open transaction; locks the settlements. Returns how many there are.
    """
    assert connection.in_atomic_block, "announce_payouts() is an operation"
    if terms.payouts:
        told = list(_listed(file, lines))
        for payout in told:
            _note(file, terms, payout)
    else:
        told = _note_implied(file, terms)
    if terms.made_of and told:
        # What they are made of may have been told already.
        days = (min(payout.paid_on for payout in told), max(payout.paid_on for payout in told))
        files = StatementFile.objects.live().filter(channel=file.channel, kind=terms.made_of)
        tell_payout_parts(files=files.filter(day_on__range=days))
    if file.supersedes is not None:
        kept = {(payout.group, payout.currency) for payout in told}
        for row in Settlement.objects.locked().filter(file=file.supersedes):
            if (row.grp, row.currency) not in kept and row.state != SettlementState.WITHDRAWN:
                _withdraw(row)
    return len(told)


def _listed(file: StatementFile, lines: Iterable[Line]) -> Iterable[_Payout]:
    """By their name of it: a payout may be told in several lines. What failed on the way is none."""
    groups: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in lines:
        if line.state != LineState.FAILED:
            groups[line.group or line.their_reference or str(line.number), line.currency].append(line)
    zone = terms_of(file.channel).zone
    for (group, currency), some in groups.items():
        net = -sum(line.amount for line in some)
        at = some[0].happened_at
        yield _Payout(
            group=group,
            currency=currency,
            net=net,
            paid_on=at.astimezone(zone).date(),
            paid_at=at,
            line=some[0].number,
        )


def _note_implied(file: StatementFile, terms: PayoutTerms) -> list[_Payout]:
    """Of this day, and of later ones for as long as they come out otherwise now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_LOCK, file.channel])
    told = list(_implied(file))
    for payout in told:
        _note(file, terms, payout)
    later = StatementFile.objects.filter(
        channel=file.channel, kind=file.kind, day_on__gt=file.day_on, state=StatementState.SETTLED
    )
    for other in later.order_by("day_on"):
        if _is_as_it_was(other, terms):
            break
    return told


def _is_as_it_was(file: StatementFile, terms: PayoutTerms) -> bool:
    """Whether the payouts of the file's day are what they were; notes them when not."""
    rows = Settlement.objects.filter(channel=file.channel, grp=f"{file.day_on:%Y%m%d}")
    before = {row.currency: row for row in rows.exclude(state=SettlementState.WITHDRAWN)}
    told = {payout.currency: payout for payout in _implied(file)}
    # Nothing was paid and nothing is: what is owed goes on to the next day.
    same = bool(told) and {name: row.net_amount for name, row in before.items()} == {
        name: payout.net for name, payout in told.items()
    }
    if not same:
        for payout in told.values():
            _note(file, terms, payout)
        for currency in before.keys() - told.keys():
            _withdraw(Settlement.objects.locked().get(pk=before[currency].pk))
    return same


def _implied(file: StatementFile) -> Iterable[_Payout]:
    """What all days up to this one came to, less what was paid for the others; nothing while that is owed.

    By our books: where a row of the file differs from them, that is a discrepancy already; its deposit is not another.
    """
    sums = StatementTotal.objects.filter(
        part=TotalPart.OURS,
        file__channel=file.channel,
        file__kind=file.kind,
        file__day_on__lte=file.day_on,
        file__state__in=LIVE,
    ).exclude(kind=LineKind.PAYOUT)
    paid = Settlement.objects.filter(channel=file.channel).exclude(state=SettlementState.WITHDRAWN)
    before = dict(
        paid.filter(paid_on__lte=file.day_on)
        .exclude(grp=f"{file.day_on:%Y%m%d}")
        .order_by()
        .values_list("currency")
        .annotate(Sum("net_amount"))
    )
    for told in sums.order_by().values("currency").annotate(gross=Sum("amount"), kept=Sum("fee")):
        net = told["gross"] - rounded(told["kept"]) - before.get(told["currency"], 0)
        if net > 0:
            yield _Payout(
                group=f"{file.day_on:%Y%m%d}",
                currency=told["currency"],
                net=net,
                paid_on=file.day_on,
                paid_at=terms_of(file.channel).window(file.day_on)[1] - timedelta(seconds=1),
                line=0,
            )


def _note(file: StatementFile, terms: PayoutTerms, payout: _Payout) -> None:
    named = Settlement.objects.locked().filter(
        channel=file.channel, grp=payout.group, currency=payout.currency
    )
    row = named.first()
    if payout.net <= 0:
        # It came back to the channel, or nothing is left of it.
        if row is not None and row.state != SettlementState.WITHDRAWN:
            _withdraw(row)
        return
    if row is None:
        row = Settlement(channel=file.channel, grp=payout.group, currency=payout.currency)
    elif row.net_amount == payout.net and row.state != SettlementState.WITHDRAWN:
        row.file, row.line = file, payout.line
        row.store()
        return
    else:
        _unpost(row)
        if row.state == SettlementState.WITHDRAWN:
            row.announce_again()
    row.words = terms.words.format(group=payout.group, day=file.day_on)[:100]
    due_on = payout.paid_on + timedelta(days=terms.days)
    row.tell(file=file, line=payout.line, gross=payout.net, fee=0, paid_on=payout.paid_on, due_on=due_on)
    row.take(0)
    _post(row, payout.paid_at)
    if row._state.adding:
        row.save(force_insert=True)
    else:
        row.store()


def _post(row: Settlement, paid_at: datetime) -> None:
    key, number = f"{row.file.public_id}:settled:{row.grp}", 1
    # Under the same name again when it was withdrawn and is told of after all.
    while f"{_nth(key, number)}:undone" in transactions_by_key([f"{_nth(key, number)}:undone"]):
        number += 1
    net = Money(row.net_amount, row.currency)
    posted = post(
        business_key=_nth(key, number),
        reference=row.public_id,
        description=f"Paid out by {row.channel}: {row.grp}"[:300],
        entries=[Entry(f"in_transit:{row.channel}", net), Entry(f"receivable:{row.channel}", -net)],
        happened_at=paid_at,
    )
    row.posting = posted.business_key


def _nth(key: str, number: int) -> str:
    return key if number == 1 else f"{key}:{number}"


def _unpost(row: Settlement) -> None:
    if row.posting:
        [view] = transactions_by_key([row.posting]).values()
        reverse(business_key=f"{row.posting}:undone", of=view.id, reason="Corrected by the channel")
        row.posting = ""


def _withdraw(row: Settlement) -> None:
    take_deposits_back(settlement=row)
    _unpost(row)
    row.withdraw()
    row.store()
