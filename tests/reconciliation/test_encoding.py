"""Our names as PostgreSQL takes them, and every name that only looks like one of ours."""

import random
from datetime import datetime

import pytest

from ledger.identifiers import MalformedIdentifier, decode, encode, new_key
from reconciliation.parsers.fields import BEIJING
from reconciliation.rows import Payments
from reconciliation.staging.encoding import NOBODY, encoded, named


@pytest.mark.parametrize("prefix", ["att", "ref"])
def test_a_name_of_ours_is_the_key_inside(prefix: str) -> None:
    for key in (new_key() for _ in range(200)):
        assert named(encode(prefix, key)) == (key.bytes, 1)
        assert named(f"{encode(prefix, key)}_12") == (key.bytes, 12)


@pytest.mark.parametrize(
    "name",
    [
        *("att_", "att_" + "u" * 26, "att_" + "z" * 26, "att_01" + "_" * 24, "ATT_" + "1" * 26),
        *("att_" + " " * 25 + "1", "att_" + "１" * 26, "att_+" + "1" * 25, "pay_" + "1" * 26),
        *("att_" + "1" * 25, "att_" + "1" * 26 + "_", "att_" + "1" * 26 + "_1234", "att_" + "1" * 26 + "_x"),
    ],
)
def test_what_is_no_name_of_ours_is_nobodys(name: str) -> None:
    assert named(name) == (NOBODY, 1)
    with pytest.raises(MalformedIdentifier):
        decode("att", name)


def test_the_first_of_all_keys_is_nobodys() -> None:
    assert named("att_" + "0" * 26) == (NOBODY, 1)


def test_payments_by_column_become_the_same_bytes_as_line_by_line() -> None:
    dice = random.Random(7)
    for size in (0, 1, 2, 300):
        payments = Payments(
            numbers=range(7, 7 + size),
            references=[encode("att", new_key()) for _ in range(size)],
            their_references=[str(4200 + dice.randrange(10**9)) for _ in range(size)],
            amounts=[dice.randrange(10**12) for _ in range(size)],
            fees=[dice.randrange(10**9) for _ in range(size)],
            currency="CNY",
            midnight=datetime(2026, 3, 2, tzinfo=BEIJING),
            seconds=[dice.randrange(86400) for _ in range(size)],
            texts=[dice.choice(("", "Tea", "茶")) for _ in range(size)],
        )
        assert list(encoded([payments])) == list(encoded([list(payments)]))
