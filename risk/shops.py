"""Made-up shops: households that buy for weeks, and five kinds of fraud among them. To train a starting model. Pure.

Beside `worlds`, these have what an online shop sees of a payment: customer, card, device, address and network. Frauds
come in spells: `cards` (stolen cards tried in a row), `taken` (somebody else in an account), `farm` (one person behind
many accounts), `ring` (accounts that share cards and devices, and dispute), `drop` (stolen cards, one address).
A figure from such a shop says how the pipeline learns, never how it does in a real one.
"""

import random
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from risk.history import DAY, HOUR, MINUTE
from risk.transactions import Past, known_after

START = 1_735_689_600_000  # 1 January 2025
CAUSES = ("cards", "taken", "farm", "ring", "drop")
_LEAST = 1_000  # 10 CNY
_SPELLS_A_WEEK = {"cards": 0.9, "taken": 3.0, "farm": 0.5, "ring": 0.35, "drop": 0.6}
# Of a day, by the hour in China: mostly the evening.
_HOURS = (1, 1, 1, 1, 1, 2, 3, 5, 7, 8, 9, 9, 10, 9, 8, 8, 8, 9, 11, 13, 14, 12, 7, 3)
_BY_HOUR = [sum(_HOURS[: hour + 1]) for hour in range(24)]
_CHINA = 8


@dataclass(slots=True)
class _Person:
    """Who buys. `cards` is empty for who pays from a wallet; `first` is the day of the first order."""

    customer: int
    cards: list[int]
    devices: list[int]
    door: int
    home: int
    usual: float
    a_day: float
    first: int


@dataclass(slots=True)
class _Shop:
    chance: random.Random
    days: int
    marks: Iterator[int] = field(default_factory=lambda: count(1))
    people: list[_Person] = field(default_factory=list)
    made: list[Past] = field(default_factory=list)
    carriers: list[int] = field(default_factory=list)
    offices: list[int] = field(default_factory=list)

    def new(self, many: int = 1) -> list[int]:
        return [next(self.marks) for _ in range(many)]

    def buy(self, at: float, amount: float, fraud: int = 0, **parties: int) -> None:
        """Whoever heard of a fraud heard of it within the days after which labels count as settled."""
        moment = int(at)
        known = known_after(moment, self.chance.randint(2, 7)) if fraud else 0
        self.made.append(Past(moment, max(round(amount), _LEAST), parties, fraud, known))

    def moment(self, day: int) -> float:
        """Some time of a day, when people in China are awake."""
        hour = bisect(_BY_HOUR, self.chance.random() * _BY_HOUR[-1])
        return START + day * DAY + ((hour - _CHINA) % 24 + self.chance.random()) * HOUR


def generate(seed: int, *, households: int = 4_000, days: int = 77) -> list[Past]:
    """The shop `seed` in the order of time, the same every time."""
    shop = _Shop(random.Random(f"shop:{seed}"), days)  # noqa: S311 - nothing secret is drawn
    shop.carriers, shop.offices = shop.new(40), shop.new(25)
    for _ in range(households):
        shop.people += _household(shop)
    for person in shop.people:
        _live(shop, person)
    for kind, spells in _FRAUDS.items():
        for week in range(days // 7):
            for _ in range(_many(shop.chance, _SPELLS_A_WEEK[kind])):
                spells(shop, 7 * week + shop.chance.randrange(7))
    return sorted((past for past in shop.made if past.day < START // DAY + days), key=lambda past: past.at)


def _many(chance: random.Random, mean: float) -> int:
    """A number of rare things within one unit of time."""
    arrived, clock = 0, chance.expovariate(mean)
    while clock < 1:
        arrived, clock = arrived + 1, clock + chance.expovariate(mean)
    return arrived


def _household(shop: _Shop) -> list[_Person]:
    """They share a door, a network, often a tablet, and sometimes a card."""
    chance = shop.chance
    [door, home, tablet, card] = shop.new(4)
    door = chance.choice(shop.offices) if chance.random() < 0.07 else door
    people = []
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4))):
        own = shop.new(chance.choice((1, 1, 2)))
        cards = own + [card] * (chance.random() < 0.2) if chance.random() < 0.55 else []
        devices = shop.new() + [tablet] * (chance.random() < 0.3)
        first = 0 if chance.random() < 0.5 else chance.randrange(shop.days)
        usual = chance.lognormvariate(9.6, 0.7)  # about 150 CNY
        a_day = chance.choice((0.02, 0.04, 0.08, 0.15))
        people.append(_Person(shop.new()[0], cards, devices, door, home, usual, a_day, first))
    return people


