"""Settling: rounding of fees, and which deposit is which payout. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from typing import Final, NamedTuple, TypeVar
from uuid import UUID

from ledger.facts import Entry
from ledger.money import Money
from reconciliation.rows import Line, LineKind, LineState
from reconciliation.states import Explanation

# A sum is looked for among so many, in groups of so many at most: 793 groups, whatever the day brings.
_AMONG: Final = 12
_TOGETHER: Final = 4
# Shorter words stand in any text by chance.
_SHORTEST: Final = 8
# What a dispute costs is posted by whoever hears of the dispute, and so is what winning it gives back.
_CHARGED: Final = frozenset((LineKind.PAYMENT.value, LineKind.REFUND.value, LineKind.REFUND_RETURNED.value))
_Part = TypeVar("_Part", "Expected", "Came")


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutTerms:
    """How a channel pays. `fees` is the kind of statement whose lines carry the fees, `payouts` the one that lists
    payouts, `made_of` the one that tells what each is made of. Without `payouts`, what a statement comes to is paid out
    by itself. `words` are what the bank shows of it; it should have arrived `days` after it was paid.
    """

    fees: str
    payouts: str = ""
    made_of: str = ""
    words: str = "{group}"
    days: int = 3


class Expected(NamedTuple):
    """A payout, or the rest of one, that did not arrive yet."""

    key: UUID
    channel: str
    words: str
    amount: int
    paid_on: date
    due_on: date


class Came(NamedTuple):
    """A credit of the bank's that nothing explains yet."""

    key: UUID
    amount: int
    booked_on: date
    text: str


class Found(NamedTuple):
    """So much of this payout came with this line."""

    line: UUID
    payout: UUID
    amount: int
    how: Explanation


def rounded(thousandths: int) -> int:
    """Minor units, half up: away from zero, so that a fee and its return round alike."""
    whole = (abs(thousandths) + 500) // 1000
    return whole if thousandths >= 0 else -whole


def keeps_fee(line: Line) -> bool:
    """Whether the channel kept something of it, or gave it back, whosever it is: once, with the row that is done."""
    return bool(line.fee) and line.kind in _CHARGED and line.state == LineState.SUCCESS.value


def has_fee(line: Line) -> bool:
    return keeps_fee(line) and is_charged(line)


def is_charged(line: Line) -> bool:
    """Whether it is a movement of which a channel keeps a fee, or may have: corrected lines count without one, too."""
    return line.kind in _CHARGED and line.state == LineState.SUCCESS.value and bool(line.reference)


def fee_entries(channel: str, amount: Money) -> list[Entry]:
    return [Entry(f"channel_fees:{channel}", amount), Entry(f"receivable:{channel}", -amount)]


def deposits(payouts: Sequence[Expected], lines: Sequence[Came]) -> list[Found]:
    """What explains what, surest first; what could be two things stays unexplained.

    A line that names payouts is theirs. The others: the one payout of this sum in its time, then several payouts of one
    channel that make up the line, then several lines that make up one payout. All are in one currency.
    """
    found: list[Found] = []
    for stage in (by_name, _by_name_and_more, _by_amount, _by_several, _by_split):
        seen_lines, seen_payouts = {one.line for one in found}, {one.payout for one in found}
        left = [line for line in lines if line.key not in seen_lines]
        found += stage([one for one in payouts if one.key not in seen_payouts], left)
    return found


def names(text: str, words: str) -> bool:
    """Whether the bank's text says all of these words, whatever it did to spaces and case."""
    plain = _plain(text)
    return len(_plain(words)) >= _SHORTEST and all(_plain(word) in plain for word in words.split())


def _plain(text: str) -> str:
    return re.sub(r"[^0-9A-Z]", "", text.upper())


def by_name(payouts: Sequence[Expected], lines: Sequence[Came]) -> Iterator[Found]:
    """Lines that name payouts which come to just their sum."""
    missing = {one.key: one.amount for one in payouts}
    for line in lines:
        named = [one for one in payouts if missing[one.key] > 0 and names(line.text, one.words)]
        if not named or sum(missing[one.key] for one in named) != line.amount:
            continue
        how = Explanation.REFERENCE if len(named) == 1 else Explanation.SEVERAL
        for one in named:
            yield Found(line.key, one.key, missing[one.key], how)
            missing[one.key] = 0


