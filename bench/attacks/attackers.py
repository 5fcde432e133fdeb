"""The five attacks, each as it is told of shops; how many, how fast and how careful comes from the seed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bench.attacks.people import ABROAD, Person, some_sku
from bench.attacks.script import ATTACKS, DAYS, QUIET_DAYS, Buyer, Plan, Visit

TESTING, TAKEOVER, FARM, RING, MULES = ATTACKS


def attack(plan: Plan, people: Sequence[Person]) -> None:
    for careful in (False, True):
        _card_testing(plan, careful=careful)
        _coupon_farm(plan, careful=careful)
    _take_over(plan, people)
    _ring(plan)
    _careful_ring(plan)
    for _ in range(plan.chance.randint(3, 4)):
        _mule(plan)


def _buy(plan: Plan, kind: str, at: datetime, fen: float, buyer: Buyer, **others: Any) -> None:
    told = {"device": "", "ip": "", "door": "", "sku": some_sku(plan), "method": "card", "card_country": "CN"}
    plan.add(
        Visit(
            at=at,
            number=len(plan.visits),
            buyer=buyer,
            amount=max(round(fen), 900),
            attack=kind,
            **told | others,
        )
    )


def _somebody(plan: Plan, *, account: bool) -> Buyer:
    return Buyer(email=plan.new("mail"), account=plan.new("cus") if account else "", phone=plan.new("phone"))


def _first_day(plan: Plan, lasts: float) -> float:
    return plan.chance.uniform(QUIET_DAYS, DAYS - lasts)


def _card_testing(plan: Plan, *, careful: bool) -> None:
    """A program tries stolen cards with small orders; the good ones are used for dear goods within two days.

    The careful one drops its cookies, has a pool of addresses of the network, and rests between two cards.
    """
    chance, group = plan.chance, plan.new("run")
    ips = [plan.ip() for _ in range(chance.randint(3, 10) if careful else chance.randint(1, 2))]
    device, door, drop = plan.new("bot"), plan.new("door"), plan.new("drop")
    pace = chance.uniform(2, 6) if careful else chance.uniform(0.2, 1)  # minutes
    at = plan.moment(_first_day(plan, 4), hour=chance.uniform(0, 24))
    common = {"group": group, "passes": False}
    for _ in range(chance.randint(40, 120)):
        at += timedelta(minutes=chance.expovariate(1 / pace))
        card = {"card": plan.new("stolen"), "card_country": chance.choice(("CN", "CN", *ABROAD))}
        place = {
            "device": plan.new("bot") if careful else device,
            "ip": chance.choice(ips),
            "door": plan.new("door") if careful and chance.random() < 0.5 else door,
        }
        good = chance.random() < 0.25
        tried = {**card, **place, **common, "declined": not good, "reported": chance.randint(2, 6)}
        _buy(plan, TESTING, at, chance.uniform(900, 9_900), _somebody(plan, account=False), **tried)
        if good and chance.random() < 0.6:
            later = at + timedelta(hours=chance.uniform(1, 40))
            used = {**tried, "declined": False, "device": plan.new("bot"), "ip": plan.ip(), "door": drop}
            _buy(
                plan, TESTING, later, chance.uniform(60_000, 350_000), _somebody(plan, account=False), **used
            )


def _take_over(plan: Plan, people: Sequence[Person]) -> None:
    """Accounts whose passwords leaked: a strange device and door; patient thieves begin with something small."""
    chance = plan.chance
    known = [person for person in people if person.buyer.account and person.buyer.paid_before > 1]
    drops = [plan.new("drop") for _ in range(4)]
    device = plan.new("thief")
    for victim in chance.sample(known, chance.randint(14, 22)):
        device = device if chance.random() < 0.3 else plan.new("thief")
        own = bool(victim.cards) and chance.random() < 0.5
        card, issued = (
            chance.choice(victim.cards) if own else (plan.new("stolen"), chance.choice(("CN", *ABROAD)))
        )
        place = {
            "device": device,
            "ip": plan.ip(),
            "door": chance.choice(drops) if chance.random() < 0.5 else plan.new("door"),
        }
        rest = {"card": card, "card_country": issued, "group": plan.new("account"), "passes": False}
        at = plan.moment(_first_day(plan, 2))
        if chance.random() < 0.25:
            small = {"reported": 5, **place, **rest}
            _buy(plan, TAKEOVER, at, chance.uniform(4_000, 15_000), victim.buyer, **small)
            at += timedelta(hours=chance.uniform(12, 30))
        for _ in range(chance.randint(1, 3)):
            told = {"reported": chance.randint(2, 7), **place, **rest}
            _buy(plan, TAKEOVER, at, chance.uniform(50_000, 600_000), victim.buyer, **told)
            at += timedelta(minutes=chance.uniform(3, 90))


def _coupon_farm(plan: Plan, *, careful: bool) -> None:
    """One person takes the newcomers' discount again and again; the careful one with a fresh browser each time."""
    chance, group = plan.chance, plan.new("farm")
    devices, ips = [plan.new("dev") for _ in range(chance.randint(1, 3))], [plan.ip() for _ in range(2)]
    doors = [plan.new("door") for _ in range(chance.randint(1, 3))]
    cards = [plan.new("card") for _ in range(chance.randint(2, 5))] if chance.random() < 0.5 else []
    at = plan.moment(_first_day(plan, 3))
    for _ in range(chance.randint(20, 45)):
        at += timedelta(hours=chance.expovariate(1 / 1.2))
        place = {
            "device": plan.new("dev") if careful else chance.choice(devices),
            "ip": chance.choice(ips),
            "door": chance.choice(doors),
        }
        paid = {"card": chance.choice(cards)} if cards else {"method": "alipay", "card_country": ""}
        told = {"group": group, "passes": chance.random() < 0.5, "reported": chance.randint(1, 3)}
        buyer = replace(_somebody(plan, account=True), coupon=True)
        _buy(plan, FARM, at, chance.uniform(5_900, 19_900), buyer, **place, **paid, **told)


