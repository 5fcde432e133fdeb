"""Files as they come: plain, in gzip, or in a zip; told by content, never by name. Pure.

An archive from outside may be a bomb or name places that are not its own. Nothing is ever written to disk under a
name that an archive gives, and a zip's list is measured before it is read.
"""

import io
import stat
import struct
import zlib
from collections.abc import Sequence
from typing import BinaryIO, Final, NamedTuple, Protocol
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from reconciliation.errors import StatementDamaged, StatementTooLarge, StatementUnsafeArchive

LARGEST: Final = 4 * 1024**3
# Text of repeated columns packs to about a fifteenth; a small file may do better by chance.
_STEEPEST: Final = 200
_ALWAYS_ALLOWED: Final = 16 * 1024**2
_GZIP: Final = b"\x1f\x8b"
_GZIP_ONLY: Final = 16 + zlib.MAX_WBITS
_STEP: Final = 1 << 16
_ZIP: Final = b"PK"
_END_OF_LIST: Final = b"PK\x05\x06"
_LARGE_ZIP: Final = b"PK\x06\x07"
_END_SIZE: Final = 22
_LONGEST_COMMENT: Final = 65_535
_LONGEST_LIST: Final = 64 * 1024
_ENCRYPTED: Final = 0x1
_UTF8_NAME: Final = 0x800
_BROKEN: Final = (
    BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    NotImplementedError,
)


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Content:
    """The bytes of one file, unpacked while they are read. Refuses what grows too large."""

    def __init__(self, source: Readable, *, packed: int) -> None:
        self._source = source
        self._left = LARGEST if not packed else min(LARGEST, max(_ALWAYS_ALLOWED, packed * _STEEPEST))

    def read(self, size: int) -> bytes:
        try:
            found = self._source.read(size)
        except _BROKEN as problem:
            raise StatementDamaged("The file can not be unpacked to its end: fetch it again.") from problem
        self._left -= len(found)
        if self._left < 0:
            raise StatementTooLarge(
                "The file unpacks to more than any statement: do not open it; ask its sender."
            )
        return found


class _Gunzipped:
    """What `gzip.GzipFile` reads, in large steps: that one takes small ones, and twice as long."""

    def __init__(self, packed: Readable) -> None:
        self._packed = packed
        self._rest = b""
        self._member = zlib.decompressobj(wbits=_GZIP_ONLY)
        self._is_inside = True

    def read(self, size: int, /) -> bytes:
        pieces: list[bytes] = []
        while size > 0 and (self._is_inside or self._begin_next()):
            packed = self._rest or self._packed.read(_STEP)
            piece = self._member.decompress(packed, size)
            if not (packed or piece or self._member.eof):
                raise EOFError
            self._rest = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            self._is_inside = not self._member.eof
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def _begin_next(self) -> bool:
        """Whether there is more than zeros behind a member that has ended."""
        while not (rest := self._rest.lstrip(b"\0")):
            self._rest = self._packed.read(_STEP)
            if not self._rest:
                return False
        self._rest, self._is_inside = rest, True
        self._member = zlib.decompressobj(wbits=_GZIP_ONLY)
        return True


class Member(NamedTuple):
    """`name` is "" for what lies in no zip."""

    name: str
    content: Content


def single(stream: BinaryIO) -> Content:
    """The only file that there is."""
    [member] = members(stream, most=1)
    return member.content


