"""What can be done about a discrepancy, in words and in entries, before it is done. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ledger.facts import Entry
from ledger.money import Money
from reconciliation.rows import LineKind, LineState
from reconciliation.states import DiscrepancyKind, RepairKind, Rest

_BANK = frozenset({DiscrepancyKind.BANK_UNEXPLAINED})
SUFFIX = {
    RepairKind.POST_FEE: "fee_posted",
    RepairKind.TAKE_BACK_FEE: "fee_taken_back",
    RepairKind.SUSPENSE: "suspense",
    RepairKind.WRITE_OFF: "written_off",
    RepairKind.FORCE_MATCH: "forced",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What payments know of the movement now. `spare`: its order was paid by another payment, so it may go back."""

    payment: str
    state: str
    captured: Money
    refundable: Money
    spare: bool
    refund: str = ""  # ref_…, when the movement is one
    refund_state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A discrepancy as far as a decision needs it. Fees are thousandths of a minor unit.

    `ours_counts`: our books have the money, and do not only know that it was asked for. `booked`: a statement told of
    it, so our books are to agree with theirs; what a provider only answered was never applied. `suspended`: its
    difference lies in suspense already. `asked`: the provider was asked before.
    """

    id: str
    kind: DiscrepancyKind
    channel: str
    account: str
    line_kind: str
    their_state: str
    ours: Money
    ours_counts: bool
    told: Money | None
    at_risk: Money
    fee: int
    told_fee: int
    booked: bool
    suspended: bool
    asked: bool
    standing: Standing | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """`words` say what it does; `entries` are all that it posts."""

    kind: RepairKind
    label: str
    words: str
    entries: tuple[Entry, ...] = ()

    @property
    def moved(self) -> Money | None:
        """The sum of its debits, in the first currency."""
        if not self.entries:
            return None
        currency = self.entries[0].amount.currency
        amounts = [entry.amount.minor for entry in self.entries if entry.amount.currency == currency]
        return Money(sum(minor for minor in amounts if minor > 0), currency)


def account_of(kind: DiscrepancyKind, channel: str, named: str = "") -> str:
    """The account that is to agree with theirs: the bank's for money at the bank, else what the channel owes us."""
    return named or (f"bank:{channel}" if kind in _BANK else f"receivable:{channel}")


def whole(thousandths: int) -> int:
    """Minor units, half of one away from zero."""
    sign = -1 if thousandths < 0 else 1
    return sign * ((abs(thousandths) + 500) // 1000)


def apart(case: Case) -> tuple[Money, ...]:
    """What theirs has beyond ours, by currency: by this the account has to move to agree with them."""
    if not case.booked or case.kind == DiscrepancyKind.LATE:
        return ()
    return tuple(one for one in _sides(case) if one.minor)


def _sides(case: Case) -> tuple[Money, ...]:
    theirs, ours = case.told, case.ours
    if case.kind == DiscrepancyKind.FEE:
        return (Money(whole(case.fee) - whole(case.told_fee), ours.currency),)
    if case.kind in (
        DiscrepancyKind.MISSING_HERE,
        DiscrepancyKind.DUPLICATE,
        DiscrepancyKind.BANK_UNEXPLAINED,
    ):
        return (theirs,) if theirs else ()
    if case.kind == DiscrepancyKind.STATE:
        counts = case.their_state == LineState.SUCCESS
        return (*((theirs,) if theirs and counts else ()), *((-ours,) if case.ours_counts else ()))
    if theirs is None:
        return (-ours,)
    if theirs.currency == ours.currency:
        return (theirs - ours,)
    return (-ours, theirs)


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
    if books and not case.suspended:
        yield RepairKind.SUSPENSE
    if not case.suspended:
        yield RepairKind.ACCEPT
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
    """From the account that does not agree, or from suspense where the difference lies already."""
    base = "suspense" if case.suspended else case.account
    return tuple(entry for one in apart(case) for entry in (Entry(base, one), Entry(counter, -one)))


def _sum(case: Case) -> str:
    return " and ".join(_absolute(one).formatted() for one in apart(case)) or case.at_risk.formatted()


def _absolute(money: Money) -> Money:
    return Money(abs(money.minor), money.currency)


def _post_fee(case: Case) -> Proposal:
    entries = _entries(case, f"channel_fees:{case.channel}")
    words = f"{case.channel} kept {_sum(case)} more than we reckoned with: it becomes a fee."
    return Proposal(
        kind=RepairKind.POST_FEE, label="Post the fee that was kept", words=words, entries=entries
    )


def _take_back_fee(case: Case) -> Proposal:
    entries = _entries(case, f"channel_fees:{case.channel}")
    words = f"{case.channel} kept {_sum(case)} less than we reckoned with: the fee is taken back by that."
    return Proposal(
        kind=RepairKind.TAKE_BACK_FEE, label="Take back a wrong fee", words=words, entries=entries
    )


def _record_capture(case: Case) -> Proposal:
    assert case.standing is not None
    words = (
        f"Asks {case.channel} about {case.standing.payment}. If the money was taken, the payment, its order and stock "
        "follow, and the journal with them: nothing is booked by hand."
    )
    return Proposal(kind=RepairKind.RECORD_CAPTURE, label="Record the missing capture", words=words)


def _ask(case: Case) -> Proposal:
    words = f"Asks {case.channel} once more and applies what it says, if it is about our sum. No other sum is applied."
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
}
