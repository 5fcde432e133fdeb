"""Names that come twice are told, however far apart; memory stays what it is."""

import random

from reconciliation.staging.names import Names


def _joined(keys: list[bytes]) -> bytes:
    return b"".join(bytes(4) + key for key in keys)


def test_every_name_that_comes_again_is_told() -> None:
    dice, names = random.Random(7), Names()
    keys = [dice.randbytes(16) for _ in range(20_000)]
    twice = keys[::50]
    told: set[bytes] = set()
    for part in (keys, twice[:200], [], twice[200:], [b"one" + bytes(13)] * 2):
        names.note(_joined(part))
        told |= set(names.taken())
    assert told >= {*twice, b"one" + bytes(13)}
    assert len(told) <= len(twice) + 3
    assert names.taken() == []


def test_names_that_differ_in_one_bit_are_different() -> None:
    names = Names()
    names.note(_joined([(1 << bit).to_bytes(16, "big") for bit in range(128)]))
    assert names.taken() == []
