"""Reads of money at the bank that a decision needs: which account, and what of a transfer was found there."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from uuid import UUID

from django.db.models import Exists, F, Func, OuterRef, QuerySet, TextField, Value

from ledger.money import Money
from ledger.selectors import entries_by_key
from payments.booked import BookedTransfer, transfers_named
from reconciliation.models import BankLine, Discrepancy, Repair, Settlement
from reconciliation.rules import Came, Expected
from reconciliation.states import BankLineState, DiscrepancyKind, RepairState

OWED = "receivable:bank"
PAYOUT_KINDS = (DiscrepancyKind.DEPOSIT_AMOUNT.value, DiscrepancyKind.DEPOSIT_MISSING.value)
_UNEXPLAINED = DiscrepancyKind.BANK_UNEXPLAINED.value


def on_their_way() -> QuerySet[Settlement]:
    """Payouts that have not arrived, but for those about which a person has said that nothing more comes."""
    told = Repair.objects.standing().exclude(posted="").filter(discrepancy__kind__in=PAYOUT_KINDS)
    name = Func(Value("set"), F("pk"), function="ledger_public_id", output_field=TextField())
    waiting = Settlement.objects.announced().alias(name=name)
    return waiting.exclude(Exists(told.filter(discrepancy__subject=OuterRef("name"))))


def expected(rows: Iterable[Settlement]) -> list[Expected]:
    return [Expected(row.pk, row.channel, row.words, row.missing, row.paid_on, row.due_on) for row in rows]


def came(lines: Iterable[BankLine]) -> list[Came]:
    return [
        Came(line.pk, line.amount, line.booked_on, f"{line.text} {line.reference} {line.grp}")
        for line in lines
    ]


def accounts_at_bank(rows: Sequence[Discrepancy]) -> dict[UUID, str]:
    """The account (bank:…) at which the money of each is, or should be; of a deposit, where the channel's last one
    came, or else anybody's in its currency. Those that are about no bank are left out.
    """
    found = {row.pk: told for row in rows if (told := _told(row))}
    lately: dict[tuple[str, str], str] = {}
    for row in rows:
        if row.kind in PAYOUT_KINDS:
            key = (row.channel, row.currency)
            account = lately[key] if key in lately else lately.setdefault(key, _latest(*key))
            if account:
                found[row.pk] = f"bank:{account}"
    return found


def _told(row: Discrepancy) -> str:
    if row.kind == _UNEXPLAINED:
        return str((row.theirs or {}).get("account", ""))
    return str((row.ours or {}).get("bank", ""))


def _latest(channel: str, currency: str) -> str:
    paid = Settlement.objects.filter(channel=channel, currency=currency, deposits__isnull=False)
    own = BankLine.objects.filter(deposits__settlement__in=paid.order_by("-paid_on")[:1])
    lines = BankLine.objects.filter(currency=currency).order_by("-booked_on")
    account = own.values_list("account", flat=True).first()
    return str(account or lines.values_list("account", flat=True).first() or "")


def transfers_apart(rows: Sequence[Discrepancy]) -> dict[UUID, Money]:
    """Of lines that name a transfer: what we booked of it and have not found at the bank. Where a repair of the row's
    own stands, what that booked of it.
    """
    named = {row.pk: row.subject for row in rows if row.kind == _UNEXPLAINED and _is_name(row.subject)}
    if not named:
        return {}
    booked = transfers_named(set(named.values()))
    covered, own = _repaired(set(booked))
    before = explained_before(set(booked))
    left = {name: _left(transfer, before, covered) for name, transfer in booked.items()}
    found = {
        key: Money(own.get(key, left[name]), booked[name].currency)
        for key, name in named.items()
        if name in booked
    }
    currencies = {row.pk: row.currency for row in rows}
    return {key: money for key, money in found.items() if money.minor and money.currency == currencies[key]}


def _is_name(subject: str) -> bool:
    return subject.startswith(("att_", "ref_"))


def _left(transfer: BookedTransfer, before: Mapping[str, int], covered: Mapping[str, int]) -> int:
    return transfer.amount - before.get(transfer.movement, 0) - covered.get(transfer.movement, 0)


def explained_before(movements: Collection[str]) -> dict[str, int]:
    """What lines of the bank's are of each transfer."""
    sums: dict[str, int] = defaultdict(int)
    rows = BankLine.objects.filter(movement__in=movements, state=BankLineState.EXPLAINED)
    for movement, amount in rows.values_list("movement", "amount"):
        sums[movement] += amount
    return dict(sums)


def repaired_before(movements: Collection[str]) -> dict[str, int]:
    """What people have booked of each transfer because a line of the bank's is wrong."""
    return _repaired(movements)[0]


def _repaired(movements: Collection[str]) -> tuple[dict[str, int], dict[UUID, int]]:
    """By transfer, and by the discrepancy whose repair stands."""
    standing = Repair.objects.filter(
        state=RepairState.DONE.value, discrepancy__kind=_UNEXPLAINED, discrepancy__subject__in=movements
    ).exclude(posting_key="")
    told = list(standing.values_list("posting_key", "discrepancy__subject", "discrepancy"))
    posted = entries_by_key([key for key, _, _ in told])
    covered: dict[str, int] = defaultdict(int)
    own: dict[UUID, int] = defaultdict(int)
    for key, movement, discrepancy in told:
        booked = -sum(one.amount.minor for one in posted.get(key, ()) if one.account == OWED)
        covered[movement] += booked
        own[discrepancy] += booked
    return dict(covered), dict(own)
