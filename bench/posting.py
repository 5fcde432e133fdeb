"""The work of `ledger_post`. Imported once Django is set up."""

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any

from django.db import connection, transaction

from bench.frame import cpu_ms, median, percentile
from ledger.facts import Entry, Posting
from ledger.identifiers import new_key
from ledger.invariants import check
from ledger.models import Account
from ledger.models.days import today
from ledger.money import Money
from ledger.selectors import account_statement, balance
from ledger.services.close_day import close_day
from ledger.services.post import post
from ledger.services.post_many import post_many
from ledger.services.take_snapshots import take_snapshots

ACCOUNTS = 1000
IN_FLIGHT = (1, 4, 16)
ONE_BY_ONE = int(os.environ.get("BENCH_ONE_BY_ONE", "1500"))
BATCHES = (100, 1000, 8000)
IN_BATCHES = int(os.environ.get("BENCH_IN_BATCHES", "8000"))
TURNS = 6
MANY_ENTRIES = int(os.environ.get("BENCH_ENTRIES", "1000000"))
FEW_ENTRIES = 1000
TAIL = 500
DAYS_OPEN = 7  # then they close by themselves
READS = 400
HOT = "receivable:hot"
_FILL = """
WITH numbers AS (
    SELECT uuidv7() AS id, number FROM generate_series(%(first)s::int, %(last)s::int) AS number
), heads AS (
    INSERT INTO ledger_transaction (id, business_key, reference, description, entry_count, happened_at, posted_on)
    SELECT id, %(name)s || ':' || number, 'fill', '', 2, now(), current_date - number %% 300 FROM numbers
)
INSERT INTO ledger_entry (transaction_id, position, account_id, currency, amount, posted_on)
SELECT numbers.id, side.position, account.id, 'CNY', side.amount, current_date - number %% 300
FROM numbers CROSS JOIN (VALUES (1, %(name)s, 7), (2, 'suspense', -7)) AS side (position, name, amount)
JOIN ledger_account AS account ON account.name = side.name"""

_numbers = count(1)
_chance = random.Random(1)


def postings(many: int, *, hot: bool) -> list[Any]:
    found = []
    for _ in range(many):
        debit, credit = _chance.sample(range(ACCOUNTS), 2)
        number = next(_numbers)
        entries = [
            Entry(HOT if hot else f"merchant_payable:m{debit}", Money(100, "CNY")),
            Entry(f"merchant_payable:m{credit}", Money(-100, "CNY")),
        ]
        found.append(
            Posting(
                business_key=f"pay_{number:024}:capture:1",
                reference=f"ord_{number:024}",
                description="captured",
                entries=entries,
            )
        )
    return found


