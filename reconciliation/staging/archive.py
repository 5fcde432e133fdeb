"""The bytes of a statement: kept as they came, in pieces, and read again from there."""

import hashlib
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Final

from django.db import connection

from reconciliation.models import StatementChunk, StatementFile
from reconciliation.staging.encoding import HEADER, TRAILER

_PIECE = 1024 * 1024
# As a value in a statement, a piece would be written out in hexadecimal.
_COPY: Final = "COPY reconciliation_statementchunk (file_id, number, content) FROM STDIN (FORMAT binary)"
_ROW: Final = struct.Struct(">h i16s ii i")


def digest(content: BinaryIO) -> tuple[str, int]:
    """SHA-256 and size of a seekable stream, which is at its beginning again afterwards."""
    known, size = hashlib.sha256(), 0
    while piece := content.read(_PIECE):
        known.update(piece)
        size += len(piece)
    content.seek(0)
    return known.hexdigest(), size


def keep(file: StatementFile, content: BinaryIO) -> None:
    """This will write the whole stream beside the file, unchanged."""
    number = 0
    with connection.cursor() as cursor:
        told: Any = cursor
        with told.copy(_COPY) as copy:
            copy.write(HEADER)
            while piece := content.read(_PIECE):
                copy.write(_ROW.pack(3, 16, file.pk.bytes, 4, number, len(piece)) + piece)
                number += 1
            copy.write(TRAILER)


@contextmanager
def opened(file: StatementFile) -> Iterator[BinaryIO]:
    """The archive as a seekable stream: on disk, for while it is read the connection is busy with what comes of it."""
    with tempfile.TemporaryFile() as stream:
        pieces = StatementChunk.objects.filter(file=file).order_by("number")
        for number in range(pieces.count()):
            stream.write(pieces.get(number=number).content)
        stream.seek(0)
        yield stream
