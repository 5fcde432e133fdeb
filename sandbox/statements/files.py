"""Whole files that are not what they should be. What is spoiled `deep` is packed and hashed again afterwards."""

import asyncio
import gzip
import io
import re
import struct
import zipfile
import zlib
from datetime import date
from functools import cache
from random import Random
from typing import Any

from sandbox.provider import World
from sandbox.statements import plans, rows
from sandbox.statements.pages import Page
from sandbox.statements.plans import Fault

SPOILED = "truncated damaged wrong_hash mixed_days other_merchant zip_bomb path_traversal corrected repeated"
_AMOUNT = re.compile(rb"\d+\.\d\d(?!\d)|\d+,\d\d(?=[\r\n])")
_MEGABYTE = b"\0" * 1024 * 1024
_BOMB_BYTES = 600 * len(_MEGABYTE)
_OLDEST_REPEATED_DAYS = 40


def is_late(world: World, channel: str, file: str, merchant: str, day: date) -> bool:
    """Whether this file is not ready yet, although its time has come."""
    fault = plans.of_file(world, channel, merchant, file, day, "not_ready")
    if fault is not None:
        # the refusal rolls back what is written now
        asyncio.get_running_loop().call_soon(plans.use_up, world, fault)
    return fault is not None


def met(world: World, channel: str, file: str, merchant: str, day: date) -> Fault | None:
    """What spoils this delivery of the file."""
    fault = plans.of_file(world, channel, merchant, file, day, SPOILED)
    if fault is not None:
        plans.use_up(world, fault)
    return fault


def day_told(world: World, channel: str, file: str, merchant: str, day: date, fault: Fault | None) -> date:
    """The day whose file is sent: an older one again, when that is the fault."""
    if fault is None or fault.kind != "repeated":
        return day
    return repeated_day(world, channel, file, merchant, day)


def repeated_day(world: World, channel: str, file: str, merchant: str, day: date) -> date:
    """The last day before that has a file; the day itself when there is none."""
    for older in range(1, _OLDEST_REPEATED_DAYS):
        before = date.fromordinal(day.toordinal() - older)
        if rows.of_day(world, channel, file, merchant, before):
            return before
    return day


def of_day(world: World, channel: str, file: str, merchant: str, day: date, fault: Fault | None) -> list[Any]:
    """The day's rows as this delivery tells them."""
    page: Page[Any] = world.providers[channel].statements[file]
    told = rows.of_day(world, channel, file, merchant, day)
    if fault is None or not told:
        return told
    place = next((at for at, row in enumerate(told) if page.seen(row).kind == "payment"), 0)
    first = page.seen(told[place])
    if fault.kind == "mixed_days":
        stray = page.change(told[place], {"moved_at": first.moved_at - 86_400, "key": f"{first.key[:-1]}0"})
        return [stray, *told]
    if fault.kind == "corrected":
        wrong = page.change(told[place], {"amount": first.amount + fault.dice().randint(1, 500)})
        return [*told[:place], wrong, *told[place + 1 :]]
    return told


def inside(fault: Fault | None, text: bytes) -> bytes:
    """The file as text, spoiled before it is packed and hashed."""
    return plain(fault, text) if fault is not None and fault.asked.get("deep") else text


def plain(fault: Fault | None, text: bytes) -> bytes:
    """A file that nobody packs or hashes: only what is in it can tell."""
    if fault is None:
        return text
    if fault.kind == "truncated":
        return _cut(text)
    if fault.kind == "damaged":
        # the largest is a sum of the others
        found = max(
            _AMOUNT.finditer(text), key=lambda one: float(one.group().replace(b",", b".")), default=None
        )
        if found:
            place = found.end() - 1
            return text[:place] + bytes([ord("0") + (text[place] - ord("0") + 1) % 10]) + text[place + 1 :]
    return text


def outside(fault: Fault | None, content: bytes) -> bytes:
    """The packed file, spoiled on its way."""
    if fault is None or fault.asked.get("deep"):
        return content
    if fault.kind == "truncated":
        return _cut(content)
    if fault.kind == "damaged":
        place = _middle(content)
        return content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :]
    if fault.kind == "zip_bomb":
        return bomb(content)
    if fault.kind == "path_traversal":
        return traversing(content)
    return content


def stranger(fault: Fault | None, name: str) -> str:
    """The account that the file names: another of the same form, when that is the fault."""
    if fault is None or fault.kind != "other_merchant":
        return name
    dice = fault.dice()
    return name[:2] + "".join(_other(mark, dice) for mark in name[2:])


def hashed(fault: Fault | None, digest: str) -> str:
    return digest[::-1] if fault is not None and fault.kind == "wrong_hash" else digest


def bomb(content: bytes) -> bytes:
    """The zip as it would be with 600 megabytes in its first member, and a few of them on the wire."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        first = archive.infolist()[0].filename
    name, (packed, check) = first.encode("cp437"), _zeros()
    sums = (check, len(packed), _BOMB_BYTES, len(name))
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 33, *sums, 0) + name + packed
    listed = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 33, *sums, *(0,) * 6) + name
    return local + listed + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(listed), len(local), 0)


def gzip_bomb() -> bytes:
    """As much, behind gzip."""
    packed, check = _zeros()
    return gzip.compress(b"", mtime=0)[:10] + packed + struct.pack("<2L", check, _BOMB_BYTES)


@cache
def _zeros() -> tuple[bytes, int]:
    """600 megabytes of nothing, deflated (each megabyte is the same block), and their check sum."""
    deflating = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    block = deflating.compress(_MEGABYTE) + deflating.flush(zlib.Z_FULL_FLUSH)
    check = 0
    for _ in range(_BOMB_BYTES // len(_MEGABYTE)):
        check = zlib.crc32(_MEGABYTE, check)
    return block * (_BOMB_BYTES // len(_MEGABYTE)) + deflating.flush(), check


def traversing(content: bytes) -> bytes:
    """The same zip with one more member, whose name leads out of the folder."""
    packed = io.BytesIO(content)
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../../../tmp/bill.csv", "out of here")
    return packed.getvalue()


def _middle(content: bytes) -> int:
    """Of a zip, in what its largest file is packed into: a byte elsewhere may change nothing that is read."""
    if not content.startswith(b"PK"):
        return len(content) // 2
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        largest = max(archive.infolist(), key=lambda member: member.compress_size)
    names = sum(struct.unpack_from("<HH", content, largest.header_offset + 26))
    return int(largest.header_offset + 30 + names + largest.compress_size // 2)


def _cut(content: bytes) -> bytes:
    """Two thirds of it, not at the end of a line."""
    end = len(content) * 2 // 3
    while content[end - 1 : end] in (b"\r", b"\n") and end > 1:
        end -= 1
    return content[: max(end - 1, 1)]


def _other(mark: str, dice: Random) -> str:
    return str((int(mark) + dice.randint(1, 9)) % 10) if mark.isdigit() else mark
