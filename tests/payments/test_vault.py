"""Kept cards: whose they are, what they may pay, and what a copy of the database tells of them."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.utils import timezone

from ledger.errors import Refusal
from ledger.money import Money
from payments import selectors, vault
from payments.channels import registry
from payments.channels.contract import ChannelUnavailable, InstrumentUnknown, Outcome
from payments.errors import (
    CustomerStillPaying,
    CustomerUnknown,
    SavedMethodExpired,
    SavedMethodLimit,
    SavedMethodLimitInvalid,
    SavedMethodNotFound,
)
from payments.models import Attempt, CustomerVault, Payment, SavedMethod
from payments.models.envelope import DoesNotOpen
from payments.models.vault import SavedMethodQuerySet
from payments.selectors import PaymentView
from payments.services import claim_instrument
from payments.services.change_saved_method import change_saved_method
from payments.services.delete_saved_method import delete_saved_method
from payments.services.erase_customer import erase_customer
from payments.services.forget_instrument import forget_instrument
from payments.services.start_payment import start_payment
from payments.services.tend_saved_methods import tend_saved_methods
from payments.states import SavedMethodState
from tests.patience import PATIENCE
from tests.payments import desk
from tests.payments.cards import MEI, broken_vaults, kept
from tests.payments.conftest import AMERICAN_VISA, DECLINED, Till


@pytest.fixture(autouse=True)
def no_orders(settings: Any) -> None:
    settings.EVENT_HANDLERS = {}


@pytest.fixture
def keep(till: Till) -> Callable[..., PaymentView]:
    """Pay with a new card, and agree to have it kept."""

    def pay(customer: str = MEI, number: str = AMERICAN_VISA, **asked: Any) -> PaymentView:
        intent = till.intent(instrument=till.card(number), **asked)
        return start_payment(intent=replace(intent, customer=customer, keep_instrument=True))

    return pay


@pytest.fixture
def pay_again(till: Till) -> Callable[..., PaymentView]:
    """Pay with a kept card."""

    def pay(method: str, customer: str = MEI, **asked: Any) -> PaymentView:
        intent = till.intent(instrument="none", **asked)
        return start_payment(intent=replace(intent, instrument="", customer=customer, saved_method=method))

    return pay


def _only(customer: str = MEI) -> vault.SavedMethodView:
    (found,) = vault.saved_methods_of(customer)
    return found


def test_a_card_is_kept_once_it_has_paid_and_pays_again(keep: Any, pay_again: Any, till: Till) -> None:
    first = keep()
    card = _only()
    assert (card.masked, card.brand, card.is_default, card.usable) == ("•••• 4242", "visa", True, True)
    second = pay_again(card.id)
    assert (first.state, second.state, second.last4) == ("SUCCEEDED", "SUCCEEDED", "4242")
    assert till.at_provider(second)["captured"] == 10_000
    assert broken_vaults() == []


def test_no_copy_of_the_database_tells_the_token(keep: Any, pay_again: Any) -> None:
    keep()
    pay_again(_only().id)
    token = SavedMethod.objects.get().token
    named = CustomerVault.objects.get().named_at("stripe")
    assert token.startswith("pm_") and named.startswith("cus_")
    with connection.cursor() as cursor:
        for table in (
            "payments_savedmethod",
            "payments_customervault",
            "payments_attempt",
            "payments_payment",
        ):
            cursor.execute(f"SELECT string_agg(row::text, ' ') FROM {table} row")
            (everything,) = cursor.fetchone()
            assert token not in everything and named not in everything, table


def test_without_consent_nothing_is_kept(till: Till) -> None:
    intent = replace(till.intent(), customer=MEI)
    assert start_payment(intent=intent).state == "SUCCEEDED"
    assert not SavedMethod.objects.exists() and not CustomerVault.objects.exists()


def test_a_guest_can_keep_nothing(till: Till) -> None:
    with pytest.raises(CustomerUnknown):
        start_payment(intent=replace(till.intent(), keep_instrument=True))
    assert not Payment.objects.exists() and not SavedMethod.objects.exists()


def test_a_card_that_was_declined_is_dropped_after_a_day(keep: Any) -> None:
    assert keep(number=DECLINED).state == "FAILED"
    assert vault.saved_methods_of(MEI) == []
    tend_saved_methods(now=timezone.now())
    assert SavedMethod.objects.get().state == SavedMethodState.PENDING
    assert tend_saved_methods(now=timezone.now() + timedelta(days=2)) == 1
    assert SavedMethod.objects.get().state == SavedMethodState.DELETED


def test_what_succeeds_by_notice_or_after_a_refusal_is_kept(db: None) -> None:
    attempt = desk.opened()
    method = _pending(attempt)
    desk.tell(attempt, Outcome.DECLINED, code="no")
    assert vault.saved_methods_of(MEI) == []
    desk.tell(attempt, Outcome.SUCCEEDED)
    desk.tell(attempt, Outcome.SUCCEEDED)
    assert _only().id == method.public_id


def _pending(attempt: Attempt) -> SavedMethod:
    method = kept(MEI)
    SavedMethod.objects.filter(pk=method.pk).update(state=SavedMethodState.PENDING)
    Attempt.objects.filter(pk=attempt.pk).update(saved_method=method)
    Payment.objects.filter(pk=attempt.payment_id).update(customer=MEI)
    return method


def test_the_same_card_is_kept_once_under_its_first_name(keep: Any, pay_again: Any, till: Till) -> None:
    keep()
    card = _only()
    older = SavedMethod.objects.get().token
    change_saved_method(method=card.id, customer=MEI, actor="user:1", label="Travel")
    keep()
    again = _only()
    assert (again.id, again.label, SavedMethod.objects.count()) == (card.id, "Travel", 2)
    assert SavedMethod.objects.get(state=SavedMethodState.ACTIVE).token != older
    SavedMethod.objects.update(next_try_at=timezone.now())
    _forget_all()
    assert SavedMethod.objects.get(state=SavedMethodState.DELETED).sealed == ""
    assert pay_again(card.id).state == "SUCCEEDED"
    keep(customer="cus_2")
    assert _only("cus_2").id != card.id
    assert broken_vaults() == []


def _forget_all() -> None:
    for row in SavedMethod.objects.filter(state=SavedMethodState.DELETED):
        forget_instrument(method=row.public_id)


@pytest.mark.parametrize("other", ["cus_2", ""])
def test_nobody_pays_with_another_customers_card(other: str, keep: Any, pay_again: Any) -> None:
    keep()
    card, before = _only(), Payment.objects.count()
    with pytest.raises(SavedMethodNotFound):
        pay_again(card.id, customer=other)
    for act in (change_saved_method, delete_saved_method):
        with pytest.raises(SavedMethodNotFound):
            act(method=card.id, customer=other, actor="user:2")
    assert Payment.objects.count() == before and _only() == card


@pytest.mark.parametrize("name", ["sm_1", "nonsense", "sm_01k9h3x5f9g2n6p7q8r9s0tavc"])
def test_a_name_that_is_none_pays_nothing(name: str, pay_again: Any) -> None:
    with pytest.raises(SavedMethodNotFound):
        pay_again(name)
    assert not Payment.objects.exists()


def test_a_deleted_card_pays_nothing_and_the_channel_forgets_it(
    keep: Any, pay_again: Any, till: Till
) -> None:
    keep()
    card, token = _only(), SavedMethod.objects.get().token
    delete_saved_method(method=card.id, customer=MEI, actor="user:1")
    row = SavedMethod.objects.get()
    assert (row.state, row.sealed, row.is_default) == (SavedMethodState.DELETED, "", False)
    assert row.forgotten_at
    with pytest.raises(SavedMethodNotFound):
        pay_again(card.id)
    answer = start_payment(intent=replace(till.intent(instrument=token)))
    assert answer.state == "FAILED"  # the provider has forgotten it, too


def test_a_channel_that_does_not_answer_is_asked_again_to_forget(
    keep: Any, pay_again: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep()
    card = _only()
    with monkeypatch.context() as patched:
        patched.setattr(registry.channel("stripe"), "forget_instrument", _no_answer)
        delete_saved_method(method=card.id, customer=MEI, actor="user:1")
        assert SavedMethod.objects.get().forgotten_at is None
        with pytest.raises(SavedMethodNotFound):
            pay_again(card.id)
    claimed = SavedMethod.objects.claim_forgetting(Attempt.objects.open(), timezone.now(), 10)
    assert [row.public_id for row in claimed] == [card.id]
    assert SavedMethod.objects.claim_forgetting(Attempt.objects.open(), timezone.now(), 10) == []
    _forget_all()
    assert SavedMethod.objects.get().forgotten_at


def _no_answer(token: str) -> None:
    raise ChannelUnavailable("no answer")


def test_a_card_whose_month_is_over_is_shown_and_pays_nothing(keep: Any, pay_again: Any) -> None:
    keep()
    tend_saved_methods(now=timezone.now().replace(year=2041))
    assert _only().usable is False
    with pytest.raises(SavedMethodExpired):
        pay_again(_only().id)
    keep()
    assert _only().usable


def _limit(method: str, single: int | None, daily: int | None) -> None:
    limits = {"single": single, "daily": daily}
    change_saved_method(
        method=method,
        customer=MEI,
        actor="user:1",
        limits={name: None if fen is None else Money(fen, "CNY") for name, fen in limits.items()},
    )


def test_limits_hold_for_one_payment_and_for_a_day(keep: Any, pay_again: Any) -> None:
    keep()
    card = _only()
    _limit(card.id, 10_000, 15_000)
    with pytest.raises(SavedMethodLimit, match="at once"):
        pay_again(card.id, fen=10_001)
    # what was kept with its first payment counts already
    with pytest.raises(SavedMethodLimit, match="24 hours"):
        pay_again(card.id, fen=5_001)
    assert Payment.objects.count() == 1
    assert pay_again(card.id, fen=5_000).state == "SUCCEEDED"
    Attempt.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert pay_again(card.id).state == "SUCCEEDED"


@pytest.mark.parametrize(("single", "daily"), [(0, None), (None, -1), (2, 1)])
def test_limits_that_make_no_sense_are_refused(single: int | None, daily: int | None, db: None) -> None:
    method = kept(MEI).public_id
    with pytest.raises(SavedMethodLimitInvalid):
        _limit(method, single, daily)
    assert _only().single_limit is None and _only().daily_limit is None


def test_two_payments_at_once_share_the_daily_limit(
    keep: Any, pay_again: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep()
    card = _only()
    Attempt.objects.update(created_at=timezone.now() - timedelta(hours=25))
    _limit(card.id, None, 10_000)
    _meet_after_counting(monkeypatch, PATIENCE)
    with monkeypatch.context() as unguarded:
        unguarded.setattr(SavedMethodQuerySet, "locked", lambda rows: rows)
        assert _both(pay_again, card.id) == ["SUCCEEDED", "SUCCEEDED"]
    Attempt.objects.update(created_at=timezone.now() - timedelta(hours=25))
    _meet_after_counting(monkeypatch, 1)
    assert _both(pay_again, card.id) == ["SUCCEEDED", "saved_method_limit"]


def _meet_after_counting(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    counted, both = _spent, threading.Barrier(2, timeout=seconds)

    def meet(method: SavedMethod) -> int:
        spent = counted(method)
        with suppress(threading.BrokenBarrierError):  # the other waits for the lock
            both.wait()
        return spent

    monkeypatch.setattr("payments.services.claim_instrument._spent", meet)


_spent = claim_instrument._spent


def _both(pay: Any, method: str) -> list[str]:
    def one(_: int) -> str:
        try:
            return str(pay(method).state)
        except Refusal as refusal:
            return refusal.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        return sorted(pool.map(one, range(2)))


def test_one_card_is_the_default(db: None) -> None:
    first, second = kept(MEI), kept(MEI, fingerprint="fp_2")
    for row in (first, second, second, first):
        change_saved_method(method=row.public_id, customer=MEI, actor="user:1", is_default=True)
        (default,) = (each for each in vault.saved_methods_of(MEI) if each.is_default)
        assert default.id == row.public_id


def test_an_erased_customer_is_gone_and_the_books_stay(keep: Any, till: Till) -> None:
    payment = keep()
    token, sealed = SavedMethod.objects.get().token, SavedMethod.objects.get().sealed
    owner = CustomerVault.objects.get()
    call_command("erase_customer", MEI, "--reason", "asked for it")
    assert erase_customer(customer=MEI, actor="user:9", reason="asked again")
    row = SavedMethod.objects.get()
    assert (row.sealed, row.last4, row.fingerprint, row.consent_ip) == ("", "", "", "")
    assert vault.saved_methods_of(MEI) == []
    with pytest.raises(DoesNotOpen):  # an older copy of the row, in a backup
        CustomerVault.objects.get(pk=owner.pk).unseal(sealed, "anywhere")
    with pytest.raises(InstrumentUnknown):
        _charged_again(till, token)
    assert selectors.payment(payment.id).captured == payment.captured == Money(10_000, "CNY")
    assert desk.broken() == []
    keep()
    assert _only().usable and CustomerVault.objects.count() == 2


def _charged_again(till: Till, token: str) -> None:
    if start_payment(intent=till.intent(instrument=token)).state == "FAILED":
        raise InstrumentUnknown(token)


def test_nobody_is_erased_in_the_middle_of_a_payment(db: None) -> None:
    _pending(desk.opened())
    with pytest.raises(CustomerStillPaying):
        erase_customer(customer=MEI, actor="user:9", reason="asked for it")
    with pytest.raises(CommandError, match="is not over"):
        call_command("erase_customer", MEI, "--reason", "asked for it")
    assert CustomerVault.objects.get().erase_asked_at is None


def test_an_erasure_waits_for_the_channel_to_forget(keep: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    keep()
    with monkeypatch.context() as patched:
        patched.setattr(registry.channel("stripe"), "forget_instrument", _no_answer)
        assert erase_customer(customer=MEI, actor="user:9", reason="asked") is False
    assert vault.saved_methods_of(MEI) == []
    with pytest.raises(Refusal):
        keep()
    _forget_all()
    assert tend_saved_methods(now=timezone.now()) == 1
    assert CustomerVault.objects.get().salt is None
