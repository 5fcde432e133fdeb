"""A small shop behind the API, callers of each kind, and a look at everything that could have moved."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

from checkout.models import Sku, Stock
from payments.channels import registry
from payments.models.api_key import Scope
from payments.services.issue_api_key import issue_api_key
from tests.api import provider

ADDRESS = {
    "name": "Mei Lin",
    "phone": "+86 138 0013 8000",
    "country": "CN",
    "region": "Shanghai",
    "city": "Shanghai",
    "line1": "88 Century Avenue",
    "postal_code": "200120",
}
NEW = object()  # a key that was never used


@dataclass(slots=True)
class Answer:
    status: int
    body: Any
    headers: Any
    raw: bytes

    @property
    def code(self) -> str:
        """The stable code of a problem, which is one in every way."""
        assert self.headers["Content-Type"] == "application/problem+json", self.raw
        assert self.body["status"] == self.status
        assert self.body["type"] and self.body["title"] and self.body["detail"]
        return str(self.body["code"])


@dataclass(slots=True)
class Caller:
    """Somebody with HTTP: a guest, a signed-in customer or an API key."""

    http: Client
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> Answer:
        return self._read(self.http.get(f"/api/v1/{path}", headers={**self.headers, **headers}))

    def post(
        self, path: str, body: Any = None, *, key: Any = NEW, raw: bytes | None = None, **more: str
    ) -> Answer:
        sent = json.dumps({} if body is None else body).encode() if raw is None else raw
        headers = {**self.headers, **more}
        if key is not None:
            headers["Idempotency-Key"] = str(uuid4()) if key is NEW else key
        return self._read(
            self.http.post(f"/api/v1/{path}", sent, content_type="application/json", headers=headers)
        )

    def holding(self, order: Answer) -> "Caller":
        """The same guest, with the token of this order."""
        return Caller(self.http, {**self.headers, "Order-Token": order.body["order_token"]})

    def patch(self, path: str, body: Any) -> Answer:
        sent = json.dumps(body).encode()
        headers = self.headers
        return self._read(
            self.http.patch(f"/api/v1/{path}", sent, content_type="application/json", headers=headers)
        )

    def delete(self, path: str) -> Answer:
        return self._read(self.http.delete(f"/api/v1/{path}", headers=self.headers))

    def quote(self, quantity: int = 1, sku: str = "tea", region: str = "CN") -> str:
        asked = {"items": [{"sku": sku, "quantity": quantity}], "region": region}
        answer = self.post("checkout/preview", asked, key=None)
        assert answer.status == 200, answer.raw
        return str(answer.body["quote"])

    def wish(self, quantity: int = 1, sku: str = "tea", **changes: Any) -> dict[str, Any]:
        """The body of an order that would be accepted, but for `changes`."""
        wanted = {
            "items": [{"sku": sku, "quantity": quantity}],
            "address": ADDRESS,
            "email": "mei@example.com",
            **changes,
        }
        return wanted if "quote" in wanted else {**wanted, "quote": self.quote(quantity, sku)}

    def order(self, quantity: int = 1) -> Answer:
        answer = self.post("orders", self.wish(quantity))
        assert answer.status == 201, answer.raw
        return answer

    def pay(self, order: Answer, method: str = "card", instrument: str = provider.CARD) -> Answer:
        body = {"order": order.body["id"], "method": method}
        return self.post("payments", {**body, "instrument": instrument} if method == "card" else body)

    def _read(self, response: Any) -> Answer:
        is_json = "json" in response.headers.get("Content-Type", "")
        body = json.loads(response.content) if is_json else None
        return Answer(response.status_code, body, response.headers, response.content)


def rows() -> dict[str, int]:
    """How many rows every table of ours has, but for those that note what was asked and who asked."""
    ours = ("checkout", "payments", "risk", "ledger", "reconciliation")
    models = [model for model in apps.get_models() if model._meta.app_label in ours]
    counts = ", ".join(f'(SELECT count(*) FROM "{model._meta.db_table}")' for model in models)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {counts}")
        counted = dict(zip((model._meta.label for model in models), cursor.fetchone(), strict=True))
    counted.pop("payments.IdempotencyKey")
    return counted


def moved() -> dict[str, Any]:
    """Everything that a request could move: rows, stock, and calls to the provider."""
    stock = list(Stock.objects.order_by("pk").values_list("total", "reserved"))
    return {"rows": rows(), "stock": stock, "calls": len(provider.calls)}


@pytest.fixture
def shop(db: None, settings: Any) -> Iterator[None]:
    """Two articles, one of them scarce; payments go to the provider of this folder."""
    for code, price, total in (("tea", 10_000, 100), ("rare", 500_000, 1)):
        sku = Sku.objects.create(code=code, title_zh="茶", title_en=code.title(), price=price)
        Stock.objects.create(sku=sku, total=total)
    settings.CHANNELS = dict.fromkeys(("stripe", "alipay", "wechat"), "tests.api.provider.build")
    settings.STRIPE = {"secret_key": "set"}
    settings.ALIPAY = {"app_id": "set"}
    settings.WECHAT = {"mchid": "set"}
    registry.channel.cache_clear()
    provider.calls.clear()
    provider.may_answer.set()
    yield
    registry.channel.cache_clear()


@pytest.fixture
def guest(shop: None) -> Caller:
    return Caller(Client())


def signed_in(name: str) -> Caller:
    user = get_user_model().objects.create_user(name, f"{name}@example.com", "x")
    http = Client(enforce_csrf_checks=True)
    http.force_login(user)
    http.cookies["csrftoken"] = "c" * 32
    return Caller(http, {"X-CSRFToken": "c" * 32})


@pytest.fixture
def customer(shop: None) -> Caller:
    return signed_in("mei")


@pytest.fixture
def stranger(shop: None) -> Caller:
    return signed_in("wang")


def program(*scopes: str) -> Caller:
    issued = issue_api_key(name="test", scopes=scopes or tuple(Scope), actor="test")
    return Caller(Client(enforce_csrf_checks=True), {"Authorization": f"Bearer {issued.secret}"})


@pytest.fixture
def merchant(shop: None) -> Caller:
    return program()
