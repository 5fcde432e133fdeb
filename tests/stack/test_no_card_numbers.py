"""After payments by card no card number and no security code is anywhere: tables, Redis, logs, or any file at all."""

import base64
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect
from psycopg import sql
from redis import Redis

from tests.stack.card_numbers import findings
from tests.stack.copy import Stack
from tests.stack.guests import ADDRESS
from tests.stack.shopping import (
    AMERICA,
    CHINA,
    CHINESE_CARD,
    fill_card,
    fill_cart,
    fill_delivery,
    order_by_card,
    see,
)

pytestmark = [pytest.mark.stack]

NUMBER = CHINESE_CARD.replace(" ", "")
DECLINED = "4000000000000002"
# Not used for anything but to be sent where no card number belongs.
MISPLACED = "5555555555554444"
# Only ever put where the scan is to find it.
PLANTED = "6011111111111117"

# A model's text is its file's, tens of thousands of counts and sums among which some look like a card's number.
_COLUMNS = """
    SELECT c.table_schema, c.table_name, c.column_name, c.data_type
    FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
    WHERE t.table_type = 'BASE TABLE' AND (c.table_name, c.column_name) <> ('risk_riskmodel', 'text')
      AND c.table_schema NOT IN ('pg_catalog', 'information_schema')
      AND c.data_type NOT IN ('uuid', 'boolean', 'date', 'timestamp with time zone', 'inet', 'integer', 'smallint')
    ORDER BY 1, 2, 3
"""
# What the tables hold encrypted, as the program itself reads it.
_SEALED = "from payments.models import IdempotencyKey as K; print(*K.objects.values_list('body', flat=True))"


def in_database(url: str) -> Iterator[tuple[str, str]]:
    """Column → all its values as text. Bytes are read as the text that they may be."""
    with psycopg.connect(url) as connection:
        for schema, table, column, kind in connection.execute(_COLUMNS).fetchall():
            name = sql.Identifier(column)
            value = name if kind == "bytea" else sql.SQL("{}::text").format(name)
            query = sql.SQL("SELECT {} FROM {}").format(value, sql.Identifier(schema, table))
            values = [row[0] for row in connection.execute(query) if row[0] is not None]
            read = [one.decode("latin-1") if isinstance(one, bytes) else one for one in values]
            yield f"{table}.{column}", "\n".join(read)


def in_redis(url: str) -> Iterator[tuple[str, str]]:
    """Key → its value as text, in every database of the server."""
    with Redis.from_url(url) as server:
        databases = [int(name.removeprefix("db")) for name in server.info("keyspace")]
    for number in databases:
        with Redis.from_url(url, db=number) as database:
            for key in database.scan_iter(count=1000):
                yield key.decode("latin-1"), _redis_value(database, key)


def _told(entries: Any) -> list[bytes]:
    return [part for _, fields in entries for pair in fields.items() for part in pair]


def _redis_value(database: Redis, key: bytes) -> str:
    read: dict[str, Callable[[], Any]] = {
        "string": lambda: [database.get(key)],
        "hash": lambda: [part for pair in database.hgetall(key).items() for part in pair],
        "list": lambda: database.lrange(key, 0, -1),
        "set": lambda: database.smembers(key),
        "zset": lambda: database.zrange(key, 0, -1),
        "stream": lambda: _told(database.xrange(key)),
        "none": list,  # it expired meanwhile
    }
    # A kind that is not listed fails the test: it must not be passed over.
    kind: Any = database.type(key)
    return "\n".join(value.decode("latin-1") for value in read[kind.decode()]() if value is not None)


def in_files(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path), path.read_text(encoding="latin-1")


def everywhere(stack: Stack) -> dict[str, str]:
    places = dict(in_database(stack.database_url))
    places |= {f"redis {key}": value for key, value in in_redis(stack.kept["REDIS_URL"])}
    places |= {f"redis key {key}": key for key, _ in in_redis(stack.kept["REDIS_URL"])}
    places |= dict(in_files(stack.data / "logs")) | dict(in_files(stack.data / "mail"))
    return places | {"idempotency keys, opened": stack.manage("shell", "-v0", "-c", _SEALED)}


def assert_nowhere(stack: Stack) -> None:
    places = everywhere(stack)
    assert {"payments_payment.instrument", "payments_inboxevent.body", "django_session.session_data"} <= set(
        places
    )
    assert any(place.endswith("web.log") and text for place, text in places.items())
    found = {place: told for place, text in places.items() if (told := findings(f"\n{text}\n"))}
    assert not found, found


def contents(path: Path) -> bytes:
    """Nothing, for a file that the database has removed since it was listed."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def files_with(stack: Stack, number: str) -> set[str]:
    """Files with this very number in any of their bytes: the database's journal keeps what was ever written."""
    groups = [number[start : start + 4] for start in range(0, 16, 4)]
    written = [between.join(groups).encode() for between in ("", " ", "-", "+", "%20")]
    files = [path for path in stack.data.rglob("*") if path.is_file()]
    found = [path for path in files if any(text in contents(path) for text in written)]
    return {path.relative_to(stack.data).parts[0] for path in found}


