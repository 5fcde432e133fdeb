"""Very many postings: their rows are copied into the tables, which costs PostgreSQL less than INSERT does.

COPY passes over no row whose key is taken: then it writes nothing, and they go another way.
"""

import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DataError, IntegrityError, connection, transaction
from psycopg.errors import UniqueViolation

from ledger.facts import PostedTransaction, Posting
from ledger.identifiers import new_digits
from ledger.models.batches import OpenAccounts
from ledger.models.days import day_of

_HEADS = """
COPY ledger_transaction (id, posted_on, happened_at, entry_count, business_key, reference, description)
FROM STDIN (FORMAT binary)
"""
_LINES = """
COPY ledger_entry (transaction_id, position, account_id, currency, amount, posted_on, item) FROM STDIN (FORMAT binary)
"""
_START = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
_STEP = 500  # postings that are put together before they are sent: the server works on those before them
_FIRST_DAY = date(2000, 1, 1)
_FIRST_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# Columns of a row, each with its length before it; a row begins with how many there are.
_head = struct.Struct(">hi16siiiqih").pack
_line = struct.Struct(">hi16sih").pack
_account = struct.Struct(">i16si").pack
_amount_and_day = struct.Struct(">iqii").pack
_length = struct.Struct(">i").pack


def write(
    postings: Sequence[Posting], places: Sequence[int], open_accounts: OpenAccounts
) -> dict[int, PostedTransaction] | None:
    """Write those at `places`, which are sound. Those that name a closed day have no result.

    None, and nothing is written, where a key is taken or comes twice. Raises what a cursor would.
    """
    if len({postings[place].business_key for place in places}) < len(places):
        return None
    copy = _Copy(postings, places)
    before = transaction.savepoint()
    try:
        with connection.wrap_database_errors, connection.cursor() as cursor:
            copy.run(cursor, open_accounts)
    except struct.error as error:
        raise DataError(f"an amount is not of 64 bits: {error}") from error
    except IntegrityError as error:
        if not isinstance(error.__cause__, UniqueViolation):
            raise
        transaction.savepoint_rollback(before)
        return None
    transaction.savepoint_commit(before)
    return copy.written


class _Copy:
    """In the order of their keys, as a statement sorts them, so that nobody deadlocks."""

    def __init__(self, postings: Sequence[Posting], places: Sequence[int]) -> None:
        self._postings = postings
        self._places = sorted(places, key=lambda place: postings[place].business_key)
        self._lines: list[bytes] = []
        self.written: dict[int, PostedTransaction] = {}

    def run(self, cursor: Any, open_accounts: OpenAccounts) -> None:
        self._find(cursor, open_accounts)
        with cursor.copy(_HEADS) as copy:
            for part in self._heads():
                copy.write(part)
        with cursor.copy(_LINES) as copy:
            copy.write(b"".join([_START, *self._lines, _END]))

    def _find(self, cursor: Any, open_accounts: OpenAccounts) -> None:
        """What rows need of the database: the accounts, the time, and the days, which are held open from now on."""
        told = [self._postings[place] for place in self._places]
        names = list(
            {(entry.account, entry.amount.currency) for posting in told for entry in posting.entries}
        )
        wanted = list({_wanted(posting) for posting in told})
        accounts, self._now, days = _ready_for(cursor, names, wanted)
        if not all(accounts):
            open_accounts(names)
            accounts, self._now, days = _ready_for(cursor, names, wanted)
        self._days = dict(zip(wanted, days, strict=True))
        self._accounts = {
            name: _account(16, key.bytes, len(name[1])) + name[1].encode()
            for name, key in zip(names, accounts, strict=True)
        }

    def _heads(self) -> Iterator[bytes]:
        yield _START
        places = iter(self._places)
        while some := list(islice(places, _STEP)):
            yield b"".join([self._add(place) for place in some])
        yield _END

    def _add(self, place: int) -> bytes:
        posting = self._postings[place]
        open_day = self._days[_wanted(posting)]
        if posting.on and posting.on != open_day:
            return b""
        digits, entries, accounts = new_digits(), posting.entries, self._accounts
        key, day = bytes.fromhex(digits), (open_day - _FIRST_DAY).days
        for position, entry in enumerate(entries, start=1):
            money = entry.amount
            self._lines.append(
                _line(7, 16, key, 2, position)
                + accounts[entry.account, money.currency]
                + _amount_and_day(8, money.minor, 4, day)
                + _text(entry.item)
            )
        self.written[place] = PostedTransaction(digits, posting.business_key, created=True)
        happened = ((posting.happened_at or self._now) - _FIRST_MOMENT) // _MICROSECOND
        return (
            _head(7, 16, key, 4, day, 8, happened, 2, len(entries))
            + _text(posting.business_key)
            + _text(posting.reference)
            + _text(posting.description)
        )


def _ready_for(
    cursor: Any, accounts: Sequence[tuple[str, str]], days: Sequence[date | None]
) -> tuple[list[UUID], datetime, list[date]]:
    """The accounts, None where there is none; the time; and the day that is open for each of `days`."""
    cursor.execute(
        "SELECT * FROM ledger_ready_for(%s, %s, %s, %s::date[])",
        [[name for name, _ in accounts], [code for _, code in accounts], settings.LEDGER_TIME_ZONE, days],
    )
    found: tuple[list[UUID], datetime, list[date]] = cursor.fetchone()
    return found


def _wanted(posting: Posting) -> date | None:
    """The day that it asks for; None for today."""
    if posting.on or posting.happened_at is None:
        return posting.on
    return day_of(posting.happened_at)


def _text(value: str) -> bytes:
    content = value.encode()
    return _length(len(content)) + content
