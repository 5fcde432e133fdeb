"""Honest shoppers, as awkward as they are: newcomers, families, offices, gifts, travellers, declined cards."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from bench.attacks.script import DAYS, Buyer, Plan, Visit

ABROAD = ("US", "HK", "JP", "GB", "SG", "DE")
_SALE_DAY, _SALE_HOUR = 12, 20
_WALLETS = ("alipay", "wechat_pay")
_TAKES_COUPON = 0.7  # of honest newcomers


@dataclass(slots=True)
class Person:
    """One of them, with habits. `cards` are names and countries; who has none pays from a wallet."""

    buyer: Buyer
    usual: float  # fen
    cards: list[tuple[str, str]]
    wallet: str
    devices: list[str]
    home_ip: str
    door: str
    country: str
    trait: str
    new_phone_on: int


@dataclass(slots=True)
class Places:
    """What strangers share."""

    offices: list[tuple[str, str]]  # door and network address
    campuses: list[tuple[str, str]]
    carriers: list[str]


def shoppers(plan: Plan, persons: int) -> list[Person]:
    """Plan the visits of so many people; returns them, for whoever wants to be one of them."""
    places = Places(
        offices=[(plan.new("office"), plan.ip()) for _ in range(12)],
        campuses=[(plan.new("campus"), plan.ip()) for _ in range(3)],
        carriers=[plan.ip() for _ in range(45)],
    )
    people: list[Person] = []
    while len(people) < persons:
        people += _household(plan, places)
    for person in people:
        _live(plan, places, person)
    return people


def _household(plan: Plan, places: Places) -> list[Person]:
    chance = plan.chance
    many = chance.choices((1, 2, 3, 4, 5), weights=(62, 20, 9, 7, 2))[0]
    door, home, tablet = plan.new("door"), plan.ip(), plan.new("tablet")
    trait = "family" if many > 1 else ""
    if many == 1:
        kind = chance.choices(("", "office", "campus"), weights=(82, 10, 8))[0]
        if kind:
            door, home = chance.choice(places.offices if kind == "office" else places.campuses)
            trait = kind
    common = (plan.new("card"), "CN")
    country = chance.choice(ABROAD) if chance.random() < 0.03 else "CN"
    found = []
    for _ in range(many):
        person = _person(plan, door, home, country, trait)
        if many > 1 and chance.random() < 0.5:
            person.devices.append(tablet)
        if many > 1 and person.cards and chance.random() < 0.4:
            person.cards.append(common)
        if person.buyer.paid_before:
            person.buyer = replace(person.buyer, devices=tuple(person.devices))
        found.append(person)
    return found


def _person(plan: Plan, door: str, home: str, country: str, trait: str) -> Person:
    chance = plan.chance
    new = chance.random() < 0.27
    guest = new and chance.random() < 0.5
    email = plan.new("mail")
    # A chance of its own: who takes a coupon changes nothing else of the script.
    coupon = new and Random(f"coupon:{email}").random() < _TAKES_COUPON
    buyer = Buyer(
        email=email,
        coupon=coupon,
        account="" if guest else plan.new("cus"),
        phone=plan.new("phone"),
        paid_before=0 if new else int(chance.paretovariate(0.9)),
        member_for=0 if new else chance.randint(20, 900),
    )
    issued = chance.choice(ABROAD) if chance.random() < 0.015 else country
    by_card = chance.random() < 0.55 or country != "CN"
    return Person(
        buyer=buyer,
        usual=chance.lognormvariate(9.5, 0.8),
        cards=[(plan.new("card"), issued) for _ in range(chance.choice((1, 1, 2)))] if by_card else [],
        wallet=chance.choice(_WALLETS),
        devices=[plan.new("dev")],
        home_ip=home,
        door=door,
        country=country,
        trait=trait or ("abroad" if country != "CN" else ""),
        new_phone_on=chance.randrange(DAYS) if chance.random() < 0.05 else DAYS,
    )


def _live(plan: Plan, places: Places, person: Person) -> None:
    chance = plan.chance
    for _ in range(1 + int(chance.expovariate(1 / 1.9))):
        day, sale = chance.randrange(DAYS), chance.random() < 0.05
        at = plan.moment(_SALE_DAY, hour=_SALE_HOUR + chance.random()) if sale else plan.moment(day)
        _visit(plan, places, person, at, sku=some_sku(plan, sale=sale))


def some_sku(plan: Plan, *, sale: bool = False) -> str:
    return "sale" if sale else f"sku-{min(int(plan.chance.expovariate(1 / 30)), 200)}"


def _visit(plan: Plan, places: Places, person: Person, at: datetime, *, sku: str) -> None:
    chance = plan.chance
    trait = person.trait or ("" if person.buyer.paid_before else "newcomer")
    amount = person.usual * chance.lognormvariate(0, 0.55)
    if chance.random() < 0.04:
        amount, trait = amount * chance.uniform(4, 14), "big basket"
    where, special = _where(plan, places, person, at)
    card, issued = chance.choice(person.cards) if person.cards else ("", "")
    visit = Visit(
        **where,
        at=at,
        number=len(plan.visits),
        buyer=person.buyer,
        amount=max(min(round(amount), 2_500_000), 900),
        method="card" if card else person.wallet,
        card=card,
        card_country=issued,
        sku=sku,
        declined=bool(card) and chance.random() < 0.06,
        trait=special or trait,
        passes=chance.random() < 0.97,
    )
    plan.add(visit)
    if visit.declined:
        _again(plan, person, visit)


def _where(plan: Plan, places: Places, person: Person, at: datetime) -> tuple[dict[str, Any], str]:
    """Device, network and door, and what is special about them."""
    chance, special = plan.chance, ""
    device = chance.choice(person.devices)
    if (at - plan.start).days >= person.new_phone_on and device == person.devices[0]:
        device, special = f"{device}-new", "new phone"
    door, country = person.door, person.country
    if chance.random() < 0.10:
        door, special = plan.new("gift"), "gift"
        country = chance.choice(ABROAD) if chance.random() < 0.05 else country
    ip = person.home_ip if chance.random() < 0.6 else chance.choice(places.carriers)
    if chance.random() < 0.03:
        ip, special = plan.ip(), "traveller"
    return {"device": device, "door": door, "country": country, "ip": ip}, special


def _again(plan: Plan, person: Person, first: Visit) -> None:
    """The same payment minutes later, with another card if there is one."""
    chance = plan.chance
    card, issued = chance.choice([*person.cards, (plan.new("card"), person.cards[0][1])])
    again = replace(
        first,
        at=first.at + timedelta(minutes=chance.uniform(1, 10)),
        number=len(plan.visits),
        again=first.number,
        card=card,
        card_country=issued,
        declined=False,
        trait="declined before",
    )
    plan.add(again)
