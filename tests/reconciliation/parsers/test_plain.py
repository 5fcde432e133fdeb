"""The quick way through a file makes of every row what care makes of it, and refuses what care refuses."""

import io
import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, cast

import pytest

from reconciliation.errors import StatementRefused
from reconciliation.parsers import alipay_members, format_of, texts
from reconciliation.parsers.archives import Content
from reconciliation.parsers.framed import Framed
from reconciliation.parsers.ticked import Ticked
from reconciliation.rows import Batch, Line, Payments
from tests.patience import PATIENCE
from tests.reconciliation.parsers.samples import MCHID, REF, SAMPLES, Sample
from tests.reconciliation.parsers.test_fuzz import INSIDE

FILES = 250  # of each of the samples
ODD_TEXTS = (
    *(
        "Tea",
        "Tea 2",
        "茶, green",
        "a`b",
        "",
        " Tea",
        "Tea ",
        "a  b",
        "a\tb",
        "a\u3000b",
        "a\x0bb",
        "a\nb",
        "#Tea",
    ),
    *(
        "a\n#b\n\nc",
        "x" * 201,
        "4111 1111 1111 1111",
        "6222021234567890123",
        "Order 2026112012345678901",
        "=1+1",
    ),
    *(
        'a"b',
        '"a, b"',
        "\\N",
        "\ufeff",
        "12345678901234",
        "1 - 2 - 3 - 4 - 5 - 6 - 7 - 8 - 9 - 1 - 2 - 3 - 4",
    ),
)
ODD_CELLS = (
    *(
        "",
        " ",
        "0",
        "0.00",
        "0.0",
        "1",
        "-1.00",
        "-0.60",
        "0.60",
        "00012.30",
        " 12.30",
        "12.30\t",
        "1e3",
        "１.00",
    ),
    *(
        "123456789012.99",
        "1234567890123.99",
        "0.00000",
        "0.06000",
        "-0.06000",
        "+1.00",
        "ord_1",
        f"att_{'0' * 26}",
    ),
    *(f"att_{'u' * 26}", f"att_{'z' * 26}", "att_01jd3q7x8kfz0c5w9m2v4t6b1a_2", REF, "9" * 64, "9" * 65),
    *("2026-11-20 00:00:00", "2026-11-20 24:00:00", "2026-11-20 23:59:60", "2026-11-21 00:00:00"),
    *("20261120 10:11:12", "SUCCESS", "REFUND", "REVOKED", "交易", "退款", "CNY", "USD", MCHID),
)
QUICK = [name for name, one in SAMPLES.items() if format_of(one.channel, one.kind).in_batches]
_QUOTED = re.compile('"Tea, .*茶"|=HYPERLINK.*?\\)')


