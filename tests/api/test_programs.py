"""Programs with a key pass by what only browsers need, and by nothing else."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware
from django.urls import URLPattern, URLResolver, get_resolver
from structlog.testing import capture_logs

from checkout.api.urls import urlpatterns
from config.middleware import RequestLogMiddleware
from payments.api.authentication import ApiKeyAuthentication
from tests.api.conftest import Caller, program, signed_in

pytestmark = pytest.mark.django_db

HEADERS = {
    "Content-Type": "application/json",
    "Allow": "GET, POST, HEAD, OPTIONS",
    "Cache-Control": "no-store",
    "RateLimit-Limit": str(settings.API_REQUESTS_PER_MINUTE),
    "X-Frame-Options": "SAMEORIGIN",
    "Vary": "Accept-Language",
    "Content-Language": "en",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_EACH_ITS_OWN = {"X-Request-ID", "RateLimit-Remaining", "RateLimit-Reset", "Content-Length"}


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often a session was made."""
    made = {"sessions": 0}
    plain = SessionMiddleware.process_request

    def noting(self: Any, request: Any) -> None:
        made["sessions"] += 1
        plain(self, request)

    monkeypatch.setattr(SessionMiddleware, "process_request", noting)
    return made


def test_a_program_is_answered_with_all_that_every_answer_carries(shop: None) -> None:
    answer = program("orders:read").get("orders")
    assert answer.status == 200
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert set(answer.headers) == set(HEADERS) | _EACH_ITS_OWN
    assert not answer.headers.get("Set-Cookie")


def test_so_is_one_that_is_refused(shop: None) -> None:
    wrong = Caller(program().http, {"Authorization": "Bearer sk_test_" + "x" * 32})
    for answer in (wrong.get("orders"), program().get("nowhere"), program("orders:read").post("orders")):
        assert answer.code in ("api_key_invalid", "not_found", "scope_missing")
        for name in ("X-Request-ID", "X-Frame-Options", "Content-Security-Policy", "X-Content-Type-Options"):
            assert answer.headers[name], (answer.code, name)


def test_the_language_is_the_programs_own(shop: None) -> None:
    answer = program().get("catalogue", **{"Accept-Language": "zh-hans"})
    assert answer.headers["Content-Language"] == "zh-hans" and answer.body["data"][1]["title"] == "茶"


def test_a_program_has_no_session_and_a_browser_has(
    customer: Caller, merchant: Caller, counted: dict[str, int]
) -> None:
    assert merchant.get("orders").status == 200 and counted["sessions"] == 0
    assert customer.get("orders").status == 200 and counted["sessions"] == 1


def test_beside_a_key_no_session_counts(customer: Caller) -> None:
    """Neither does a right key see what is the customer's, nor does a wrong one fall back on who is signed in."""
    mine = customer.order().body["id"]
    reading = Caller(customer.http, program("orders:read").headers)
    assert reading.get(f"orders/{mine}").status == 200
    other = Caller(customer.http, program("webhooks:read").headers)
    assert other.get(f"orders/{mine}").code == "scope_missing"
    for said in ("Bearer sk_test_" + "x" * 32, "Bearer nothing", "Basic bWVpOng=", " "):
        refused = Caller(customer.http, {"Authorization": said}).get(f"orders/{mine}")
        assert refused.code in ("api_key_invalid", "api_key_malformed")
    assert customer.get(f"orders/{mine}").status == 200


def test_a_browsers_own_request_still_needs_the_forms_token(shop: None) -> None:
    bare = signed_in("li")
    refused = Caller(bare.http).post("checkout/preview", {"items": []})
    assert (refused.status, refused.code) == (403, "csrf_failed")
    assert (
        Caller(bare.http, {"Authorization": ""}).post("checkout/preview", {"items": []}).code == "csrf_failed"
    )
    assert bare.post("checkout/preview", {"items": []}).code != "csrf_failed"


@pytest.mark.parametrize("path", ["account/", "console/", "api/docs/", "api/v2/orders", ""])
def test_pages_stay_pages_whatever_header_comes_with_them(
    shop: None, path: str, counted: dict[str, int]
) -> None:
    program().http.get(f"/{path}", headers={"Authorization": "Bearer x"})
    assert counted["sessions"] == 1


def test_an_unknown_host_is_refused(merchant: Caller) -> None:
    answer = merchant.get("orders", Host="evil.example")
    assert (answer.status, answer.code) == (400, "bad_request")


def test_a_request_is_one_line_of_log_that_names_it(merchant: Caller, caplog: Any) -> None:
    with caplog.at_level(logging.INFO):
        answer = merchant.get("orders", **{"X-Forwarded-For": "203.0.113.9"})
    (line,) = [record.msg for record in caplog.records if record.name == "config.middleware"]
    told = {name: line[name] for name in ("event", "code", "request", "ip", "user_id", "request_id", "level")}
    assert told == {
        "event": "request_finished",
        "code": 200,
        "request": "GET /api/v1/orders",
        "ip": "203.0.113.9",
        "user_id": None,
        "request_id": answer.headers["X-Request-ID"],
        "level": "info",
    }


def test_who_wants_to_know_is_told_that_a_request_began(merchant: Caller, caplog: Any) -> None:
    with caplog.at_level(logging.DEBUG, logger=RequestLogMiddleware.__module__), capture_logs() as lines:
        merchant.get("orders", **{"User-Agent": "till/1"})
    began = [line for line in lines if line["event"] == "request_started"]
    assert [line["user_agent"] for line in began] == ["till/1"]


def test_every_view_of_the_api_asks_for_the_key_first() -> None:
    """What lets a program's request pass by sessions rests on this."""
    views = list(_views(get_resolver("checkout.api.urls").url_patterns))
    assert len(views) == len(urlpatterns)
    for view in views:
        assert view.view_class.authentication_classes[0] is ApiKeyAuthentication, view


def _views(patterns: list[URLPattern | URLResolver]) -> Iterator[Any]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _views(pattern.url_patterns)
        else:
            yield pattern.callback


@pytest.mark.parametrize(
    ("accept", "path", "status", "begins"),
    [
        ("*/*", "catalogue", 200, b'{"next'),
        ("application/json", "catalogue", 200, b'{"next'),
        ("application/json; indent=2", "catalogue", 200, b'{\n  "next'),
        ("text/html, */*;q=0.1", "catalogue", 200, b'{"next'),
        ("text/html", "catalogue", 406, b"{"),
        ("*/*", "catalogue?format=json", 200, b'{"next'),
        ("*/*", "catalogue?format=xml", 404, b"{"),
    ],
)
def test_json_is_all_there_is(merchant: Caller, accept: str, path: str, status: int, begins: bytes) -> None:
    answer = merchant.get(path, Accept=accept)
    assert answer.status == status and answer.raw.startswith(begins), answer.raw
