"""Headers of answers: most are those of every answer, and need no second look at what they say."""

from collections.abc import ItemsView
from functools import lru_cache
from typing import Any

from django.http.response import ResponseHeaders


class Headers(ResponseHeaders):
    """As Django's, which looks at name and value whenever one is set, and for each name when all are read."""

    def __setitem__(self, key: str, value: Any) -> None:
        name, told = _looked_at(key, value)
        self._store[name] = told

    def items(self) -> ItemsView[str, str]:
        return self._store.values()  # type: ignore[return-value]  # pairs, of the names as they are written


@lru_cache(maxsize=1024, typed=True)
def _looked_at(key: str, value: Any) -> tuple[str, tuple[str, str]]:
    headers = ResponseHeaders({})
    headers[key] = value
    looked_at: tuple[str, tuple[str, str]] = headers._store.popitem()
    return looked_at
