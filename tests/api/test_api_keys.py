"""Keys of programs: which are recognised, how long, and when they were used last."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from payments.models.api_key import LAST_USED_RESOLUTION, ApiKey, Scope
from payments.services.issue_api_key import issue_api_key
from payments.services.revoke_api_key import revoke_api_key
from tests.api.conftest import Answer, Caller

pytestmark = pytest.mark.django_db(transaction=True)


def _listed(secret: str) -> Answer:
    return Caller(Client(), {"Authorization": f"Bearer {secret}"}).get("orders")


def test_a_revoked_key_is_refused_from_the_next_request_on() -> None:
    issued = issue_api_key(name="till", scopes=[Scope.ORDERS_READ], actor="test")
    assert _listed(issued.secret).status == 200
    revoke_api_key(key=ApiKey.objects.get().public_id, actor="test", reason="it was in a log")
    answer = _listed(issued.secret)
    assert (answer.status, answer.code) == (401, "api_key_invalid")


def test_a_key_has_its_scopes_and_no_others() -> None:
    issued = issue_api_key(name="till", scopes=[Scope.REFUNDS_WRITE, Scope.DISPUTES_READ], actor="test")
    answer = _listed(issued.secret)
    assert (answer.status, answer.code) == (403, "scope_missing")


def test_the_time_of_last_use_is_noted_once_a_minute() -> None:
    issued = issue_api_key(name="till", scopes=[Scope.ORDERS_READ], actor="test")
    assert ApiKey.objects.get().last_used_at is None
    _listed(issued.secret)
    first = ApiKey.objects.get().last_used_at
    _listed(issued.secret)
    assert first and ApiKey.objects.get().last_used_at == first

    long_ago = timezone.now() - LAST_USED_RESOLUTION - timedelta(seconds=1)
    ApiKey.objects.update(last_used_at=long_ago)
    _listed(issued.secret)
    last = ApiKey.objects.get().last_used_at
    assert last and last > long_ago
