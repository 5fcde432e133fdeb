"""A part of it at the front door: a running copy, the sandbox's cards, real sockets, everybody with an address of
their own.

Time can not be simulated there, so it is what happens within minutes: a run of cards and a coupon farm, with honest
shoppers among them. Who is who is written down before, and what risk said is read from the books afterwards.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import httpx
import psycopg

from bench.attacks.attackers import FARM, TESTING
from bench.attacks.script import HONEST
from bench.frame import say
from tests.ports import four_ports
from tests.stack.copy import Stack

_HONEST, _ACCOUNTS = 40, 12
# Good ones and such as their banks decline: what is on a list that somebody bought.
_STOLEN = (
    *("4000056655665556", "5555555555554444", "2223003122003222", "5200828282828210", "6011111111111117"),
    *("3566002020360505", "4000003440000004", "4000007020000003", "4000003920000003", "4000008260000000"),
    *("4000002760000016", "4000001240000000", "4000000360000006", "4000003800000446", "4000000000003055"),
    *("4000000000000002", "4000000000009995", "4000000000009987", "4000000000009979", "4000000000000069"),
    *("4000000000006975", "4000000000000341", "4100000000000019", "4000000000000127"),
)
_OWN = ("4000001560000002", "6200000000000005")
_SAID = "SELECT action, reasons FROM risk_decision WHERE subject = %s ORDER BY id DESC LIMIT 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One guest's order and how it is paid. `network` is the address that the connection comes from."""

    label: str
    email: str
    browser: str
    network: str
    door: str
    quantity: int
    card: str = ""  # else by wallet


def calls(seed: int) -> list[Call]:
    chance = Random(f"door:{seed}")
    planned = [
        Call(
            label=HONEST,
            email=f"honest-{seed}-{number}@example.com",
            browser=f"honest-{number}",
            network=f"127.{chance.randint(20, 250)}.{number}.9",
            door=f"{number} Wenyi Road",
            quantity=min(1 + int(chance.expovariate(0.5)), 14),
            card=chance.choice(_OWN) if chance.random() < 0.2 else "",
        )
        for number in range(_HONEST)
    ]
    for number, card in enumerate(chance.sample(_STOLEN, len(_STOLEN))):
        who = {"email": f"bot-{seed}-{number}@example.com", "browser": "bot", "network": "127.7.7.7"}
        planned.append(Call(label=TESTING, door="1 Empty Road", quantity=1, card=card, **who))
    for number in range(_ACCOUNTS):
        who = {"email": f"farm-{seed}-{number}@example.com", "browser": "farm", "network": "127.8.8.8"}
        planned.append(Call(label=FARM, door="8 Farm Road", quantity=1, **who))
    # Attackers come in their own order, honest people in between.
    places = iter(sorted(chance.random() for _ in planned[_HONEST:]))
    when = [chance.random() if one.label == HONEST else next(places) for one in planned]
    return [one for _, one in sorted(zip(when, planned, strict=True), key=lambda pair: pair[0])]


class Door:
    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._browsers: dict[str, httpx.Client] = {}
        lines = (stack.data / "sandbox.environment").read_text().splitlines()
        kept = dict(line.split("=", 1) for line in lines if "=" in line)
        self._publishable = kept["STRIPE_PUBLISHABLE_KEY"].strip("'\"")

    def buy(self, call: Call, key: Random) -> str:
        """The payment's id; "" when the order itself was refused."""
        browser = self._browser(call)
        cart = {"items": [{"sku": "longjing-tea", "quantity": call.quantity}]}
        preview = self._post(browser, key, "checkout/preview", {**cart, "region": "CN"})
        address = {"name": "Lin Yue", "phone": f"+86 138{key.randrange(10**8):08}", "country": "CN"}
        address |= {"region": "Zhejiang", "city": "Hangzhou", "line1": call.door, "postal_code": "310000"}
        wish = {**cart, "quote": preview["quote"], "address": address, "email": call.email}
        placed = self._post(browser, key, "orders", wish)
        if "id" not in placed:
            assert placed["code"] == "order_rejected", placed
            return ""
        paid = {"order": placed["id"], "method": "card" if call.card else "alipay"}
        if call.card:
            paid["instrument"] = self._token(call.card)
        payment = self._post(browser, key, "payments", paid, placed["order_token"])
        if payment.get("state") == "REQUIRES_ACTION" and payment["next_action"]["kind"] == "qr":
            self._scan(payment["next_action"]["value"])
        return str(payment.get("id", ""))

    def said(self, payment: str) -> tuple[str, list[str]]:
        with psycopg.connect(self._stack.database_url) as connection:
            row = connection.execute(_SAID, [payment]).fetchone()
        return (row[0], [reason["code"] for reason in row[1]]) if row else ("reject", [])

    def close(self) -> None:
        for browser in self._browsers.values():
            browser.close()

    def _browser(self, call: Call) -> httpx.Client:
        """A browser that has seen a page has the device's cookie."""
        if call.browser not in self._browsers:
            transport = httpx.HTTPTransport(local_address=call.network)
            browser = httpx.Client(transport=transport, timeout=60, trust_env=False, follow_redirects=True)
            browser.get(self._stack.url).raise_for_status()
            self._browsers[call.browser] = browser
        return self._browsers[call.browser]

    def _post(self, browser: httpx.Client, key: Random, path: str, body: Any, token: str = "") -> Any:
        headers = {"Idempotency-Key": str(UUID(int=key.getrandbits(128)))}
        headers |= {"Order-Token": token} if token else {}
        return browser.post(f"{self._stack.url}/api/v1/{path}", json=body, headers=headers).json()

    def _token(self, number: str) -> str:
        data = {"type": "card", "card[number]": number, "card[exp_month]": "4", "card[exp_year]": "2040"}
        headers = {"Authorization": f"Bearer {self._publishable}"}
        url = f"{self._stack.sandbox}/stripe/v1/payment_methods"
        answer = httpx.post(url, data=data | {"card[cvc]": "123"}, headers=headers, trust_env=False)
        answer.raise_for_status()
        return str(answer.json()["id"])

    def _scan(self, url: str) -> None:
        for found in self._stack.waiting_at_provider():
            if found.get("scan_url") == url:
                self._stack.ask_sandbox("POST", f"/control/payments/{found['id']}/pay")


def knock(seed: int) -> dict[str, Any]:
    """What became of every call, by label."""
    planned = calls(seed)
    with tempfile.TemporaryDirectory(prefix="attacks-") as folder:
        data = Path(folder) / "data"
        data.mkdir()
        extra = {"API_REQUESTS_PER_MINUTE": "1000000"}
        stack = Stack(data, four_ports(), extra)
        say(f"ready after {stack.start():.0f} s")
        door, key = Door(stack), Random(f"keys:{seed}")
        try:
            found = list(_told(door, planned, key))
            verify = stack.verify()
        finally:
            door.close()
            stack.stop()
    return {
        "calls": {label or "honest": dict(count) for label, count in _counted(found).items()},
        "causes": dict(Counter(code for _, _, codes in found for code in codes).most_common()),
        "verify_ok": verify["ok"],
    }


def _told(door: Door, planned: list[Call], key: Random) -> Iterator[tuple[str, str, list[str]]]:
    for call in planned:
        action, codes = door.said(door.buy(call, key))
        yield call.label, action, [] if action == "accept" else codes


def _counted(found: list[tuple[str, str, list[str]]]) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for label, action, _ in found:
        counts.setdefault(label, Counter())[action] += 1
    return counts


if __name__ == "__main__":
    print(json.dumps(knock(4)))
