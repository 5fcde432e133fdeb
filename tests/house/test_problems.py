"""Whatever goes wrong in the API is told as a problem: code, param, and what to do."""

import json
from typing import Any, ClassVar

import pytest
from django.core.signals import got_request_exception
from django.db import OperationalError
from django.test import Client, override_settings
from django.urls import path
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.urls import handler400, handler403, handler404, handler500  # noqa: F401 (Django looks for them here)
from config.urls import urlpatterns as all_patterns
from ledger.errors import Refusal

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


class OutOfPlanks(Refusal):
    """There are fewer planks than were asked for."""

    code = "out_of_planks"
    status = 409


class Item(serializers.Serializer[Any]):
    quantity = serializers.IntegerField(max_value=10)


class Cart(serializers.Serializer[Any]):
    items = Item(many=True)
    email = serializers.EmailField()


class Failing(APIView):
    errors: ClassVar[dict[str, Exception]] = {
        "refusal": OutOfPlanks(
            "Only 2 are left.", param="items[0].quantity", left=2, retry_after=7, status=1
        ),
        "outage": OperationalError("could not connect to secret-host"),
        "bug": ZeroDivisionError("secret words"),
        "throttled": exceptions.Throttled(wait=3),
        "forbidden": exceptions.PermissionDenied("CSRF Failed: no token"),
    }

    def get(self, request: Request, kind: str) -> Response:
        raise self.errors[kind]

    def post(self, request: Request, kind: str) -> Response:
        Cart(data=request.data).is_valid(raise_exception=True)
        return Response({})


urlpatterns = [path("api/v1/fail/<str:kind>", Failing.as_view()), *all_patterns]


def told(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = json.loads(response.content)
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["type"] == f"http://testserver/docs/errors#{code}"
    assert problem["title"]
    assert problem["detail"]
    return problem


def test_a_refusal_keeps_its_code_its_param_and_its_context(client: Client) -> None:
    response = client.get("/api/v1/fail/refusal")
    problem = told(response, 409, "out_of_planks")
    assert (problem["detail"], problem["param"]) == ("Only 2 are left.", "items[0].quantity")
    assert (problem["left"], response.headers["Retry-After"]) == (2, "7")


def test_invalid_input_names_the_path_of_every_field(client: Client) -> None:
    body = {"items": [{"quantity": 1}, {"quantity": 99}], "email": "x"}
    response = client.post("/api/v1/fail/x", json.dumps(body), "application/json")
    problem = told(response, 400, "invalid")
    assert problem["param"] == "items[1].quantity"
    assert [error["param"] for error in problem["errors"]] == ["items[1].quantity", "email"]


@pytest.mark.parametrize(
    ("method", "address", "content_type", "status", "code"),
    [
        ("post", "/api/v1/fail/x", "application/json", 400, "body_malformed"),
        ("post", "/api/v1/fail/x", "text/plain", 415, "unsupported_media_type"),
        ("delete", "/api/v1/fail/x", "application/json", 405, "method_not_allowed"),
        ("get", "/api/v1/nowhere", "", 404, "not_found"),
        ("get", "/api/v1/fail/throttled", "", 429, "rate_limited"),
        ("get", "/api/v1/fail/forbidden", "", 403, "csrf_failed"),
        ("get", "/api/v1/fail/outage", "", 503, "unavailable"),
    ],
)
def test_errors_of_the_framework_are_problems_too(
    client: Client, method: str, address: str, content_type: str, status: int, code: str
) -> None:
    arguments = {"data": "{not json", "content_type": content_type} if method == "post" else {}
    response = getattr(client, method)(address, **arguments)
    told(response, status, code)
    assert b"secret" not in response.content


def test_a_bug_is_noted_and_not_leaked() -> None:
    noted: list[Any] = []
    got_request_exception.connect(note := lambda **told: noted.append(told["request"]), weak=False)
    try:
        response = Client(raise_request_exception=False).get("/api/v1/fail/bug")
    finally:
        got_request_exception.disconnect(note)
    told(response, 500, "internal_error")
    assert b"secret" not in response.content
    assert len(noted) == 1


@override_settings(ALLOWED_HOSTS=["elsewhere"])
def test_a_foreign_host_is_a_problem(client: Client) -> None:
    told(client.get("/api/v1/fail/x"), 400, "bad_request")


def test_every_code_has_its_entry_in_the_catalogue_of_errors(client: Client) -> None:
    page = client.get("/docs/errors").content.decode()
    assert 'id="out_of_planks"' in page
    assert "There are fewer planks than were asked for." in page
