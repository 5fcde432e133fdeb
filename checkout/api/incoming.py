"""A request as views see it."""

from typing import Any

from django.http import HttpRequest
from rest_framework.request import Request

from checkout.api.parsers import StrictJSONParser


class ApiRequest(Request):
    """What is asked of it again and again is its own; of all else the framework looks in Django's request."""

    def __init__(self, request: HttpRequest, **more: Any) -> None:
        super().__init__(request, **more)
        self.META, self.method = request.META, request.method

    def _parse(self) -> tuple[Any, Any]:
        """Most often there is one kind of body: who says that it is that need not be compared with others."""
        takes = [type(parser) for parser in self.parsers or ()]
        told = self.META.get("CONTENT_TYPE") == StrictJSONParser.media_type
        sent = takes == [StrictJSONParser] and told and self.stream
        if not sent:
            return super()._parse()  # type: ignore[misc, no-any-return]
        try:
            return StrictJSONParser().parse(sent), {}
        except Exception:
            nothing: dict[str, Any] = {}
            self._data = self._full_data = self._files = nothing  # so that nobody reads it once more
            raise
