"""What every view of the API does: read strictly, count the requests, let no answer be cached."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.http import HttpRequest
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from checkout.api import rate_limits
from checkout.api.headers import Headers
from checkout.api.incoming import ApiRequest
from checkout.api.parsers import StrictJSONParser, refuse_card_numbers
from checkout.api.refusals import RateLimited
from checkout.api.serializers.answers import Answer
from payments.api import bodies
from payments.api.idempotency import HEADER
from payments.api.permissions import RequiresScope, Scope

_JSON = JSONRenderer()
_TAKES_JSON = frozenset({"*/*", _JSON.media_type})


class ApiView(APIView):
    """`scopes` names what an API key needs, by method."""

    parser_classes = [StrictJSONParser]
    permission_classes = [RequiresScope]
    scopes: ClassVar[Mapping[str, Scope]] = {}
    standing: rate_limits.Standing | None = None

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> ApiRequest:
        return ApiRequest(
            request,
            parsers=self.get_parsers(),
            authenticators=self.get_authenticators(),
            negotiator=self.get_content_negotiator(),
            parser_context=self.get_parser_context(request),
        )

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.standing = rate_limits.count(request)
        if self.standing and self.standing.exceeded:
            wait = self.standing.resets_in
            raise RateLimited(f"Too many requests. Go on in {wait} seconds.", retry_after=wait)
        refuse_card_numbers(request.META.get("HTTP_IDEMPOTENCY_KEY", ""), param=HEADER)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[BaseRenderer, str]:
        """There is JSON and nothing else: who asks for no more than that need not be negotiated with."""
        if request.META.get("HTTP_ACCEPT", "*/*") in _TAKES_JSON and "format" not in request.META.get(
            "QUERY_STRING", ""
        ):
            return _JSON, _JSON.media_type
        return super().perform_content_negotiation(request, force)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response.headers = Headers(response.headers)
        finished = super().finalize_response(request, response, *args, **kwargs)
        finished["Cache-Control"] = "no-store"
        for name, value in self.standing.headers().items() if self.standing else ():
            finished[name] = value
        return finished

    def read(self, serializer: type[Serializer[Any]], request: Request) -> dict[str, Any]:
        return bodies.read(serializer, request.data)

    def answer(self, serializer: type[Answer], view: Any, *, status: int = 200, **more: Any) -> Response:
        data = bodies.written(serializer, view, {"locale": self.request.LANGUAGE_CODE})
        return Response({**data, **more}, status=status)
