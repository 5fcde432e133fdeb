"""What can be done about a discrepancy, in words and in entries, before it is done. Pure."""

from collections.abc import Callable, Iterator

from ledger.facts import Entry
from ledger.money import Money
from reconciliation import corrections
from reconciliation.differing import Case, Proposal, apart, fee_of
from reconciliation.rows import LineKind, LineState
from reconciliation.states import DiscrepancyKind, RepairKind, Rest

SUFFIX = {
    RepairKind.POST_FEE: "fee_posted",
    RepairKind.TAKE_BACK_FEE: "fee_taken_back",
    RepairKind.SUSPENSE: "suspense",
    RepairKind.WRITE_OFF: "written_off",
    RepairKind.FORCE_MATCH: "forced",
    RepairKind.CORRECT: "corrected",
    RepairKind.CORRECT_PAYOUT: "payout_corrected",
    RepairKind.CORRECT_DEPOSIT: "deposit_corrected",
}


def proposals(case: Case) -> tuple[Proposal, ...]:
    """What can be done about it, the best first; never empty."""
    kinds = dict.fromkeys(_kinds(case))
    if case.asked and len(kinds) > 1 and next(iter(kinds)) == RepairKind.ASK_PROVIDER:
        kinds.pop(RepairKind.ASK_PROVIDER)
        kinds[RepairKind.ASK_PROVIDER] = None
    return tuple(_WRITERS[kind](case) for kind in kinds)


def offered(case: Case, kind: str) -> Proposal | None:
    return next((one for one in proposals(case) if one.kind == kind), None)


def _kinds(case: Case) -> Iterator[RepairKind]:
    books = bool(apart(case))
    yield from _outward(case)
    if case.kind == DiscrepancyKind.FEE and books:
        more = case.told_fee > case.fee
        yield RepairKind.POST_FEE if more else RepairKind.TAKE_BACK_FEE
    if case.kind == DiscrepancyKind.DEPOSIT_AMOUNT and books:
        yield RepairKind.POST_FEE if _total(case) < 0 else RepairKind.TAKE_BACK_FEE
    if case.kind in (DiscrepancyKind.LATE, DiscrepancyKind.FEE) and not books:
        yield RepairKind.ACCEPT
    if case.kind in (DiscrepancyKind.DEPOSIT_MISSING, DiscrepancyKind.MISSING_THERE):
        yield RepairKind.WAIT
    yield from corrections.corrections(case)
    strange = any(one.minor for one in _strange(case))
    if strange and not case.suspended:
        yield RepairKind.SUSPENSE
    if not case.suspended:
        yield RepairKind.ACCEPT
    if strange or not books:
        yield RepairKind.WRITE_OFF


def _total(case: Case) -> int:
    return sum(one.minor for one in apart(case))


def _outward(case: Case) -> Iterator[RepairKind]:
    """What payments and the provider may know or do."""
    standing = case.standing
    if standing is None or case.kind in (DiscrepancyKind.FEE, DiscrepancyKind.LATE):
        return
    if standing.spare and standing.refundable.minor and case.line_kind in ("", LineKind.PAYMENT):
        yield RepairKind.REFUND
    theirs_counts = (
        case.kind in (DiscrepancyKind.MISSING_HERE, DiscrepancyKind.STATE) and not case.ours_counts
    )
    if theirs_counts and case.line_kind == LineKind.PAYMENT and not standing.captured.minor:
        yield RepairKind.RECORD_CAPTURE
    elif case.kind != DiscrepancyKind.DUPLICATE:
        yield RepairKind.ASK_PROVIDER


def settled(case: Case) -> bool:
    """Whether ours and theirs say the same by now, after the provider was asked."""
    standing = case.standing
    if standing is None:
        return False
    if case.line_kind in (LineKind.REFUND, LineKind.REFUND_RETURNED):
        return case.kind in _TOLD and standing.refund_state == "SUCCEEDED"
    if not case.booked:
        return standing.state in ("FAILED", "CANCELLED") or standing.captured == case.ours
    if case.kind == DiscrepancyKind.STATE and case.their_state != LineState.SUCCESS:
        return not standing.captured.minor
    return case.kind in _TOLD and case.told is not None and standing.captured == case.told


# Where theirs is what ours has to become.
_TOLD = frozenset({DiscrepancyKind.MISSING_HERE, DiscrepancyKind.STATE, DiscrepancyKind.AMOUNT})


def rest_entries(account: str, channel: str, rest: Rest, difference: Money) -> tuple[Entry, ...]:
    """What a forced match posts of the `difference` (theirs less ours)."""
    if not difference.minor:
        return ()
    counter = {Rest.FEE: f"channel_fees:{channel}", Rest.SUSPENSE: "suspense", Rest.WRITE_OFF: "write_offs"}
    return (Entry(account, difference), Entry(counter[rest], -difference))