def chunks(postings: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (postings[first : first + size] for first in range(0, len(postings), size))


def in_turn(turns: int, ways: dict[str, Callable[[], tuple[int, float]]]) -> dict[str, float]:
    """Postings a second of each way, a part of its work at a time: what else the machine does hits all of them alike.

    A way does its part and returns how many postings it made in how many seconds.
    """
    made, took = dict.fromkeys(ways, 0), dict.fromkeys(ways, 0.0)
    for _ in range(turns):
        for name, way in ways.items():
            many, seconds = way()
            made[name] += many
            took[name] += seconds
    return {name: made[name] / took[name] for name in ways}


def _timed(many: int, work: Callable[[], Any]) -> tuple[int, float]:
    began = time.perf_counter()
    work()
    return many, time.perf_counter() - began


def one_by_one(many: int, in_flight: int, *, hot: bool, alone: bool = True) -> tuple[int, float]:
    """`post`, each in a transaction of its own, by so many threads; not `alone`, in one that its caller opens."""
    shares = list(chunks(postings(many, hot=hot), -(-many // in_flight)))

    def work(share: Sequence[Any]) -> None:
        for posting in share:
            with nullcontext() if alone else transaction.atomic():
                post(
                    business_key=posting.business_key,
                    reference=posting.reference,
                    description=posting.description,
                    entries=posting.entries,
                    alone=alone,
                )
        if in_flight > 1:
            connection.close()

    if in_flight == 1:
        return _timed(many, lambda: work(shares[0]))
    with ThreadPoolExecutor(in_flight) as pool:
        return _timed(many, lambda: list(pool.map(work, shares)))


def in_batches(many: int, size: int, *, hot: bool) -> tuple[int, float]:
    batch = postings(many, hot=hot)

    def work() -> None:
        for chunk in chunks(batch, size):
            with transaction.atomic():
                results = post_many(postings=chunk)
            assert all(getattr(result, "created", False) for result in results)

    return _timed(many, work)


def raw(many: int, size: int) -> tuple[int, float]:
    """The same rows by two multi-row INSERTs a commit, into the same tables; their text is ready beforehand."""
    accounts = dict(Account.objects.filter(currency="CNY").values_list("name", "pk"))
    statements = []
    for chunk in chunks(postings(many, hot=False), size):
        heads, lines = [], []
        for posting in chunk:
            key = new_key()
            heads.append(
                f"('{key}','{posting.business_key}','{posting.reference}','captured',2,now(),'{today()}')"
            )
            lines += [
                f"('{key}',{position},'{accounts[line.account]}','CNY',{line.amount.minor},'','{today()}')"
                for position, line in enumerate(posting.entries, start=1)
            ]
        statements.append(
            (
                "INSERT INTO ledger_transaction (id, business_key, reference, description, entry_count, happened_at,"
                " posted_on) VALUES " + ",".join(heads),
                "INSERT INTO ledger_entry (transaction_id, position, account_id, currency, amount, item, posted_on)"
                " VALUES " + ",".join(lines),
            )
        )

    def work() -> None:
        for head, line in statements:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(head)
                cursor.execute(line)

    return _timed(many, work)


def fill(name: str, entries: int) -> None:
    """An account with so many entries over 300 days, through the same triggers."""
    Account.objects.open([(name, "CNY"), ("suspense", "CNY")])
    for first in range(1, entries + 1, 20_000):
        last = min(first + 19_999, entries)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_FILL, {"first": first, "last": last, "name": name})


def balance_reads() -> dict[str, float]:
    """Microseconds of a read at few and at many entries, with as long a tail since the snapshot; of closing a day."""
    names = {"few": "bank:few", "many": "bank:many"}
    fill(names["few"], FEW_ENTRIES)
    fill(names["many"], MANY_ENTRIES)
    began = time.perf_counter()
    closed = len(close_day(day=today() - timedelta(days=DAYS_OPEN), actor="bench"))
    close_ms = 1000 * (time.perf_counter() - began) / closed
    take_snapshots(at_least=1)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE ledger_entry")
    for name in names.values():
        _tail(name)
    few, many = _interleaved(list(names.values()))
    return {
        "balance_us_few": few,
        "balance_us_many": many,
        "balance_many_of_few": round(many / few, 3),
        "close_day_ms": round(close_ms, 1),
    }


def _tail(name: str) -> None:
    entries = [Entry(name, Money(7, "CNY")), Entry("suspense", Money(-7, "CNY"))]
    with transaction.atomic():
        post_many(
            postings=[
                Posting(
                    business_key=f"tail:{name}:{number}", reference="fill", description="", entries=entries
                )
                for number in range(TAIL)
            ]
        )


def _interleaved(names: list[str]) -> list[float]:
    """In turn, so that what else the machine does hits all of them alike."""
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(READS):
        for name in names:
            began = time.perf_counter()
            balance(name, "CNY")
            seconds[name].append(time.perf_counter() - began)
    return [round(1e6 * median(taken), 1) for taken in seconds.values()]


def statement_reads() -> dict[str, float]:
    """A page of 100 lines and a balance in the past, of the account with many entries, on days that are closed."""
    day = today() - timedelta(days=150)
    pages, balances = [], []
    for _ in range(50):
        began = time.perf_counter()
        account_statement("bank:many", "CNY", since=day, until=day + timedelta(days=30))
        pages.append(time.perf_counter() - began)
        began = time.perf_counter()
        balance("bank:many", "CNY", at=day)
        balances.append(time.perf_counter() - began)
    return {
        "statement_page_ms": round(1000 * median(pages), 2),
        "statement_page_p99_ms": round(1000 * percentile(pages, 0.99), 2),
        "past_balance_ms": round(1000 * median(balances), 2),
    }


def prepare() -> None:
    """Accounts, and code and caches that are warm."""
    names = [HOT, *(f"merchant_payable:m{number}" for number in range(ACCOUNTS))]
    Account.objects.open([(name, "CNY") for name in names])
    in_batches(IN_BATCHES, 1000, hot=False)


def _cpu_ms() -> float:
    """Of this process and of its connection's, so far."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    return 1000 * time.process_time() + cpu_ms(pid)


def one_round() -> dict[str, float]:
    before = _cpu_ms()
    one_by_one(ONE_BY_ONE, 1, hot=False)
    between = _cpu_ms()
    in_batches(IN_BATCHES, 1000, hot=False)
    figures = {
        "cpu_ms_post": (between - before) / ONE_BY_ONE,
        "cpu_ms_post_many": (_cpu_ms() - between) / IN_BATCHES,
        "sql_post": 1.0,  # tests/ledger/test_post.py counts them
    }
    for in_flight in IN_FLIGHT:
        # Threads connect anew for each part, so theirs is the whole.
        turns = TURNS if in_flight == 1 else 1
        part = ONE_BY_ONE // turns
        rates = in_turn(
            turns,
            {
                "spread": partial(one_by_one, part, in_flight, hot=False),
                "hot": partial(one_by_one, part, in_flight, hot=True),
            },
        )
        figures |= {
            f"post_{in_flight}": rates["spread"],
            f"post_{in_flight}_hot_of_spread": rates["hot"] / rates["spread"],
        }
    for size in BATCHES:
        part = max(size, IN_BATCHES // TURNS)
        rates = in_turn(
            TURNS,
            {
                "raw": partial(raw, part, size),
                "spread": partial(in_batches, part, size, hot=False),
                "hot": partial(in_batches, part, size, hot=True),
            },
        )
        figures |= {
            f"raw_{size}": rates["raw"],
            f"post_many_{size}": rates["spread"],
            f"post_many_{size}_of_raw": rates["spread"] / rates["raw"],
            f"post_many_{size}_hot_of_spread": rates["hot"] / rates["spread"],
        }
    return {name: round(value, 3) for name, value in figures.items()}


def beside(other: Callable[[int], float]) -> dict[str, float]:
    """How many times as fast as another ledger, in turn with it; `other` makes so many postings and returns seconds."""
    part = ONE_BY_ONE // TURNS
    rates = in_turn(
        TURNS,
        {
            "other": lambda: (part, other(part)),
            "post": partial(one_by_one, part, 1, hot=False),
            "post_in_transaction": partial(one_by_one, part, 1, hot=False, alone=False),
            **{
                f"post_many_{size}": partial(in_batches, max(size, 2000), size, hot=False) for size in BATCHES
            },
        },
    )
    best = max(rates[f"post_many_{size}"] for size in BATCHES)
    return {
        "hordak": round(rates["other"], 3),
        "post_of_hordak": round(rates["post"] / rates["other"], 2),
        "post_in_transaction_of_hordak": round(rates["post_in_transaction"] / rates["other"], 2),
        "post_many_of_hordak": round(best / rates["other"], 1),
    }


def prove() -> None:
    """The books are sound after all that."""
    broken = [finding for _, _, findings in check() for finding in findings]
    assert not broken, broken[:5]
