"""Packed files, what a file is recognised by, and archives that attack."""

import gzip
import io
import tracemalloc
import zlib
from collections.abc import Callable
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile, ZipInfo

import pytest

from reconciliation import errors
from reconciliation.parsers import FORMATS, HEAD, archives, format_of, sniff
from tests.reconciliation.parsers.samples import SAMPLES, zipped

ALL = SAMPLES["wechat_all"]


def written(fill: Callable[[ZipFile], None]) -> bytes:
    packed = io.BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        fill(archive)
    return packed.getvalue()


def link() -> ZipInfo:
    member = ZipInfo("bill.csv")
    member.external_attr = 0o120777 << 16
    return member


def encrypted() -> bytes:
    content = bytearray(zipped([("bill.csv", b"x" * 100)]))
    for at in (6, content.index(b"PK\x01\x02") + 8):
        content[at] |= 1
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        zipped([("../bill.csv", ALL.content)]),
        zipped([("/etc/bill.csv", ALL.content)]),
        zipped([("..\\bill.csv", ALL.content)]),
        zipped([("C:\\bill.csv", ALL.content)]),
        zipped([("bi\nll.csv", ALL.content)]),
        zipped([("a.csv", ALL.content), ("b.csv", ALL.content)]),
        zipped([("bill.zip", zipped([("bill.csv", ALL.content)]))]),
        gzip.compress(gzip.compress(ALL.content)),
        written(lambda archive: archive.writestr(link(), b"/etc/passwd")),
        written(lambda archive: archive.writestr("bill.csv", ALL.content, ZIP_BZIP2)),
        zipped([(f"{number}.csv", b"") for number in range(2_000)]),
        encrypted(),
    ],
)
def test_archives_that_no_statement_is_in(content: bytes) -> None:
    with pytest.raises(errors.StatementUnsafeArchive):
        ALL.read(content)


def test_bombs_are_refused_before_they_fill_the_memory() -> None:
    size = 96 * 1024 * 1024
    squeezed = zlib.compressobj(9, wbits=16 + zlib.MAX_WBITS)
    bomb = (
        b"".join(squeezed.compress(b"`1\n" * (1 << 20)) for _ in range(size // (3 << 20))) + squeezed.flush()
    )
    header = ALL.content.split(b"\r\n")[0]
    packed = written(lambda archive: archive.writestr("bill.csv", header + b"\r\n" + bytes(size)))
    tracemalloc.start()
    for content in (bomb, packed):
        with pytest.raises(errors.StatementRefused) as refused:
            read_all(content)
        assert refused.value.code == "statement_too_large"
    assert tracemalloc.get_traced_memory()[1] < 16 * 1024 * 1024
    tracemalloc.stop()


def read_all(content: bytes) -> int:
    member = archives.single(io.BytesIO(content))
    return sum(len(block) for block in iter(lambda: member.read(1 << 16), b""))


@pytest.mark.parametrize(
    # Without the hour in it: workers collect in different seconds, and must name the same tests.
    "content",
    [b"", b"PK", b"PK\x03\x04", b"\x1f\x8b", zipped([]), gzip.compress(b"x", mtime=0)[:-4]],
)
def test_what_is_no_whole_archive(content: bytes) -> None:
    with pytest.raises(errors.StatementRefused) as refused:
        ALL.read(content)
    assert refused.value.code in ("statement_damaged", "statement_column_missing")


@pytest.mark.parametrize("between", [b"", b"\0" * 3, b"\0" * 200_000])
def test_gzip_in_several_parts_is_one_file(between: bytes) -> None:
    half = len(ALL.content) // 2
    packed = [gzip.compress(part) for part in (ALL.content[:half], b"", ALL.content[half:])]
    whole = between.join(packed) + between
    assert ALL.read(whole) == ALL.read()
    for cut in (3, 9, 20, len(whole) - len(between) - 4):
        with pytest.raises(errors.StatementDamaged):
            ALL.read(whole[:cut])
    with pytest.raises(errors.StatementDamaged):
        ALL.read(whole + b"more")
    with pytest.raises(errors.StatementDamaged):  # another checksum
        ALL.read(packed[0][:-8] + b"\1\2\3\4" + packed[0][-4:] + packed[2])


def test_a_file_is_recognised_by_what_is_in_it() -> None:
    for sample in SAMPLES.values():
        packed = (
            (sample.content, gzip.compress(sample.content))
            if sample.channel != "alipay"
            else (sample.content,)
        )
        found = {sniff(f"{sample.kind}.bin", content[:HEAD]) for content in packed}
        # whose columns a bank's CSV has, and what lies in lines of fixed width, no text says
        expected = (
            {None, (sample.channel, sample.kind)}
            if sample.kind in ("csv", "ACOMN")
            else {(sample.channel, sample.kind)}
        )
        assert found <= expected
    for junk in (
        b"",
        b"\x1f\x8b\x08junk",
        b"PK\x03\x04",
        b"PK\x03\x04" + bytes(40),
        b"\xff\xfe",
        b"hello, world\n",
    ):
        assert sniff("x.csv", junk) is None


def test_what_nobody_reads() -> None:
    with pytest.raises(errors.StatementFormatUnknown) as refused:
        format_of("paypal", "trade")
    assert "wechat trade" in str(refused.value)
    assert all(format_of(one.channel, one.kind) is one for one in FORMATS)


def test_a_long_file_needs_little_memory() -> None:
    header, row, *_ = ALL.content.split(b"\r\n")
    rows, cents = 20_000, 20_000 * 10_000
    totals = f"`{rows},`{cents // 100}.00,`0.00,`0.00,`{rows * 6 // 10}.00000,`{cents // 100}.00,`0.00\r\n"
    summary = ALL.content.split(b"\r\n")[4]
    content = io.BytesIO(b"\r\n".join([header, *[row] * rows, summary, totals.encode()]))
    tracemalloc.start()
    assert sum(line.amount for line in format_of("wechat", "trade").read(content, ALL.told)) == cents
    assert tracemalloc.get_traced_memory()[1] < 12 * 1024 * 1024
    tracemalloc.stop()