def members(stream: BinaryIO, *, most: int) -> Sequence[Member]:
    """The files of a zip, or the one that it is. Names that are not UTF-8 are read as GBK."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    head = stream.read(4)
    stream.seek(0)
    if not head:
        raise StatementDamaged("The file is empty: a day without movements has no file.")
    if head.startswith(_GZIP):
        return [Member("", _plain(Content(_Gunzipped(stream), packed=size)))]
    if head.startswith(_ZIP):
        return _unzipped(stream, size, most)
    return [Member("", Content(stream, packed=0))]


def first_text(head: bytes) -> str:
    """What the first bytes of a file say: the start of its text, behind the names in its zip. Never raises."""
    names = ""
    if head.startswith(_ZIP):
        names, head = _first_member(head)
    if head.startswith(_GZIP):
        unpacking = zlib.decompressobj(wbits=_GZIP_ONLY)
        try:
            head = unpacking.decompress(head, 64 * 1024)
        except zlib.error:
            return names
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        whole = problem.start > len(head) - 4  # only the last character is cut
        text = head[: problem.start].decode("utf-8-sig") if whole else head.decode("gb18030", "replace")
    return f"{names}\n{text}" if names else text


def _first_member(head: bytes) -> tuple[str, bytes]:
    """Name and first bytes of the first file in a zip."""
    if len(head) < 30:
        return "", b""
    flags, method = struct.unpack_from("<HH", head, 6)
    name_size, extra_size = struct.unpack_from("<HH", head, 26)
    name = head[30 : 30 + name_size].decode("utf-8" if flags & _UTF8_NAME else "gb18030", "replace")
    content = head[30 + name_size + extra_size :]
    if method == ZIP_DEFLATED:
        try:
            content = zlib.decompressobj(wbits=-zlib.MAX_WBITS).decompress(content, 64 * 1024)
        except zlib.error:
            content = b""
    return name, content


class _Refilled:
    """What was looked at and what follows it, as one stream."""

    def __init__(self, seen: bytes, rest: Content) -> None:
        self._seen, self._rest = seen, rest

    def read(self, size: int, /) -> bytes:
        found, self._seen = self._seen[:size], self._seen[size:]
        return found or self._rest.read(size)


def _plain(content: Content) -> Content:
    """Refuses an archive inside an archive."""
    head = content.read(4)
    if head.startswith((_GZIP, _ZIP)):
        raise StatementUnsafeArchive(
            "There is an archive inside the archive: unpack the outer one, then import again."
        )
    return Content(_Refilled(head, content), packed=0)


def _unzipped(stream: BinaryIO, size: int, most: int) -> Sequence[Member]:
    _measure(stream, size)
    try:
        archive = ZipFile(stream)
        listed = [one for one in archive.infolist() if not one.is_dir()]
        _inspect(archive.infolist(), len(listed), most)
        if sum(one.file_size for one in listed) > LARGEST:
            raise StatementTooLarge("The archive unpacks to more than any statement: do not open it.")
        return [
            Member(_name(one), _plain(Content(archive.open(one), packed=max(one.compress_size, 1))))
            for one in listed
        ]
    except _BROKEN as problem:
        raise StatementDamaged("The zip is damaged or cut off: fetch it again.") from problem


def _measure(stream: BinaryIO, size: int) -> None:
    """A zip's list of members is read whole by the library, so its size is looked at before."""
    stream.seek(max(0, size - _END_SIZE - _LONGEST_COMMENT))
    tail = stream.read()
    at = tail.rfind(_END_OF_LIST)
    if at < 0 or len(tail) < at + _END_SIZE:
        raise StatementDamaged("The zip is cut off: fetch it again.")
    [list_size] = struct.unpack_from("<I", tail, at + 12)
    if list_size > _LONGEST_LIST or _LARGE_ZIP in tail[max(0, at - 20) : at]:
        raise StatementUnsafeArchive("The archive lists more files than a statement has: do not open it.")
    stream.seek(0)


def _inspect(listed: Sequence[ZipInfo], files: int, most: int) -> None:
    if not files:
        raise StatementDamaged("The archive is empty: fetch it again.")
    if files > most:
        raise StatementUnsafeArchive(
            f"The archive has {files} files, a statement of this kind {most} at most."
        )
    if len({one.filename for one in listed}) != len(listed):
        raise StatementUnsafeArchive("Two files in the archive have one name.")
    for one in listed:
        name = _name(one)
        if not _is_harmless(name) or stat.S_ISLNK(one.external_attr >> 16):
            raise StatementUnsafeArchive(f"The archive holds {name[:80]!r}, which points outside of it.")
        if one.flag_bits & _ENCRYPTED:
            raise StatementUnsafeArchive(
                "The archive is encrypted: unpack it first, then import what is inside."
            )
        if one.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise StatementUnsafeArchive("The archive is packed in a way that no statement is.")


def _is_harmless(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return ".." not in parts and parts[0] != "" and ":" not in parts[0] and name.isprintable()


def _name(member: ZipInfo) -> str:
    if member.flag_bits & _UTF8_NAME:
        return member.filename
    try:
        return member.orig_filename.encode("cp437").decode("gb18030")
    except UnicodeError:
        return member.filename