def _ring(plan: Plan) -> None:
    """People who buy like everybody and say days later that it was not them; they lend each other cards and phones."""
    chance, group, many = plan.chance, plan.new("ring"), plan.chance.randint(10, 16)
    cards = [plan.new("card") for _ in range(many // 3 + 1)]
    devices = [plan.new("dev") for _ in range(many // 3 + 1)]
    doors = [plan.new("door") for _ in range(many // 5 + 1)]
    ips = [plan.ip() for _ in range(many // 4 + 1)]
    for number in range(many):
        buyer = _somebody(plan, account=True)
        for _ in range(chance.randint(2, 5)):
            place = {
                "card": cards[(number + chance.randint(0, 1)) // 3 % len(cards)],
                "device": devices[(number + 1 + chance.randint(0, 1)) // 3 % len(devices)],
                "ip": chance.choice(ips),
                "door": doors[(number + 2) // 5 % len(doors)],
            }
            _ring_buys(plan, buyer, group, place)


def _careful_ring(plan: Plan) -> None:
    """Everybody has a door, a card and a phone, and lends them to the next one only: nothing is shared by three."""
    chance, group, many = plan.chance, plan.new("ring"), plan.chance.randint(10, 16)
    things = [{what: plan.new(what) for what in ("card", "device", "door")} for _ in range(many)]
    networks = [plan.ip() for _ in range(many)]
    for number in range(many):
        buyer, own, lent = _somebody(plan, account=True), things[number], things[(number + 1) % many]
        for _ in range(chance.randint(2, 5)):
            place = {
                "card": (lent if chance.random() < 0.5 else own)["card"],
                "device": (lent if chance.random() < 0.5 else own)["device"],
                "door": own["door"],
                "ip": networks[number],
            }
            _ring_buys(plan, buyer, group, place)


def _ring_buys(plan: Plan, buyer: Buyer, group: str, place: dict[str, str]) -> None:
    at = plan.moment(plan.chance.uniform(QUIET_DAYS, DAYS))
    told = {"group": group, "reported": plan.chance.randint(3, 8), **place}
    _buy(plan, RING, at, plan.chance.uniform(20_000, 180_000), buyer, **told)


def _mule(plan: Plan) -> None:
    """Stolen cards of strangers; all parcels go to one door, from where somebody sends them on."""
    chance, group, door = plan.chance, plan.new("mule"), plan.new("drop")
    lasts = chance.uniform(3, 9)
    first = _first_day(plan, lasts)
    for _ in range(chance.randint(12, 30)):
        place = {"device": plan.new("dev"), "ip": plan.ip(), "door": door}
        card = {"card": plan.new("stolen"), "card_country": chance.choice(("CN", "CN", "CN", *ABROAD[:2]))}
        told = {"group": group, "passes": False, "reported": chance.randint(4, 10)}
        at = plan.moment(first + chance.uniform(0, lasts))
        buyer = _somebody(plan, account=chance.random() < 0.4)
        _buy(plan, MULES, at, chance.uniform(40_000, 500_000), buyer, **place, **card, **told)
