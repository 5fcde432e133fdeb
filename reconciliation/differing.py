"""A discrepancy as far as a decision needs it, and by how much the books lie apart from what they are told. Pure."""

from dataclasses import dataclass

from ledger.facts import Entry
from ledger.money import Money
from reconciliation.rows import LineKind, LineState
from reconciliation.states import DiscrepancyKind, RepairKind

_BANK = frozenset({DiscrepancyKind.BANK_UNEXPLAINED})
_NOT_OURS = frozenset({DiscrepancyKind.MISSING_HERE, DiscrepancyKind.DUPLICATE})
# What a dispute costs is posted by whoever hears of the dispute.
_CHARGED = frozenset({LineKind.PAYMENT, LineKind.REFUND, LineKind.REFUND_RETURNED})
_NOT_DONE = frozenset({LineState.PROCESSING, LineState.FAILED})


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

    `bank`: the account that the money is at, or should be at; "" when that is another's. `transfer`: what we booked of
    the transfer that a bank's line names and have not found at the bank.
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
    bank: str
    transfer: Money | None


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


def fee_of(case: Case) -> Money | None:
    """What the channel kept of a movement beyond what is posted, if theirs is right: only what is ours has its fee."""
    if case.told is None or case.line_kind not in _CHARGED or case.bank:
        return None
    if case.kind == DiscrepancyKind.STATE:
        # It is posted with the row that is done.
        sign = not case.ours_counts and case.their_state == LineState.SUCCESS
    else:
        sign = case.kind in _NOT_OURS and case.their_state != LineState.FAILED
    minor = sign * whole(case.told_fee)
    return Money(minor, case.told.currency) if minor else None


def fees_of_ours(case: Case) -> tuple[Money, ...]:
    """What the channel kept of a movement of ours beyond what is posted, if ours is right, by currency."""
    if not case.ours_counts or case.line_kind not in _CHARGED or case.bank:
        return ()
    going = case.kind == DiscrepancyKind.STATE and case.their_state == LineState.PROCESSING
    # Of what is under way they say already what they will keep of it.
    fee = case.told_fee if going and case.told_fee else case.fee
    ours = Money(whole(fee), case.ours.currency)
    fees: tuple[Money, ...] = ()
    if case.kind == DiscrepancyKind.MISSING_THERE or case.their_state in _NOT_DONE:
        fees = (ours,)
    elif case.kind == DiscrepancyKind.CURRENCY and case.told is not None:
        fees = (-Money(whole(case.told_fee), case.told.currency), ours)
    return tuple(one for one in fees if one.minor)
