"""Files that something spoilt: they are read as what they were, or refused whole by name. Nothing else."""

import gzip
import random
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from reconciliation.errors import StatementRefused
from reconciliation.rows import Line
from tests.reconciliation.parsers.samples import SAMPLES, Sample, zipped

MUTATIONS = 1_600  # of each of the samples
WRONG = ("utf-8", "gb18030", "utf-16", "latin-1", "cp437")


def flip(text: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(text))
    return text[:at] + bytes([text[at] ^ 1 << dice.randrange(8)]) + text[at + 1 :]


def cut(text: bytes, dice: random.Random) -> bytes:
    return text[: dice.randrange(len(text))]


def cut_inside(text: bytes, dice: random.Random) -> bytes:
    start = dice.randrange(len(text))
    return text[:start] + text[start + dice.randint(1, 40) :]


def insert(text: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(text))
    return (
        text[:at]
        + dice.choice((b"\0", b"\n", b'"', b"`", b",", b"\xff", b"\t", b"-", b"9", b"<", b":"))
        + text[at:]
    )


def double_line(text: bytes, dice: random.Random) -> bytes:
    lines = text.split(b"\n")
    at = dice.randrange(len(lines))
    return b"\n".join([*lines[:at], lines[at], *lines[at:]])


def drop_line(text: bytes, dice: random.Random) -> bytes:
    lines = text.split(b"\n")
    del lines[dice.randrange(len(lines))]
    return b"\n".join(lines)


def swap_lines(text: bytes, dice: random.Random) -> bytes:
    lines = text.split(b"\n")
    one, other = dice.randrange(len(lines)), dice.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


def change_digit(text: bytes, dice: random.Random) -> bytes:
    at = dice.choice([place for place, byte in enumerate(text) if chr(byte).isdigit()])
    return text[:at] + str(dice.randrange(10)).encode() + text[at + 1 :]


def swap_cells(text: bytes, dice: random.Random) -> bytes:
    lines = text.split(b"\n")
    at = dice.randrange(len(lines))
    cells = lines[at].split(b",")
    dice.shuffle(cells)
    return b"\n".join([*lines[:at], b",".join(cells), *lines[at + 1 :]])


def reencode(text: bytes, dice: random.Random) -> bytes:
    return text.decode(dice.choice(WRONG), "replace").encode(dice.choice(WRONG), "replace")


INSIDE: Sequence[Callable[[bytes, random.Random], bytes]] = (
    *(flip, flip, cut, cut_inside, insert, double_line, drop_line, swap_lines),
    *(change_digit, change_digit, change_digit, swap_cells, reencode),
)
OUTSIDE: Sequence[Callable[[bytes, random.Random], bytes]] = (
    *(flip, cut, cut_inside, insert),
    lambda content, dice: gzip.compress(content, 1),
    lambda content, dice: gzip.compress(gzip.compress(content, 1), 1),
    lambda content, dice: zipped([("a.csv", content)]),
    lambda content, dice: zipped([("a.zip", zipped([("a.csv", content)]))]),
    lambda content, dice: zipped([("../a.csv", content)]),
    lambda content, dice: flip(gzip.compress(content, 1), dice),
    lambda content, dice: content + content,
)


def mutated(sample: Sample, dice: random.Random) -> bytes:
    if dice.random() < 0.2:
        return dice.choice(OUTSIDE)(sample.content, dice)
    members = list(sample.members)
    at = dice.randrange(len(members))
    name, text = members[at]
    members[at] = (name, dice.choice(INSIDE)(text, dice))
    return sample.pack(members)


def totals(lines: Sequence[Line]) -> Counter[str]:
    """What comes and goes, and what it costs, by currency."""
    found: Counter[str] = Counter()
    for line in lines:
        found[f"{line.currency} amount"] += line.amount
        found[f"{line.currency} fee"] += line.fee
    return found


@pytest.mark.parametrize("name", SAMPLES)
def test_whatever_is_spoilt_is_read_right_or_refused_by_name(name: str) -> None:
    sample, dice = SAMPLES[name], random.Random(f"statements of {name}")
    genuine = totals(sample.read())
    refused: Counter[str] = Counter()
    for _ in range(MUTATIONS):
        content = mutated(sample, dice)
        try:
            lines = sample.read(content)
        except StatementRefused as refusal:
            refused[refusal.code] += 1
            continue
        if sample.proven:
            assert totals(lines) == genuine, content
    assert refused.total() > MUTATIONS // 3
    assert len(refused) > 3
