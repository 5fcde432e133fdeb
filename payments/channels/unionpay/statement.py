"""The settlement file: base 64 over deflate over a zip, and in it text of fixed width.

UnionPay publishes the layout of `ACOMN` per acquirer and adds columns at the end of a line. The widths below are those
of a published sample, so they are settings (`statement_widths`), not facts; the names are of the columns whose
meaning is known.
"""

import io
import zipfile
import zlib
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

KIND: Final = "ACOMN"
WIDTHS: Final = (
    *(11, 11, 6, 10, 19, 12, 12, 12, 4, 6, 4, 8, 15, 12, 2, 6, 11, 6, 2, 3, 12, 12, 12, 1, 3, 1, 1, 10, 11),
    *(1, 2, 2, 12, 14),
)
# Position in a line → what it is; sums are in the currency's minor units, filled up with zeros. The card number
# (position 4) is left where it is.
COLUMNS: Final[Mapping[int, str]] = {
    0: "acquirer",
    1: "forwarder",
    2: "trace_no",
    3: "sent_at",  # MMDDhhmmss
    5: "amount",
    6: "part_amount",
    7: "customer_fee",
    8: "message_type",
    9: "processing_code",
    10: "trade",
    11: "terminal",
    12: "merchant",
    13: "retrieval_reference",
    14: "condition",
    15: "authorisation",
    16: "receiver",
    17: "original_trace_no",
    18: "response",
    19: "entry",
    20: "fee_receivable",
    21: "fee_payable",
}
_LARGEST_ZIP: Final = 32 * 1024 * 1024
_LARGEST_FILE: Final = 128 * 1024 * 1024
_MOST_MEMBERS: Final = 16
_BROKEN: Final = (
    zlib.error,
    zipfile.BadZipFile,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)


class Unreadable(ValueError):
    """The file is damaged, or not laid out as the settings say."""


def unpacked(content: str) -> tuple[str, bytes]:
    """Name and text of the file of this kind inside `fileContent`. Raises `Unreadable`."""
    try:
        packed = _inflated(b64decode(content, validate=True))
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            _inspect(archive)
            members = [member for member in archive.infolist() if KIND in member.filename]
            if len(members) != 1:
                raise Unreadable(f"{len(members)} files of the kind {KIND}")
            with archive.open(members[0]) as file:
                text = file.read(_LARGEST_FILE + 1)
    except Unreadable:
        raise
    except _BROKEN as problem:
        raise Unreadable("the file can not be unpacked") from problem
    if len(text) > _LARGEST_FILE:
        raise Unreadable("larger than any day's file")
    return members[0].filename.rpartition("/")[2], text


def _inspect(archive: zipfile.ZipFile) -> None:
    """What is wrong anywhere in it was not written by UnionPay, or not brought whole."""
    listed = archive.infolist()
    if len(listed) > _MOST_MEMBERS or sum(member.file_size for member in listed) > _LARGEST_FILE:
        raise Unreadable("larger than any day's file")
    for member in listed:
        parts = member.filename.replace("\\", "/").split("/")
        if ".." in parts or parts[0] == "" or ":" in parts[0]:
            raise Unreadable("a name in the archive leads out of it")
    if archive.testzip() is not None:
        raise Unreadable("the file can not be unpacked")


def rows(content: bytes, widths: Sequence[int] = WIDTHS) -> Iterator[dict[str, str]]:
    """The named columns of each line. Raises `Unreadable` at a line that the widths do not fit."""
    for number, line in enumerate(content.splitlines(), 1):
        if line:
            yield row(line, widths, number)


def row(line: bytes, widths: Sequence[int], number: int) -> dict[str, str]:
    """The named columns of one line. Raises `Unreadable`."""
    found: dict[str, str] = {}
    start = 0
    for position, width in enumerate(widths):
        end = start + width
        # One space divides the columns; more may follow the last one that we know.
        if len(line) < end or line[end : end + 1] not in (b" ", b""):
            raise Unreadable(f"line {number} does not fit the widths at column {position + 1}")
        if position in COLUMNS:
            # Texts may be GBK; what is read here are digits and letters.
            found[COLUMNS[position]] = line[start:end].decode("ascii", "replace").strip()
        start = end + 1
    return found


def _inflated(content: bytes) -> bytes:
    inflater = zlib.decompressobj()
    plain = inflater.decompress(content, _LARGEST_ZIP)
    if inflater.unconsumed_tail or not inflater.eof:
        raise Unreadable("damaged, or larger than any day's file")
    return plain
