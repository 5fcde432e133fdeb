"""What a customer may still pay by each method, told before the attempt.

Only what the policy says of the customer's verification level: how often, how fast and how it looks to risk is
nobody's to know. Limits of single channels are left out, because which channel it will be is not known yet.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, Sum

from ledger.money import Money
from risk.facts import CustomerFacts
from risk.features import bucket, calendar_day
from risk.limits import CURRENCY, Ceiling, Limit
from risk.models import LimitUse, Policy, RollOut
from risk.models.lists import key_of
from risk.selectors import policy_document
from risk.states import EntityKind, PolicyState, RollOutState
from risk.variables import in_cny

PAYMENT, DAY, MONTH = "payment", "day", "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """Why a payment can not be made: of `limit` for one payment, a day or a month only `left` remains, in CNY.

    `everywhere` is false where another method may do.
    """

    period: str
    limit: Money
    left: Money
    everywhere: bool


@dataclass(frozen=True, slots=True)
class _Spent:
    day: int
    month: int


def shortages(
    *,
    customer: CustomerFacts,
    amount: Money,
    methods: Iterable[str],
    now: datetime,
    besides: Iterable[str] = (),
) -> dict[str, Shortage]:
    """By method, the limit that a payment of `amount` would exceed most; methods that will do are left out.

    `besides` are payments ("pay_…") whose own use does not count, because this one takes their place. Guests have no
    limits. At most three statements.
    """
    if not customer.reference:
        return {}
    key = key_of(EntityKind.CUSTOMER, customer.reference)
    policy = policy_document(_policy_for(key))
    limit = policy.limits.get(customer.verification_level)
    wanted = in_cny(amount.minor, amount.currency, policy.rates)
    if limit is None or wanted is None:
        return {}
    names = sorted(set(methods))
    spent = _spent(key, [name for name in names if name in limit.channels], now, tuple(besides))
    found = {name: _short(limit, wanted, spent, name) for name in names}
    return {name: short for name, short in found.items() if short}


def _policy_for(key: str) -> UUID:
    """As `assess` chooses."""
    rolled = RollOut.objects.filter(state=str(RollOutState.RUNNING)).values_list("policy_id", "share").first()
    if rolled and bucket(rolled[0], key) < rolled[1]:
        return rolled[0]
    return Policy.objects.values_list("pk", flat=True).get(state=str(PolicyState.ACTIVE))


def _spent(key: str, named: list[str], now: datetime, besides: tuple[str, ...]) -> Mapping[str, _Spent]:
    """Today and this month, altogether ("") and by each of the methods that have limits of their own."""
    today = calendar_day(now)
    used = LimitUse.objects.filter(
        customer_key=key, used_on__range=(today.replace(day=1), today), released_at=None
    ).exclude(subject__in=besides)
    sums = used.aggregate(
        **{
            f"{period}_{place}": Sum("amount", default=0, filter=by & when)
            for place, by in enumerate([Q(), *(Q(channel=one) | Q(method=one) for one in named)])
            for period, when in ((DAY, Q(used_on=today)), (MONTH, Q()))
        }
    )
    return {
        name: _Spent(int(sums[f"{DAY}_{place}"]), int(sums[f"{MONTH}_{place}"]))
        for place, name in enumerate(["", *named])
    }


def _short(limit: Limit, wanted: int, spent: Mapping[str, _Spent], method: str) -> Shortage | None:
    """What stands in the way of every method is said first, then where least is left."""
    general = Ceiling(payment=limit.payment, day=limit.day, month=limit.month)
    found = [*_of(general, wanted, spent[""], everywhere=True)]
    if method in limit.channels:
        found += _of(limit.channels[method], wanted, spent[method], everywhere=False)
    return min(found, key=lambda one: (not one.everywhere, one.left.minor), default=None)


def _of(most: Ceiling, wanted: int, spent: _Spent, *, everywhere: bool) -> Iterable[Shortage]:
    for period, ceiling, used in (
        (PAYMENT, most.payment, 0),
        (DAY, most.day, spent.day),
        (MONTH, most.month, spent.month),
    ):
        if ceiling is not None and used + wanted > ceiling:
            left = Money(max(0, ceiling - used), CURRENCY)
            yield Shortage(period=period, limit=Money(ceiling, CURRENCY), left=left, everywhere=everywhere)
