"""The console's queue and page of a dispute, and the API: who may do what, and what a person is told."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from payments import disputes
from payments.channels import registry
from payments.models import Dispute
from payments.services.issue_api_key import issue_api_key
from tests.payments.disputing import Bank, S, disputed, hear, installed, news
from tests.payments.test_disputes import PDF, moved

pytestmark = pytest.mark.django_db(transaction=True)
QUEUE = "dispute-queue"


@pytest.fixture(autouse=True)
def bank(settings: Any) -> Iterator[Bank]:
    settings.EVENT_HANDLERS = {}
    settings.EVIDENCE_SOURCES = []
    registry.channel.cache_clear()
    yield installed(Bank(), settings)
    registry.channel.cache_clear()


def person(name: str, *rights: str) -> Client:
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def support() -> Client:
    return person("sam", "view_dispute", "draft_dispute")


@pytest.fixture
def finance() -> Client:
    return person("fay", "view_dispute", "draft_dispute", "settle_dispute")


@pytest.fixture
def dispute() -> str:
    return disputed().public_id


def address(dispute: str) -> str:
    return reverse("dispute", kwargs={"dispute": dispute})


def said(response: Any) -> str:
    return " ".join(str(message) for message in response.context["messages"])


def do(client: Client, dispute: str, what: str, **form: Any) -> Any:
    return client.post(address(dispute), {"do": what, **form}, follow=True)


def test_the_queue_says_what_is_at_stake_and_how_long(support: Client, dispute: str) -> None:
    other = disputed(reference="dp_2", due_by=timezone.now() + timedelta(days=2, hours=1)).public_id
    text = support.get(reverse(QUEUE)).content.decode()
    assert "2 disputes over CN¥200.00 wait for an answer." in text and "in 2\xa0days" in text
    assert text.index(other) < text.index(dispute)
    hear(Dispute.objects.by_public_id(dispute).get().attempt, news(S.WON, hour=3, withdrawn=0))
    assert "Closed last" in support.get(reverse(QUEUE)).content.decode()


def test_one_page_has_facts_books_and_the_pack(support: Client, dispute: str) -> None:
    text = support.get(address(dispute)).content.decode()
    for words in (
        "fraudulent",
        "disputed:stripe",
        "dispute_fees",
        "was charged once",
        "nothing is saved yet",
    ):
        assert words in text
    assert "Submit texts" not in text and "Somebody from finance" in text


def test_support_drafts_and_finance_submits(
    support: Client, finance: Client, dispute: str, bank: Bank
) -> None:
    assert "draft is saved" in said(do(support, dispute, "draft", other_text="It was sent."))
    upload = SimpleUploadedFile("proof.pdf", PDF)
    assert "kept with" in said(do(support, dispute, "upload", kind="receipt", file=upload))
    assert "filled in" in said(do(support, dispute, "prepare"))
    file = support.get(f"{address(dispute)}files/receipt")
    assert file.content == PDF and file["Content-Disposition"].startswith("attachment")
    before = moved()
    assert do(support, dispute, "submit", final="yes").status_code == 403
    assert do(support, dispute, "accept", final="yes", reason="x").status_code == 403
    assert "confirm" in said(do(finance, dispute, "submit")) and moved() == before

    answer = do(finance, dispute, "submit", final="yes", other_text="It was sent, and signed for.")

    assert "the bank has it" in said(answer) and "Submit texts" not in answer.content.decode()
    [sent] = bank.submitted.values()
    assert sent.texts["other_text"] == "It was sent, and signed for." and set(sent.files) == {"receipt"}
    assert "answered already" in said(do(finance, dispute, "submit", final="yes"))


def test_accepting_wants_a_reason_and_says_what_it_costs(finance: Client, dispute: str, bank: Bank) -> None:
    assert "Accepting costs CN¥100.00" in finance.get(address(dispute)).content.decode()
    for form in ({"final": "yes"}, {"reason": "Fair"}):
        assert "Nothing was done" in said(do(finance, dispute, "accept", **form))
    assert not bank.accepted
    page = do(finance, dispute, "accept", final="yes", reason="Fair").content.decode()
    assert len(bank.accepted) == 1 and "dispute_losses" in page


def test_what_can_not_be_done_is_said(support: Client, finance: Client, dispute: str, bank: Bank) -> None:
    before = moved()
    assert "none of them" in said(
        do(support, dispute, "upload", kind="receipt", file=SimpleUploadedFile("a", b"x"))
    )
    assert "not empty" in said(do(support, dispute, "upload", kind="receipt"))
    assert "no file" in said(do(support, dispute, "remove", kind="receipt"))
    bank.silent = "before"
    assert "does not answer" in said(do(support, dispute, "refresh"))
    assert do(support, dispute, "dance").status_code == 404
    assert support.get(address("dsp_x")).status_code == 404
    assert support.get(f"{address(dispute)}files/receipt").status_code == 404
    assert moved() == before
    stranger = person("max")
    for where in (reverse(QUEUE), address(dispute), f"{address(dispute)}files/receipt"):
        assert stranger.get(where).status_code == 403


def program(*scopes: str) -> Client:
    secret = issue_api_key(name="test", scopes=scopes, actor="test").secret
    return Client(headers={"Authorization": f"Bearer {secret}"})


def api(client: Client, path: str, body: Any = None, key: str = "k1") -> Any:
    where = f"/api/v1/disputes{path}"
    if body is None:
        return client.get(where)
    return client.post(where, body, content_type="application/json", headers={"Idempotency-Key": key})


def test_a_program_answers_a_dispute(dispute: str, bank: Bank) -> None:
    both = program("disputes:read", "disputes:write")
    [listed] = api(both, "").json()["data"]
    assert (listed["id"], listed["kept"], listed["can_answer"]) == (
        dispute,
        {"amount": 10_000, "currency": "CNY"},
        True,
    )
    assert api(both, f"/{dispute}/submit", {}, "s0").json()["code"] == "evidence_empty"
    drafted = api(both, f"/{dispute}/evidence", {"texts": {"other_text": "Sent."}}, "e1")
    assert drafted.json()["texts"] == {"other_text": "Sent."}
    file = f"/api/v1/disputes/{dispute}/files/receipt"
    assert both.put(file, PDF, content_type="application/pdf").json()["files"][0]["size"] == len(PDF)
    assert both.put(file, b"x", content_type="application/pdf").json()["code"] == "evidence_invalid"
    assert both.put(file, b"x" * (5 * 1024 * 1024 + 1), content_type="image/png").status_code == 422
    assert both.put(file, "{}", content_type="application/json").status_code == 415
    assert both.delete(file).json()["files"] == []
    sent = api(both, f"/{dispute}/submit", {}, "s1")
    again = api(both, f"/{dispute}/submit", {}, "s1")
    assert sent.json()["state"] == "UNDER_REVIEW" and again.content == sent.content
    assert api(both, f"/{dispute}/submit", {}, "s2").json()["code"] == "dispute_already_answered"
    assert api(both, f"/{dispute}").json()["answer"]["state"] == "SUCCEEDED"
    assert len(bank.submitted) == 1


def test_a_program_gives_one_up(dispute: str) -> None:
    writer = program("disputes:write")
    assert api(writer, f"/{dispute}/accept", {"reason": "Fair"}).json()["state"] == "ACCEPTED"


def test_lists_go_on_by_cursor(dispute: str) -> None:
    second = disputed(reference="dp_2").public_id
    reader = program("disputes:read")
    page = reader.get("/api/v1/disputes?limit=1").json()
    assert [one["id"] for one in page["data"]] == [second]
    rest = reader.get(f"/api/v1/disputes?limit=1&cursor={page['next_cursor']}").json()
    assert [one["id"] for one in rest["data"]] == [dispute] and rest["next_cursor"] is None
    assert reader.get("/api/v1/disputes?cursor=bm9uZQ").json()["code"] == "cursor_invalid"


def test_customers_and_keys_without_the_scope_see_nothing(dispute: str) -> None:
    before = moved()
    customer = Client()
    customer.force_login(User.objects.create_user("mei"))
    for client, status in ((Client(), 404), (customer, 404), (program("orders:read", "disputes:write"), 403)):
        for path in ("", f"/{dispute}"):
            assert api(client, path).status_code == status
    for client in (Client(), customer, program("disputes:read")):
        for path in ("submit", "accept", "evidence"):
            assert api(client, f"/{dispute}/{path}", {"reason": "x"}).status_code in (403, 404)
    assert moved() == before and disputes.dispute(dispute).can_answer
