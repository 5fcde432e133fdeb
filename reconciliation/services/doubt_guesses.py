from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from django.db import connection
from django.db.models import F

from reconciliation.at_bank import came, expected
from reconciliation.models import BankLine, Deposit, Settlement
from reconciliation.rules import beyond, by_name
from reconciliation.services.doubt_bank_line import doubt_bank_line
from reconciliation.states import Explanation

_GUESSED: Final = (Explanation.AMOUNT.value, Explanation.SEVERAL.value, Explanation.SPLIT.value)
# A payout and the line that names it are not further apart.
_APART: Final = timedelta(days=45)
_MOST: Final = 5000


def doubt_guesses(*, lines: Sequence[BankLine]) -> int:
    """This will leave open again what was explained by its sum, where by now a line's words say otherwise: one of the
    open `lines` names the payout, or the line itself names another payout. Nor does a line stay explained that brought
    more than the payout it names, once just one other payout is the rest.

    What it takes back, the words explain when they are looked at next. An operation: needs the lock of explaining.
    Returns how many lines are open again.
    """
    assert connection.in_atomic_block, "doubt_guesses() is an operation"
    return _doubt_what_may_be_several() + _doubt_what_is_named_otherwise(lines)


def _doubt_what_is_named_otherwise(lines: Sequence[BankLine]) -> int:
    announced = list(Settlement.objects.announced().order_by("-paid_on", "pk")[:_MOST])
    days = [line.booked_on for line in lines] + [row.paid_on for row in announced]
    if not days:
        return 0
    guesses = Deposit.objects.filter(
        bank_line__how__in=_GUESSED, bank_line__booked_on__gte=min(days) - _APART
    )
    newest = list(
        guesses.select_related("bank_line__file", "settlement").order_by("-bank_line__booked_on")[:_MOST]
    )
    wrong = {
        guess.bank_line_id
        for currency in {guess.bank_line.currency for guess in newest}
        for guess in _otherwise(
            [guess for guess in newest if guess.bank_line.currency == currency],
            [line for line in lines if line.currency == currency and line.amount > 0],
            [row for row in announced if row.currency == currency],
        )
    }
    for line in BankLine.objects.locked().filter(pk__in=wrong).select_related("file"):
        doubt_bank_line(line=line)
    return len(wrong)


def _otherwise(
    guesses: Sequence[Deposit], lines: Sequence[BankLine], announced: Sequence[Settlement]
) -> list[Deposit]:
    """Those that names alone contradict, had all been known together."""
    payouts = {row.pk: one for row in announced for one in expected([row])}
    for guess in guesses:
        (one,) = expected([guess.settlement])
        known = payouts.get(one.key, one)
        payouts[one.key] = known._replace(amount=known.amount + guess.amount)
    guessed = {guess.bank_line_id: guess.bank_line for guess in guesses}
    told = {
        (one.line, one.payout) for one in by_name(list(payouts.values()), came([*lines, *guessed.values()]))
    }
    said_of_line = {line for line, _ in told}
    said_of_payout = {payout for _, payout in told}
    return [
        guess
        for guess in guesses
        if (guess.bank_line_id in said_of_line or guess.settlement_id in said_of_payout)
        and (guess.bank_line_id, guess.settlement_id) not in told
    ]


def _doubt_what_may_be_several() -> int:
    """A line that brought more than the payout that it names may have brought others, that were not known then."""
    doubted = 0
    for row in Settlement.objects.announced().filter(deposited_amount__gt=F("net_amount"))[:_MOST]:
        left = Settlement.objects.announced().filter(
            channel=row.channel, currency=row.currency, deposited_amount=0
        )
        for line in BankLine.objects.locked().filter(deposits__settlement=row, how=Explanation.SPLIT):
            others = left.filter(paid_on__lte=line.booked_on).order_by("-paid_on", "pk")[:_MOST]
            if beyond(-row.missing, expected(others)):
                doubt_bank_line(line=line)
                doubted += 1
    return doubted