def _by_name_and_more(payouts: Sequence[Expected], lines: Sequence[Came]) -> Iterator[Found]:
    """Lines that name one payout and brought another sum."""
    missing = {one.key: one.amount for one in payouts}
    for line in lines:
        named = [one for one in payouts if missing[one.key] > 0 and names(line.text, one.words)]
        if len(named) != 1:
            continue
        if others := _beside(named[0], payouts, missing, line):
            how, shares = Explanation.SEVERAL, [(one, missing[one.key]) for one in (named[0], *others)]
        else:
            # A part of it, or another sum: the money is there either way, and what is left over is reported.
            how, shares = Explanation.SPLIT, [(named[0], line.amount)]
        for one, amount in shares:
            missing[one.key] -= amount
            yield Found(line.key, one.key, amount, how)


def _beside(
    named: Expected, payouts: Sequence[Expected], missing: dict[UUID, int], line: Came
) -> tuple[Expected, ...]:
    """The channel's other payouts that came with the one that the line names; its text may have cut their names."""
    left = [
        one
        for one in payouts
        if (one.channel, missing[one.key]) == (named.channel, one.amount)
        and one.key != named.key
        and one.paid_on <= line.booked_on
    ]
    return beyond(line.amount - missing[named.key], left)


def beyond(rest: int, payouts: Sequence[Expected]) -> tuple[Expected, ...]:
    """The only payouts that explain what a line brought beyond the payout that it names; none when it is not clear."""
    if rest <= 0:
        return ()
    groups: list[tuple[Expected, ...]] = [(one,) for one in payouts if one.amount == rest]
    groups += _making_up(rest, payouts)
    return groups[0] if len(groups) == 1 else ()


def _by_amount(payouts: Sequence[Expected], lines: Sequence[Came]) -> Iterator[Found]:
    for line in lines:
        of_sum = [one for one in _in_time(payouts, line) if one.amount == line.amount]
        if len(of_sum) != 1:
            continue
        (one,) = of_sum
        rivals = [other for other in lines if other.amount == one.amount and _fits(one, other)]
        if len(rivals) == 1:
            yield Found(line.key, one.key, one.amount, Explanation.AMOUNT)


def _by_several(payouts: Sequence[Expected], lines: Sequence[Came]) -> Iterator[Found]:
    used: set[UUID] = set()
    for line in lines:
        groups = []
        for channel in sorted({one.channel for one in payouts}):
            own = [one for one in _in_time(payouts, line) if one.channel == channel and one.key not in used]
            groups += _making_up(line.amount, own)
        if len(groups) == 1:
            used |= {one.key for one in groups[0]}
            for one in groups[0]:
                yield Found(line.key, one.key, one.amount, Explanation.SEVERAL)


def _by_split(payouts: Sequence[Expected], lines: Sequence[Came]) -> Iterator[Found]:
    used: set[UUID] = set()
    for one in payouts:
        fitting = [line for line in lines if line.key not in used and _fits(one, line)]
        groups = _making_up(one.amount, fitting)
        if len(groups) == 1:
            used |= {line.key for line in groups[0]}
            for line in groups[0]:
                yield Found(line.key, one.key, line.amount, Explanation.SPLIT)


def _making_up(total: int, parts: Sequence[_Part]) -> list[tuple[_Part, ...]]:
    """Up to two different groups of two parts or more that make up the total; none when there are too many parts."""
    if len(parts) > _AMONG:
        return []
    found: list[tuple[_Part, ...]] = []
    for size in range(2, _TOGETHER + 1):
        for group in combinations(parts, size):
            if sum(part.amount for part in group) == total:
                found.append(group)
                if len(found) == 2:
                    return found
    return found


def _in_time(payouts: Iterable[Expected], line: Came) -> list[Expected]:
    return [one for one in payouts if _fits(one, line)]


def _fits(one: Expected, line: Came) -> bool:
    return one.paid_on <= line.booked_on <= one.due_on
