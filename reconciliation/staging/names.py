"""Names that a file may have more than once, told while it is read, in memory that does not grow with it."""

from typing import Final

import numpy as np
import numpy.typing as npt

# 2 of 2^28 bits for each name, 32 MiB: of 5,000,000 names 2,000 are told without need, of 20,000,000 140,000.
_BITS: Final = 28
_PLACE: Final = np.uint64((1 << _BITS) - 1)
_REST: Final = np.uint64(64 - _BITS)
_FOLD: Final = np.uint64(29)
_ODD_ONE: Final = np.uint64(0x9E3779B97F4A7C15)
_ODD_OTHER: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_ROW: Final = np.dtype(
    {"names": ["high", "low"], "formats": ["u8", "u8"], "offsets": [4, 12], "itemsize": 20}
)


class Names:
    """Of two that are the same the second is always told; now and then one is that only looks like one before it."""

    def __init__(self) -> None:
        self._bits = np.zeros(1 << (_BITS - 3), np.uint8)
        self._again: list[bytes] = []

    def note(self, keys: bytes) -> None:
        """Of each name its key: the last 16 of 20 bytes."""
        rows = np.frombuffer(keys, _ROW)
        hashes = _hashes(rows)
        places = np.concatenate((hashes >> _REST, hashes & _PLACE)).astype(np.intp)
        octets, bits = places >> 3, np.left_shift(1, places & 7).astype(np.uint8)
        known = ((self._bits[octets] & bits) != 0).reshape(2, -1).all(axis=0)
        np.bitwise_or.at(self._bits, octets, bits)
        ordered = np.sort(hashes)
        same = ordered[1:][ordered[1:] == ordered[:-1]]
        if same.size:
            known |= np.isin(hashes, same)
        self._again += [keys[20 * place + 4 : 20 * place + 20] for place in np.flatnonzero(known)]

    def taken(self) -> list[bytes]:
        """The keys that came again since this was last asked."""
        again, self._again = self._again, []
        return again


def _hashes(rows: npt.NDArray[np.void]) -> npt.NDArray[np.uint64]:
    hashes: npt.NDArray[np.uint64] = rows["high"] * _ODD_ONE
    hashes ^= hashes >> _FOLD
    hashes ^= rows["low"]
    hashes *= _ODD_OTHER
    hashes ^= hashes >> _FOLD
    hashes *= _ODD_ONE
    return hashes
