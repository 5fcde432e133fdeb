"""When a statement is wrong: what the books take back, or book at last, so that they are as if it had told the truth.
Pure."""

from collections.abc import Callable, Iterable, Iterator

from ledger.facts import Entry
from ledger.money import Money
from reconciliation.differing import Case, Proposal, apart, fees_of_ours
from reconciliation.states import DiscrepancyKind, RepairKind

DEPOSITS = frozenset({DiscrepancyKind.DEPOSIT_AMOUNT, DiscrepancyKind.DEPOSIT_MISSING})


def corrections(case: Case) -> Iterator[RepairKind]:
    """Of a payout that did not arrive as told, either statement may be wrong: the channel's, or the bank's."""
    if not case.booked:
        return
    if case.kind in DEPOSITS:
        at_bank = RepairKind.CORRECT_DEPOSIT if case.bank else None
        either = (RepairKind.CORRECT_PAYOUT, at_bank)
        # What nobody has at the bank was paid more often than not: the bank's line is late, or lacks.
        first = either if case.kind == DiscrepancyKind.DEPOSIT_AMOUNT else reversed(either)
        yield from (kind for kind in first if kind and apart(case))
    elif _correct_entries(case) or case.suspended:
        yield RepairKind.CORRECT


def correct(case: Case) -> Proposal:
    entries = _correct_entries(case)
    words = {
        DiscrepancyKind.BANK_UNEXPLAINED: "The bank's line is wrong: what arrived or left is what we booked of it.",
        DiscrepancyKind.CURRENCY: "The statement is wrong: what was kept of it is booked in our currency.",
    }
    other = (
        "The statement is wrong: the bank has the money, as we booked it."
        if case.bank
        else "The statement is wrong: the channel has the money, and kept its fee of it."
    )
    return _proposal(
        case,
        RepairKind.CORRECT,
        "Their statement is wrong: book what is true",
        words.get(case.kind, other) if entries else "The statement is wrong, and our books are right.",
        entries,
    )


def correct_payout(case: Case) -> Proposal:
    arrived = "nothing" if case.told is None else case.told.formatted()
    return _proposal(
        case,
        RepairKind.CORRECT_PAYOUT,
        "The channel's statement is wrong: take the rest back",
        f"The channel paid out {arrived} and not {case.ours.formatted()}: the rest is still owed to us, or was.",
        _moved(case.account, f"receivable:{case.channel}", apart(case)),
    )


def correct_deposit(case: Case) -> Proposal:
    told = "nothing" if case.told is None else case.told.formatted()
    return _proposal(
        case,
        RepairKind.CORRECT_DEPOSIT,
        "The bank's statement is wrong: book what arrived",
        f"{case.ours.formatted()} arrived at the bank, whose statement has {told}: the account is put right by that.",
        _moved(case.account, case.bank, apart(case)),
    )


WRITERS: dict[RepairKind, Callable[[Case], Proposal]] = {
    RepairKind.CORRECT: correct,
    RepairKind.CORRECT_PAYOUT: correct_payout,
    RepairKind.CORRECT_DEPOSIT: correct_deposit,
}


def _proposal(case: Case, kind: RepairKind, label: str, words: str, entries: tuple[Entry, ...]) -> Proposal:
    if case.suspended:
        words = f"{words} What lies in suspense for it is taken back."
    return Proposal(kind=kind, label=label, words=words, entries=entries)


def _correct_entries(case: Case) -> tuple[Entry, ...]:
    owed = f"receivable:{case.channel}"
    if case.kind == DiscrepancyKind.BANK_UNEXPLAINED:
        return _moved(case.bank, "receivable:bank", [case.transfer] if case.transfer else [])
    if case.bank:
        return _moved(case.account, case.bank, apart(case))
    return _moved(f"channel_fees:{case.channel}", owed, fees_of_ours(case))


def _moved(to: str, from_: str, amounts: Iterable[Money]) -> tuple[Entry, ...]:
    return tuple(entry for one in amounts if one.minor for entry in (Entry(to, one), Entry(from_, -one)))