@pytest.mark.parametrize(
    "text",
    [
        NUMBER,
        CHINESE_CARD,
        CHINESE_CARD.replace(" ", "-"),
        f'{{"number": "{NUMBER}"}}',
        f"card_{NUMBER}.",
        f"amount=100&card[number]={NUMBER}&x=1",
        "paid with 378282246310005, thank you",
        base64.b64encode(f"a session with {NUMBER} in it".encode()).decode(),
        "."
        + base64.urlsafe_b64encode(zlib.compress(f"a session with {NUMBER}".encode())).decode()
        + ":1v:sig",
        "card[cvc]=123",
        "card%5Bcvc%5D=123",
        '{"cvc": "1234"}',
        "paid with cvc123",
        '{"body": "{\\"cvc\\": \\"123\\"}"}',
    ],
)
def test_the_scanner_finds(text: str) -> None:
    assert findings(text)


@pytest.mark.parametrize(
    "text",
    [
        NUMBER[:-1] + "3",  # the check digit is wrong
        "1763685600000000",  # a clock in microseconds
        "2088123456789012",  # an Alipay account
        "4200002276202611211234567890",  # a WeChat transaction
        "took 0.4000001560000002 s",
        f"sha256:{NUMBER}ab",
        "40000015-6000-4002-8000-000156000000",
        '{"cvc_check": "pass", "last4": "0002"}',
        "ends with 0002",
        "v1.eyJhIjoxfQ.AzRRHydTyx6cVc620",  # a signature
    ],
)
def test_the_scanner_knows_what_is_no_card(text: str) -> None:
    assert not findings(text)


def test_the_scan_reaches_every_kind_of_place(stack: Stack) -> None:
    log = stack.data / "logs" / "planted.log"
    with psycopg.connect(stack.database_url) as connection, Redis.from_url(stack.kept["REDIS_URL"]) as redis:
        connection.execute(
            "CREATE TABLE planted (words text, tree jsonb, raw bytea, many text[], whole bigint)"
        )
        connection.commit()
        try:
            row = (PLANTED, json.dumps({"a": [PLANTED]}), PLANTED.encode(), [PLANTED], int(PLANTED))
            connection.execute("INSERT INTO planted VALUES (%s, %s, %s, %s, %s)", row)
            connection.commit()
            redis.set("planted-string", PLANTED)
            redis.hset("planted-hash", "field", PLANTED)
            redis.rpush("planted-list", PLANTED)
            redis.sadd("planted-set", PLANTED)
            redis.zadd("planted-zset", {PLANTED: 1})
            redis.xadd("planted-stream", {"field": PLANTED})
            redis.set(f"planted-{PLANTED}", "x")
            log.write_text(f"a line\nwith {PLANTED}\n")
            found = {place for place, text in everywhere(stack).items() if findings(f"\n{text}\n")}
        finally:
            connection.execute("DROP TABLE planted")
            redis.delete(*redis.keys("planted-*"))
            log.unlink(missing_ok=True)
    columns = {f"planted.{name}" for name in ("words", "tree", "raw", "many", "whole")}
    keys = {f"redis planted-{kind}" for kind in ("string", "hash", "list", "set", "zset", "stream")}
    assert found == columns | keys | {f"redis key planted-{PLANTED}", str(log)}


@pytest.mark.browser
def test_after_card_payments(page: Page, stack: Stack) -> None:
    order_by_card(page, "longjing-tea", CHINA, CHINESE_CARD)
    see(page, "success")
    order_by_card(page, "longjing-tea", CHINA, DECLINED)
    see(page, "failed")

    assert_nowhere(stack)
    assert files_with(stack, NUMBER) | files_with(stack, DECLINED) == set()


@pytest.mark.browser
def test_a_card_number_where_none_belongs(chromium: Browser, stack: Stack) -> None:
    """People paste numbers into any field and programs send them anywhere: refused, and not kept."""
    page = chromium.new_context(base_url=stack.url, locale="en-GB").new_page()
    fill_cart(page, "longjing-tea")
    fill_delivery(page, AMERICA | {"line1": f"Card {MISPLACED}"}, email=f"{MISPLACED}@example.com")
    fill_card(page, CHINESE_CARD)
    page.get_by_test_id("checkout-submit").click()
    expect(page.locator("main")).to_contain_text("Card numbers belong into the card fields only")
    page.context.close()

    sent = {"items": [{"sku": "longjing-tea", "quantity": 1}], "address": {**ADDRESS, "name": MISPLACED}}
    answer = httpx.post(
        f"{stack.url}/api/v1/orders", json=sent, headers={"Idempotency-Key": "1"}, trust_env=False
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "card_number_refused")
    told = {
        "X-Request-ID": MISPLACED,
        "User-Agent": f"card {MISPLACED}",
        "Referer": f"http://x/?n={MISPLACED}",
    }
    for method, path in (
        ("GET", f"/api/v1/payments/{MISPLACED}"),
        ("GET", f"/?card={MISPLACED}&cvc=123"),
        ("GET", f"/{MISPLACED}"),
        ("POST", "/webhooks/stripe"),
        ("POST", "/webhooks/alipay"),
    ):
        content = json.dumps({"card": {"number": MISPLACED, "cvc": "123"}})
        refused = httpx.request(method, stack.url + path, content=content, headers=told, trust_env=False)
        assert refused.status_code < 500, refused.text

    assert_nowhere(stack)
    # Name and e-mail go from the browser to the provider with the card, so the provider's own folder may know it.
    assert files_with(stack, MISPLACED) <= {"sandbox"}