def _entries(case: Case, counter: str) -> tuple[Entry, ...]:
    """From the account that does not agree, or from suspense where the difference lies already. What the channel kept
    of it is a fee, and what a line has of a transfer that we booked is that.
    """
    if case.suspended:
        moved = [(("suspense", one), (counter, -one)) for one in _strange(case)]
        return tuple(Entry(*side) for sides in moved for side in sides if side[1].minor)
    found: list[Entry] = []
    fee = fee_of(case)
    for one in apart(case):
        kept = fee if fee and fee.currency == one.currency else Money(0, one.currency)
        known = case.transfer or Money(0, one.currency)
        found += [
            Entry(case.account, one - kept),
            Entry(f"channel_fees:{case.channel}", kept),
            Entry("receivable:bank", -known),
            Entry(counter, known - one),
        ]
    return tuple(entry for entry in found if entry.amount.minor)


def _strange(case: Case) -> tuple[Money, ...]:
    """What lies in suspense when all that is known of it was booked as what it is."""
    return tuple(one - case.transfer if case.transfer else one for one in apart(case))


def _sum(case: Case) -> str:
    return " and ".join(_absolute(one).formatted() for one in _strange(case)) or case.at_risk.formatted()


def _absolute(money: Money) -> Money:
    return Money(abs(money.minor), money.currency)


def _post_fee(case: Case) -> Proposal:
    entries = _entries(case, f"channel_fees:{case.channel}")
    words = f"The channel kept {_sum(case)} more than we reckoned with: it becomes a fee."
    return Proposal(
        kind=RepairKind.POST_FEE, label="Post the fee that was kept", words=words, entries=entries
    )


def _take_back_fee(case: Case) -> Proposal:
    entries = _entries(case, f"channel_fees:{case.channel}")
    words = f"The channel kept {_sum(case)} less than we reckoned with: the fee is taken back by that."
    return Proposal(
        kind=RepairKind.TAKE_BACK_FEE, label="Take back a wrong fee", words=words, entries=entries
    )


def _record_capture(case: Case) -> Proposal:
    assert case.standing is not None
    words = (
        f"Asks the channel about {case.standing.payment}. If the money was taken, the payment, its order and stock "
        "follow, and the journal with them: nothing is booked by hand."
    )
    return Proposal(kind=RepairKind.RECORD_CAPTURE, label="Record the missing capture", words=words)


def _ask(case: Case) -> Proposal:
    words = "Asks the channel once more and applies what it says, if it is about our sum. No other sum is applied."
    return Proposal(kind=RepairKind.ASK_PROVIDER, label="Ask the provider again", words=words)


def _refund(case: Case) -> Proposal:
    assert case.standing is not None
    words = (
        f"The order was paid by another payment: sends {case.standing.refundable.formatted()} of "
        f"{case.standing.payment} back to the customer by the way it came."
    )
    return Proposal(kind=RepairKind.REFUND, label="Refund the double charge", words=words)


def _suspense(case: Case) -> Proposal:
    words = f"Moves {_sum(case)} between {case.account} and suspense until somebody finds out what it is."
    return Proposal(
        kind=RepairKind.SUSPENSE,
        label="Book it to suspense",
        words=f"{words} The discrepancy stays open.",
        entries=_entries(case, "suspense"),
    )


def _wait(case: Case) -> Proposal:
    words = "Waits for a later file, which closes it by itself. Nothing is booked."
    return Proposal(kind=RepairKind.WAIT, label="Wait", words=words)


def _accept(case: Case) -> Proposal:
    words = "Closes it for your reason. Nothing is booked."
    return Proposal(kind=RepairKind.ACCEPT, label="Explained: close it", words=words)


def _write_off(case: Case) -> Proposal:
    entries = _entries(case, "write_offs")
    words = (
        f"Gives up {_sum(case)}: it goes from {entries[0].account} to the write-offs."
        if entries
        else f"Gives up {_sum(case)}. It was never applied, so nothing is booked."
    )
    return Proposal(kind=RepairKind.WRITE_OFF, label="Write it off", words=words, entries=entries)


_WRITERS: dict[RepairKind, Callable[[Case], Proposal]] = {
    RepairKind.POST_FEE: _post_fee,
    RepairKind.TAKE_BACK_FEE: _take_back_fee,
    RepairKind.RECORD_CAPTURE: _record_capture,
    RepairKind.ASK_PROVIDER: _ask,
    RepairKind.REFUND: _refund,
    RepairKind.SUSPENSE: _suspense,
    RepairKind.WAIT: _wait,
    RepairKind.ACCEPT: _accept,
    RepairKind.WRITE_OFF: _write_off,
    **corrections.WRITERS,
}
