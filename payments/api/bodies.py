"""Bodies of requests and answers, by serializers that are put together once a thread: to copy all their fields anew
takes longer than to read a request."""

import threading
from collections.abc import Mapping
from typing import Any

from rest_framework.serializers import Serializer

_local = threading.local()


def read(kind: type[Serializer[Any]], data: Any) -> dict[str, Any]:
    """What `data` says, as `kind` reads it. Raises ValidationError, and what its fields raise."""
    return dict(_of(kind).run_validation(data))


def written(kind: type[Serializer[Any]], view: Any, context: Mapping[str, Any]) -> dict[str, Any]:
    """The body that `kind` makes of `view`."""
    writer = _of(kind)
    writer._context = dict(context)
    return dict(writer.to_representation(view))


def _of(kind: type[Serializer[Any]]) -> Serializer[Any]:
    kept: dict[type[Serializer[Any]], Serializer[Any]] = _local.__dict__.setdefault("kept", {})
    if kind not in kept:
        kept[kind] = kind()
    return kept[kind]