def _live(shop: _Shop, person: _Person) -> None:
    chance = shop.chance
    days = [day for day in range(person.first, shop.days) if chance.random() < person.a_day]
    for day in sorted({*days, person.first} if person.first else days):
        if chance.random() < 0.01:
            person.devices = [*shop.new(), *person.devices[1:]]  # a new phone
        at, amount = shop.moment(day), person.usual * chance.lognormvariate(0, 0.6)
        amount *= chance.uniform(4, 20) if chance.random() < 0.03 else 1
        parties = _habits(shop, person)
        shop.buy(at, amount, **parties)
        if "card" in parties and chance.random() < 0.05:  # the bank declined; another card, or the same again
            again = chance.choice([*person.cards, *shop.new()])
            shop.buy(at + chance.uniform(1, 9) * MINUTE, amount, **{**parties, "card": again})


def _habits(shop: _Shop, person: _Person) -> dict[str, int]:
    chance = shop.chance
    network = chance.choices(
        (person.home, chance.choice(shop.carriers), *shop.new()), weights=(0.65, 0.31, 0.04)
    )
    gift = chance.random() < 0.12
    parties = {
        "customer": person.customer,
        "device": chance.choice(person.devices),
        "address": shop.new()[0] if gift else person.door,
        "ip": network[0],
    }
    return parties | ({"card": chance.choice(person.cards)} if person.cards else {})


def _cards(shop: _Shop, day: int) -> None:
    """Small amounts on one card after another; the best of them are used again."""
    chance, at = shop.chance, shop.moment(day)
    networks, devices, door = shop.new(chance.randint(1, 8)), shop.new(chance.randint(1, 3)), shop.new()[0]
    fresh, pace = chance.random() < 0.5, chance.uniform(0.3, 8)
    for card in shop.new(chance.randint(12, 60)):
        at += chance.expovariate(1 / pace) * MINUTE
        where = {"ip": chance.choice(networks), "address": door if chance.random() < 0.6 else shop.new()[0]}
        device = shop.new()[0] if fresh else chance.choice(devices)
        shop.buy(
            at, chance.uniform(1_500, 12_000), 1, customer=shop.new()[0], card=card, device=device, **where
        )
        if chance.random() < 0.2:
            who = {"customer": shop.new()[0], "device": shop.new()[0]}
            later = at + chance.uniform(1, 40) * HOUR
            shop.buy(later, chance.uniform(40_000, 400_000), 1, card=card, **who, **where)


def _taken(shop: _Shop, day: int) -> None:
    """Another device, network and door, larger amounts; the card is the account's or a stolen one."""
    chance = shop.chance
    victim = chance.choice([person for person in shop.people if person.first <= day])
    [device, network, door, stolen] = shop.new(4)
    card = chance.choice([*victim.cards, stolen])
    at = shop.moment(day)
    for _ in range(chance.randint(1, 5)):
        amount = max(victim.usual * chance.uniform(2, 9), 30_000)
        who = {"customer": victim.customer, "card": card, "device": device}
        shop.buy(at, amount, 1, address=door, ip=network, **who)
        at += chance.expovariate(1 / 6) * HOUR


def _farm(shop: _Shop, day: int) -> None:
    """First orders of ever new accounts, with what one person has: few devices or networks, few cards."""
    chance, at = shop.chance, shop.moment(day)
    devices, networks = shop.new(chance.randint(1, 4)), shop.new(chance.randint(1, 3))
    cards, doors = shop.new(chance.randint(1, 5)), shop.new(chance.randint(1, 4))
    fresh, wallet = chance.random() < 0.4, chance.random() < 0.4
    for customer in shop.new(chance.randint(12, 40)):
        at += chance.expovariate(1 / 3) * HOUR
        device = shop.new()[0] if fresh else chance.choice(devices)
        where = {"device": device, "ip": chance.choice(networks), "address": chance.choice(doors)}
        paid = {} if wallet else {"card": chance.choice(cards)}
        shop.buy(at, chance.uniform(6_000, 25_000), 1, customer=customer, **where, **paid)


def _ring(shop: _Shop, day: int) -> None:
    """Accounts that each share a card, a device or a door with others, buy like everybody, and dispute."""
    chance, many = shop.chance, shop.chance.randint(8, 26)
    cards, devices = shop.new(many // 3 + 1), shop.new(many // 3 + 1)
    doors, networks = shop.new(many // 5 + 1), shop.new(many // 4 + 1)
    for customer in shop.new(many):
        own = {
            "card": chance.choice(cards),
            "device": chance.choice(devices),
            "address": chance.choice(doors),
        }
        for _ in range(chance.randint(1, 4)):
            at = shop.moment(day + chance.randrange(20))
            shop.buy(
                at, chance.uniform(20_000, 200_000), 1, customer=customer, ip=chance.choice(networks), **own
            )


def _drop(shop: _Shop, day: int) -> None:
    """Strangers with stolen cards have dear goods sent to one door."""
    chance, door = shop.chance, shop.new()[0]
    for card in shop.new(chance.randint(8, 36)):
        at = shop.moment(day + chance.randrange(12))
        who = {"customer": shop.new()[0], "device": shop.new()[0], "ip": shop.new()[0]}
        shop.buy(at, chance.uniform(50_000, 500_000), 1, card=card, address=door, **who)


_FRAUDS = {"cards": _cards, "taken": _taken, "farm": _farm, "ring": _ring, "drop": _drop}
