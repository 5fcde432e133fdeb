from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max, Min
from django.utils import timezone

from ledger.facts import Entry
from ledger.money import Money
from ledger.postings import transactions_by_key
from ledger.services.post import post
from payments.booked import BookedTransfer, transfers_behind
from payments.channels.bank.references import references_in
from reconciliation.archive import BANK
from reconciliation.at_bank import came, expected, explained_before, repaired_before
from reconciliation.models import BankLine, Deposit, Discrepancy, Settlement, StatementRun
from reconciliation.rules import Found, deposits
from reconciliation.services.doubt_guesses import doubt_guesses
from reconciliation.services.report_deposits import report_deposits
from reconciliation.services.report_missing_transfers import report_missing_transfers
from reconciliation.services.take_outdated_back import take_outdated_back
from reconciliation.states import CLOSED, BankLineState, DiscrepancyKind, Explanation, RunState

# Any fixed number: two workers must not explain one line by two things.
_LOCK: Final = 7_262_319_006
# The newest; what is older has been with a person for long.
_MOST: Final = 5000


class Explained(NamedTuple):
    explained: int
    reported: int


def explain_deposits() -> Explained:
    """This will find what each open line of the bank's is, and post it: a customer's transfer or our refund of one, or
    payouts that arrived. What stays open, and payouts and transfers that should have arrived, become discrepancies;
    those that are explained by now are closed.

    A line that could be two things stays open. Owns its transaction; one caller at a time; locks lines, then payouts.
    """
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        lines = _open_lines()
        if doubt_guesses(lines=lines):
            lines = _open_lines()
        movements = _explain_transfers(lines)
        left = [line for line in lines if line.state == BankLineState.OPEN]
        for currency in sorted({line.currency for line in left}):
            _explain_payouts(currency, [line for line in left if line.currency == currency])
        left = [line for line in left if line.state == BankLineState.OPEN]
        arrived = [line.pk for line in lines if line.state == BankLineState.EXPLAINED]
        take_outdated_back(arrived=arrived)
        seen = _seen_until()
        reported = report_deposits(lines=left, movements=movements, now=timezone.now(), seen_until=seen)
        reported += report_missing_transfers(arrived=arrived, seen_until=seen)
        return Explained(len(lines) - len(left), reported)


def _open_lines() -> list[BankLine]:
    """The newest, without those that a person has dealt with: booked to suspense, written off or closed."""
    rows = BankLine.objects.locked().unexplained().select_related("file").order_by("-booked_on", "pk")[:_MOST]
    told = Discrepancy.objects.filter(
        kind=DiscrepancyKind.BANK_UNEXPLAINED, file__in={line.file_id for line in rows}
    )
    by_line = {(row.file_id, row.line): row for row in told}
    keys = {row.pk: f"{row.public_id}:suspense" for row in by_line.values()}
    posted = transactions_by_key([key for one in keys.values() for key in (one, f"{one}:undone")])

    def is_dealt_with(line: BankLine) -> bool:
        row = by_line.get((line.file_id, line.line))
        if row is None:
            return False
        suspended = keys[row.pk] in posted and f"{keys[row.pk]}:undone" not in posted
        return suspended or (row.state in CLOSED and row.closed_by != "system")

    return [line for line in rows if not is_dealt_with(line)]


def _seen_until() -> date | None:
    """Up to which day the bank's own statements are here, without a gap that is still asked for."""
    newest: date | None = BankLine.objects.aggregate(day=Max("booked_on"))["day"]
    open_states = (RunState.DUE.value, RunState.UNAVAILABLE.value)
    waited = StatementRun.objects.filter(channel=BANK, state__in=open_states, attempts__gt=0)
    gap: date | None = waited.aggregate(day=Min("day_on"))["day"]
    return gap - timedelta(days=1) if newest and gap and gap <= newest else newest