@pytest.fixture(autouse=True)
def sums(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was compared with the totals of the file: it is noted, and whatever the file says is right."""
    told: list[Any] = []
    for form in (Ticked, Framed):
        monkeypatch.setattr(form, "agree", lambda _, *found: told.append(found))
    monkeypatch.setattr(alipay_members, "agree", lambda *found: told.append(found[2:]))
    return told


def _rows(sample: Sample, dice: random.Random) -> bytes:
    """Rows of the sample again and again, some of them with odd cells."""
    encoding = "utf-8" if sample.channel == "wechat" else "gb18030"
    between = "\r\n"
    [(_, text), *_] = sample.members
    lines = _QUOTED.sub("Tea", text.decode(encoding)).split(between)
    first = next(place for place, line in enumerate(lines) if "att_" in line)
    last = max(place for place, line in enumerate(lines) if "att_" in line)
    rows = [_odd(dice.choice(lines[first : last + 1]), dice) for _ in range(dice.randint(1, 40))]
    head = [lines[first]] if dice.random() < 0.8 else []
    ends = ("\r\n", "\n") if dice.random() < 0.1 else ("\r\n",)
    return "".join(
        line + dice.choice(ends) for line in [*lines[:first], *head, *rows, *lines[last + 1 :]]
    ).encode(encoding)


def _odd(row: str, dice: random.Random) -> str:
    before, separator = ("`", ",`") if row.startswith("`") else ("", ",")
    cells = row.removeprefix(before).split(separator)
    for place, cell in enumerate(cells):
        if "茶" in cell or "Tea" in cell or "=" in cell:
            cells[place] = _text(dice, quoted=not before)
        elif dice.random() < 0.001:
            cells[place] = dice.choice(ODD_CELLS)
        elif ":" in cell and dice.random() < 0.5:
            clock = (dice.randrange(24), dice.randrange(60), dice.randrange(60))
            cells[place] = "2026-11-20 {:02d}:{:02d}:{:02d}".format(*clock)
    return before + separator.join(cells)


def _text(dice: random.Random, *, quoted: bool) -> str:
    if dice.random() < (0.8 if quoted else 0.5):
        return "Tea"
    text = dice.choice(ODD_TEXTS)
    if not quoted:
        return text.replace("\n", "")
    needs_quotes = "," in text or '"' in text or dice.random() < 0.05
    return '"' + text.replace('"', '""') + '"' if needs_quotes and dice.random() < 0.95 else text


def _outcome(read: Callable[[], Iterable[Line]]) -> object:
    try:
        return sorted(read())
    except StatementRefused as refusal:
        return refusal.code, str(refusal), refusal.context


def _quickly(sample: Sample, content: bytes, found: list[Batch]) -> Iterator[Line]:
    in_batches = format_of(sample.channel, sample.kind).in_batches
    assert in_batches
    for batch in in_batches(io.BytesIO(content), sample.told):
        assert len(batch) == len(list(batch))
        found.append(batch)
        yield from batch


@pytest.mark.parametrize("name", QUICK)
def test_both_ways_end_alike(name: str, sums: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    sample, dice, plain, refused = SAMPLES[name], random.Random(f"plain rows of {name}"), 0, 0
    for _ in range(FILES):
        text = _rows(sample, dice)
        if dice.random() < 0.3:
            text = dice.choice(INSIDE)(text, dice)
        content = sample.pack([(sample.members[0][0], text), *sample.members[1:]])
        monkeypatch.setattr(texts, "_BLOCK", dice.choice((600, 2_000, 1 << 18)))
        found: list[Batch] = []
        with_care = _outcome(partial(sample.read, content))
        sums.append("then quickly")
        assert _outcome(partial(_quickly, sample, content, found)) == with_care, content
        at = sums.index("then quickly")
        assert not isinstance(with_care, list) or sums[:at] == sums[at + 1 :], content
        sums.clear()
        refused += not isinstance(with_care, list)
        plain += sum(len(batch) for batch in found if isinstance(batch, Payments))
    assert plain > FILES or name == "wechat_refund", "the quick way was not taken"
    assert FILES // 20 < refused < FILES * 2 // 3


class _Stuck(io.BytesIO):
    """After so many reads the next one takes for ever, until it is let go."""

    def __init__(self, reads: int) -> None:
        super().__init__(b"a line\n" * 1_000_000)
        self.left, self.reached, self.let_go = reads, threading.Event(), threading.Event()

    def read(self, size: int | None = -1, /) -> bytes:
        self.left -= 1
        if self.left < 0:
            self.reached.set()
            self.let_go.wait(6)
        return super().read(size)


def test_who_gives_up_half_way_waits_for_nobody() -> None:
    """The collector does, in any thread and under any lock: what waits there may wait for itself."""
    content = _Stuck(reads=6)
    blocks = texts.blocks_of(cast(Content, content), "utf-8")
    for _ in range(6):
        next(blocks)
    assert content.reached.wait(PATIENCE)
    began = time.monotonic()
    blocks.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 5
    content.let_go.set()
