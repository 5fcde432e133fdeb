"""Whose address the shop sees, through its real web server: behind a proxy of ours the customer's, else the peer's."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.stack.conftest import OUTER_PROXIES
from tests.stack.copy import Stack
from tests.stack.guests import ADDRESS

pytestmark = [pytest.mark.stack]

CART = {"items": [{"sku": "longjing-tea", "quantity": 1}]}
PROXY, STRANGER, OUTER = "127.0.0.1", "127.9.9.9", OUTER_PROXIES.partition("/")[0].replace(".0.0", ".0.7")
_SEEN = "SELECT inputs->'facts'->'device'->>'ip' FROM risk_decision WHERE subject = %s"
_WROTE = "SELECT network FROM ledger_auditentry WHERE object_id = %s"


@contextmanager
def coming_from(peer: str, forwarded: str) -> Iterator[httpx.Client]:
    transport = httpx.HTTPTransport(local_address=peer)
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    with httpx.Client(transport=transport, headers=headers, timeout=30, trust_env=False) as client:
        yield client


def ordered(stack: Stack, peer: str, forwarded: str) -> str:
    """An order over a socket from `peer`."""
    with coming_from(peer, forwarded) as client:
        api = f"{stack.url}/api/v1"
        preview = client.post(f"{api}/checkout/preview", json={**CART, "region": "CN"})
        assert preview.status_code == 200, preview.text
        wish = {**CART, "quote": preview.json()["quote"], "address": ADDRESS}
        wish["email"] = f"guest-{uuid4().hex[:12]}@example.com"
        placed = client.post(f"{api}/orders", json=wish, headers={"Idempotency-Key": str(uuid4())})
        assert placed.status_code == 201, placed.text
        return str(placed.json()["id"])


def test_risk_and_the_journal_see_the_customer_behind_a_proxy_and_nobody_s_inventions(stack: Stack) -> None:
    cases = (
        (PROXY, "114.114.114.114", "114.114.114.0/24"),
        (PROXY, "8.8.8.8, 114.114.115.9", "114.114.115.0/24"),  # the left one is the customer's own invention
        (PROXY, f"8.8.8.8, 114.114.116.9, {OUTER}", "114.114.116.0/24"),
        (OUTER, "114.114.117.9", "114.114.117.0/24"),
        (PROXY, "[2001:da8:1:2::9]:4711", "2001:da8:1::/48"),
        (PROXY, "114.114.114.114, unknown", ""),
        (PROXY, "", ""),  # this machine's own
        (STRANGER, "114.114.114.114", "127.9.9.0/24"),
        (STRANGER, f"8.8.8.8, {PROXY}", "127.9.9.0/24"),
    )
    found = {}
    with psycopg.connect(stack.database_url) as books:
        for peer, forwarded, _ in cases:
            order = ordered(stack, peer, forwarded)
            [(seen,)] = books.execute(_SEEN, [order]).fetchall()
            written = {network for (network,) in books.execute(_WROTE, [order]).fetchall()}
            # A stranger to every network is one of this machine in the journal, and nobody to risk.
            assert written == {seen or ("127.0.0.0/24" if not forwarded else "")}
            found[peer, forwarded] = seen
    assert found == {(peer, forwarded): seen for peer, forwarded, seen in cases}


def test_customers_behind_a_proxy_have_a_limit_each_and_inventions_open_none(stack: Stack) -> None:
    def left(peer: str, forwarded: str) -> int:
        with coming_from(peer, forwarded) as client:
            answer = client.post(f"{stack.url}/api/v1/checkout/preview", json={**CART, "region": "CN"})
            return int(answer.headers["RateLimit-Limit"]) - int(answer.headers["RateLimit-Remaining"])

    # Within one minute; if another begins in between, once more.
    for _ in range(2):
        honest = [left(PROXY, f"36.1.1.{number}") for number in range(3)]
        inventive = [left(STRANGER, f"36.1.2.{number}") for number in range(3)]
        if inventive[2] - inventive[0] == 2:
            break
    assert max(honest) <= 2 and inventive[2] - inventive[0] == 2