def _explain_transfers(lines: Sequence[BankLine]) -> dict[UUID, str]:
    """Lines that name one of our transfers are it, as soon as all lines that name it come to what we booked.

    Returns which transfer each line names.
    """
    named = {line.pk: name for line in lines if (name := _name_of(line))}
    quotes, refunds = _sorted_out(named.values())
    booked = transfers_behind(quotes, refunds)
    groups: dict[str, list[BankLine]] = defaultdict(list)
    for line in lines:
        if (name := named.get(line.pk, "")) in booked:
            groups[name].append(line)
    movements = {booked[name].movement for name in groups}
    before, repaired = explained_before(movements), repaired_before(movements)
    for name, some in groups.items():
        transfer = booked[name]
        came = before.get(transfer.movement, 0) + repaired.get(transfer.movement, 0)
        came += sum(line.amount for line in some)
        if came == transfer.amount and all(line.currency == transfer.currency for line in some):
            for line in some:
                _post_transfer(line, transfer)
    return {line.pk: booked[name].movement for name, some in groups.items() for line in some}


def _name_of(line: BankLine) -> str:
    """Of one transfer; "" when it names none or several."""
    if line.reference.startswith("ref_"):
        return line.reference
    quoted = references_in([line.text, line.reference])
    return quoted.pop() if len(quoted) == 1 else ""


def _sorted_out(names: Iterable[str]) -> tuple[set[str], set[str]]:
    every = set(names)
    refunds = {name for name in every if name.startswith("ref_")}
    return every - refunds, refunds


def _post_transfer(line: BankLine, transfer: BookedTransfer) -> None:
    money = Money(line.amount, line.currency)
    key = _post(
        line, transfer.reference, [Entry(f"bank:{line.account}", money), Entry("receivable:bank", -money)]
    )
    line.explain(Explanation.TRANSFER, key, transfer.movement)
    line.store()


def _explain_payouts(currency: str, lines: Sequence[BankLine]) -> None:
    credited = [line for line in lines if line.amount > 0]
    if not credited:
        return
    newest = max(line.booked_on for line in credited) + timedelta(days=1)
    rows = Settlement.objects.locked().announced().filter(currency=currency, paid_on__lte=newest)
    payouts = {row.pk: row for row in rows.order_by("-paid_on", "pk")[:_MOST]}
    waiting = sorted(expected(payouts.values()), key=lambda one: (one.paid_on, one.key))
    by_line: dict[UUID, list[Found]] = defaultdict(list)
    for found in deposits(waiting, came(credited)):
        by_line[found.line].append(found)
    known = {line.pk: line for line in credited}
    for key, some in by_line.items():
        _post_deposit(known[key], some, payouts)


def _post_deposit(line: BankLine, found: Sequence[Found], payouts: dict[UUID, Settlement]) -> None:
    by_channel: dict[str, int] = defaultdict(int)
    for one in found:
        row = payouts[one.payout]
        by_channel[row.channel] += one.amount
        row.take(one.amount)
        row.store()
    entries = [Entry(f"bank:{line.account}", Money(line.amount, line.currency))]
    entries += [
        Entry(f"in_transit:{channel}", Money(-amount, line.currency))
        for channel, amount in sorted(by_channel.items())
    ]
    key = _post(line, payouts[found[0].payout].public_id, entries)
    Deposit.objects.bulk_create(
        Deposit(bank_line=line, settlement_id=one.payout, amount=one.amount) for one in found
    )
    line.explain(found[0].how, key)
    line.store()


def _post(line: BankLine, reference: str, entries: Sequence[Entry]) -> str:
    """Under the line's name, or its name with a number when what explained it before was taken back."""
    first = f"{line.file.public_id}:deposit:{line.line}"
    key, number = first, 1
    while transactions_by_key([f"{key}:undone"]):
        number += 1
        key = f"{first}:{number}"
    posted = post(
        business_key=key,
        reference=reference,
        description=f"Bank line {line.their_reference or line.line}"[:300],
        entries=list(entries),
        happened_at=line.booked_at,
    )
    return posted.business_key
