"""Made-up worlds of payments and frauds, each with its own constants: to train a starting model and to try it. Pure.

Frauds have three causes. `amount`: a payment far larger than people here pay. `merchant`: a compromised merchant, all
of whose payments are frauds for weeks. `customer`: a taken-over account, some of whose payments grow by a factor.
A figure from such a world says how the pipeline learns, never how it does in a real shop.
"""

import random
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from risk.history import DAY
from risk.transactions import Past, known_after

START = 1_735_689_600_000  # 1 January 2025
CAUSES = ("amount", "merchant", "customer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """What a world is made with. Days, payments a day, and shares; amounts are CNY minor units."""

    customers: int
    merchants: int
    days: int
    mean_low: int
    mean_high: int
    spread: float  # of a customer's amounts, as a share of their mean
    huge_above: int  # every payment above is a fraud
    merchants_compromised_a_day: float
    merchant_days: int
    customers_taken_a_day: float
    customer_days: int
    taken_share: float  # of a taken-over customer's payments
    taken_factor: float
    drift_a_week: float  # of everybody's amounts


@dataclass(frozen=True, slots=True)
class World:
    """Payments in the order of time, and beside each the cause of the fraud, or ""."""

    constants: Constants
    pasts: list[Past]
    causes: list[str]


@dataclass(frozen=True, slots=True)
class _Customer:
    mark: int
    mean: float
    a_day: float
    places: list[int]
    weights: list[float]


def constants_of(seed: int, *, customers: int = 2_000, days: int = 77) -> Constants:
    """The constants of the world `seed`; no two are alike."""
    chance = random.Random(f"constants:{seed}")  # noqa: S311 - nothing secret is drawn
    low = chance.randint(400, 1_200)
    high = low * chance.randint(10, 20)
    spread = chance.uniform(0.3, 0.6)
    return Constants(
        customers=customers,
        merchants=2 * customers,
        days=days,
        mean_low=low,
        mean_high=high,
        spread=spread,
        huge_above=round(high * (1 + spread * chance.uniform(2.0, 2.6))),
        merchants_compromised_a_day=customers / 5_000 * chance.uniform(1.5, 3.0),
        merchant_days=chance.randint(14, 40),
        customers_taken_a_day=customers / 5_000 * chance.uniform(2.0, 4.5),
        customer_days=chance.randint(8, 21),
        taken_share=chance.uniform(0.25, 0.6),
        taken_factor=chance.uniform(3.5, 8.0),
        drift_a_week=chance.uniform(-0.02, 0.03),
    )


def generate(seed: int, *, customers: int = 2_000, days: int = 77) -> World:
    """The world `seed`, the same every time."""
    constants = constants_of(seed, customers=customers, days=days)
    chance = random.Random(f"world:{seed}")  # noqa: S311 - nothing secret is drawn
    people = [_customer(number, constants, chance) for number in range(1, customers + 1)]
    merchants_until = _spells(
        chance, constants.merchants, constants.merchants_compromised_a_day, constants.merchant_days, days
    )
    taken_until = _spells(chance, customers, constants.customers_taken_a_day, constants.customer_days, days)
    made: list[tuple[Past, str]] = []
    for day in range(days):
        bad_places = {place for place, spell in merchants_until.items() if day in spell}
        taken = {number for number, spell in taken_until.items() if day in spell}
        for person in people:
            made += _day_of(person, day, constants, chance, bad_places, person.mark in taken)
    made.sort(key=lambda one: one[0].at)
    return World(constants, [past for past, _ in made], [cause for _, cause in made])


def _customer(number: int, constants: Constants, chance: random.Random) -> _Customer:
    places = [chance.randint(1, constants.merchants) for _ in range(chance.randint(20, 80))]
    return _Customer(
        mark=number,
        mean=chance.uniform(constants.mean_low, constants.mean_high),
        a_day=chance.uniform(0.1, 4),
        places=places,
        weights=list(accumulate(chance.expovariate(1) for _ in places)),
    )


def _spells(chance: random.Random, many: int, a_day: float, length: int, days: int) -> dict[int, range]:
    """Who is compromised on which days; a later spell takes the place of an earlier one."""
    found = {}
    for day in range(days):
        for _ in range(_count(chance, a_day)):
            found[chance.randint(1, many)] = range(day, day + length)
    return found


def _count(chance: random.Random, mean: float) -> int:
    """A number of rare things: arrivals of a Poisson process within one unit of time."""
    arrived, clock = 0, chance.expovariate(mean)
    while clock < 1:
        arrived += 1
        clock += chance.expovariate(mean)
    return arrived


def _day_of(
    person: _Customer, day: int, constants: Constants, chance: random.Random, bad: set[int], taken: bool
) -> Iterator[tuple[Past, str]]:
    drift = (1 + constants.drift_a_week) ** (day / 7)
    for _ in range(_count(chance, person.a_day)):
        hour = min(max(chance.gauss(12, 5), 0), 23.99)
        at = START + day * DAY + int(hour / 24 * DAY)
        place = person.places[bisect(person.weights, chance.random() * person.weights[-1])]
        amount = max(chance.gauss(person.mean, person.mean * constants.spread), 100) * drift
        cause = ""
        if amount > constants.huge_above * drift:
            cause = "amount"
        elif place in bad:
            cause = "merchant"
        elif taken and chance.random() < constants.taken_share:
            amount, cause = amount * constants.taken_factor, "customer"
        fraud = int(bool(cause))
        parties = {"customer": person.mark, "merchant": place}
        yield Past(at, round(amount), parties, fraud, known_after(at) if fraud else 0), cause
