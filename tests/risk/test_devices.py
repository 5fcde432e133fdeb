"""Devices: what a fingerprint can do and what it can not, trust by hand, freezing, and proofs on strange ones."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from ledger.selectors import audit_trail
from risk import challenges, devices, invariants, policies, selectors, starting
from risk.errors import (
    DeviceFrozen,
    DeviceNotFound,
    DeviceNotFrozen,
    DeviceNotTrusted,
    FreezeReasonMissing,
    InvalidRule,
)
from risk.facts import BehaviourFacts, DeviceFacts, PaymentFacts, Verdict
from risk.models import Challenge, Decision, Device, Freeze, LimitUse, Policy, Tie
from risk.services.assess import assess
from risk.services.check_challenge import check_challenge
from risk.services.freeze_device import freeze_device
from risk.services.open_challenge import open_challenge
from risk.services.unfreeze_device import unfreeze_device
from tests.risk.makers import NOON, facts, listed
from tests.round_trips import round_trips

pytestmark = pytest.mark.django_db(transaction=True)
IN_JULY = NOON + timedelta(days=120)


def at(device: str, print_: str = "", *, new: bool = False, **others: Any) -> DeviceFacts:
    return DeviceFacts(identifier=device, fingerprint=print_, is_new=new, **others)


def ask(device: DeviceFacts, amount: int = 10_000, **others: Any) -> Verdict:
    with transaction.atomic():
        return assess(facts=facts(amount, **{"device": device, **others}))


def seen(verdict: Verdict) -> dict[str, Any]:
    stored: dict[str, Any] = selectors.decision(verdict.decision).inputs["device"]
    return stored


def codes(verdict: Verdict) -> list[str]:
    return [reason.code for reason in verdict.reasons]


def decides(*rules: dict[str, Any], **thresholds: Any) -> None:
    Policy.objects.filter(state="ACTIVE").update(state="RETIRED")
    Policy.objects.create(
        name="tests",
        version=1,
        rules=list(rules),
        thresholds={**starting.THRESHOLDS, **thresholds},
        limits=starting.LIMITS,
        rates=starting.RATES,
        state="ACTIVE",
        created_by="tests",
    )


def rule(name: str, expression: str, weight: int = 10) -> dict[str, Any]:
    words = {"en": name, "zh": name}
    return {
        "id": name,
        "version": 1,
        "expression": expression,
        "weight": weight,
        "action": "",
        "message": words,
    }


def only_device() -> str:
    return Device.objects.get().public_id


class TestFingerprints:
    def test_the_same_cookie_in_another_browser_is_told_and_for_a_week(self) -> None:
        assert not seen(ask(at("dev_1", "f-1")))["changed"]
        assert not seen(ask(at("dev_1", "f-1")))["changed"]
        assert seen(ask(at("dev_1", "f-2")))["changed"]
        assert seen(ask(at("dev_1", "f-2")))["changed"]  # not because it was told once
        later = ask(at("dev_1", "f-2"), happened_at=NOON + timedelta(days=8))
        assert not seen(later)["changed"]

    def test_a_browser_that_hides_earns_nothing_by_it(self) -> None:
        told = ask(at("dev_1", "f-1"))
        hidden = ask(at("dev_1"))
        assert seen(hidden)["missing"] and not seen(told)["missing"]
        assert seen(hidden)["trust"] <= seen(told)["trust"]
        never_told = seen(ask(at("dev_2"), happened_at=NOON + timedelta(days=1)))
        assert not never_told["missing"] and never_told["trust"] <= seen(told)["trust"]

    def test_one_browser_behind_many_cookies_and_customers_is_counted(self) -> None:
        decides(rule("farm", "device.fingerprint_devices >= 3 && device.fingerprint_customers >= 3"))
        for number in range(3):
            assert ask(at(f"dev_{number}", "f-farm"), customer=f"cus_{number}").score == 0
        last = ask(at("dev_9", "f-farm"), customer="cus_9")
        assert codes(last) == ["farm"] and (seen(last)["twins"], seen(last)["twin_customers"]) == (3, 3)
        assert seen(ask(at("dev_9", "f-other"), customer="cus_9"))["twins"] == 0
        old = ask(at("dev_8", "f-farm"), customer="cus_8", happened_at=NOON + timedelta(days=9))
        assert seen(old)["twins"] == 0

    def test_kept_are_keys_only(self) -> None:
        verdict = ask(at("dev_1", "fingerprint-in-clear", label="Firefox, Linux", ip_country="CN"))
        row = Device.objects.get()
        assert (row.label, row.country, len(row.fingerprint_key)) == ("Firefox, Linux", "CN", 32)
        inputs = selectors.decision(verdict.decision).inputs
        assert (
            "fingerprint-in-clear" not in str(inputs)
            and inputs["device"]["fingerprint"] == row.fingerprint_key
        )

    @pytest.mark.parametrize(
        "expression",
        ["behaviour.seconds_on_page > 60", "!device.fingerprint_changed", 'behaviour["pastes"] == 0'],
    )
    def test_no_rule_lowers_a_score_by_what_a_browser_says(self, expression: str) -> None:
        document: dict[str, Any] = {
            "name": "t@1",
            "thresholds": starting.THRESHOLDS,
            "limits": {},
            "rates": {},
        }
        policies.parse(rules=[rule("up", expression, 5)], **document)
        with pytest.raises(InvalidRule, match="what a browser says of itself"):
            policies.parse(rules=[rule("down", expression, -5)], **document)
        policies.parse(rules=[rule("earned", "device.trust > 80", -5)], **document)


class TestBehaviour:
    def test_rules_read_it_and_missing_is_unknown(self) -> None:
        decides(
            rule("quick", "behaviour.seconds_on_page >= 0 && behaviour.seconds_on_page < 5"),
            rule("pasted", "behaviour.pastes > 3 && behaviour.keystrokes == 0"),
            rule("guessing", "behaviour.coupon_attempts > 5 || behaviour.address_changes > 5"),
        )
        assert codes(ask(at("dev_1"))) == []
        robot = BehaviourFacts(seconds_on_page=2, keystrokes=0, pastes=9, address_changes=6)
        verdict = ask(at("dev_1"), behaviour=robot)
        assert codes(verdict) == ["quick", "pasted", "guessing"]
        assert all(selectors.replay_row(row).same for row in Decision.objects.all())

    def test_what_is_absurd_is_cut(self) -> None:
        absurd = BehaviourFacts(seconds_on_page=-5, keystrokes=10**30, keystroke_ms=10**9, pastes=-1)
        inputs = selectors.decision(ask(at("dev_1"), behaviour=absurd).decision).inputs
        assert inputs["facts"]["behaviour"] == {
            "seconds_on_page": None,
            "keystrokes": 10_000,
            "keystroke_ms": 60_000,
            "pastes": None,
            "address_changes": 0,
            "coupon_attempts": 0,
        }


class TestFreezing:
    def test_a_frozen_device_pays_nothing_whoever_asks_and_nothing_moves(self) -> None:
        ask(at("dev_1"))
        listed(kind="white", entity="customer", value="cus_anna", reason="known", actor="user:1")
        used = LimitUse.objects.count()
        name = freeze_device(device=only_device(), reason="stolen on 2 March", actor="user:1")
        assert freeze_device(device=only_device(), reason="again", actor="user:1") == name
        refused = ask(at("dev_1"), subject="pay_2", level=2)
        assert (refused.action, codes(refused)) == ("reject", ["device_frozen"])
        assert refused.reasons[0].text == "The device is frozen: stolen on 2 March"
        assert ask(at("dev_1"), customer="cus_bert", stage="order").action == "reject"
        assert LimitUse.objects.count() == used
        assert ask(at("dev_2")).action == "accept"
        listed(kind="fatal", entity="customer", value="cus_anna", reason="listed", actor="user:1")
        assert codes(ask(at("dev_1"))) == ["list_fatal"]

        unfreeze_device(device=only_of("dev_1"), reason="found again", actor="user:2")
        assert ask(at("dev_1"), customer="cus_bert").action == "accept"
        with pytest.raises(DeviceNotFrozen):
            unfreeze_device(device=only_of("dev_1"), reason="twice", actor="user:2")
        trail = [(one.action, one.actor) for one in audit_trail(only_of("dev_1"))]
        assert trail == [("device.frozen", "user:1"), ("device.unfrozen", "user:2")]
        assert all(selectors.replay_row(row).same for row in Decision.objects.all())

    def test_it_takes_a_reason_and_a_device(self) -> None:
        ask(at("dev_1"))
        with pytest.raises(FreezeReasonMissing):
            freeze_device(device=only_device(), reason=" ", actor="user:1")
        for unknown in ("dev_none", "ord_1", Decision.objects.get().public_id):
            with pytest.raises(DeviceNotFound):
                freeze_device(device=unknown, reason="x", actor="user:1")
        assert not Freeze.objects.exists()

    def test_a_customer_freezes_for_the_own_account_only(self) -> None:
        ask(at("dev_1"))
        ask(at("dev_1"), customer="cus_bert")
        with pytest.raises(DeviceNotFound):
            freeze_device(device=only_device(), reason="x", actor="user:3", customer="cus_carl")
        freeze_device(device=only_device(), reason="lost", actor="user:3", customer="cus_bert")
        assert ask(at("dev_1"), customer="cus_bert").action == "reject"
        assert ask(at("dev_1")).action == "accept"
        shown = devices.of_customer("cus_bert", here="dev_1")
        assert [(one.frozen, one.frozen_by, one.here) for one in shown] == [("lost", "user:3", True)]
        assert devices.of_customer("cus_anna", here="dev_1")[0].frozen == ""
        assert devices.device(only_device()).frozen == ""  # not for everybody

    def test_it_is_thawed_from_another_device_that_was_used_for_a_day(self) -> None:
        for device in ("phone", "laptop", "strange"):
            ask(at(device), customer="cus_bert")
        phone = only_of("phone")
        freeze_device(device=phone, reason="lost", actor="user:3", customer="cus_bert")

        def thaw(asked_from: str) -> None:
            told = {"device": phone, "reason": "found", "actor": "user:3", "customer": "cus_bert"}
            unfreeze_device(**told, asked_from=asked_from)

        Tie.objects.filter(entity_key=key("laptop")).update(first_at=NOON - timedelta(days=900))
        Tie.objects.filter(entity="device").exclude(entity_key=key("laptop")).update(
            first_at=IN_JULY + timedelta(days=9000), last_at=IN_JULY + timedelta(days=9000)
        )
        for here in ("phone", "strange", "never seen", ""):
            with pytest.raises(DeviceNotTrusted):
                thaw(here)
        assert ask(at("phone"), customer="cus_bert").action == "reject"
        thaw("laptop")
        assert ask(at("phone"), customer="cus_bert").action == "accept"

    def test_what_a_customer_froze_an_operator_can_end(self) -> None:
        ask(at("dev_1"))
        freeze_device(device=only_device(), reason="lost", actor="user:3", customer="cus_anna")
        unfreeze_device(device=only_device(), reason="by phone", actor="user:1")
        assert ask(at("dev_1")).action == "accept"

    def test_a_friend_of_a_frozen_browser_is_told(self) -> None:
        ask(at("dev_1", "f-1"))
        freeze_device(device=only_device(), reason="fraud", actor="user:1")
        assert seen(ask(at("dev_2", "f-1"), customer="cus_new"))["twin_frozen"]
        assert not seen(ask(at("dev_2", "f-2"), customer="cus_new"))["twin_frozen"]


def key(device: str) -> str:
    row = Decision.objects.filter(inputs__facts__device__identifier=device).first()
    assert row is not None
    return str(row.device_key)


def only_of(device: str) -> str:
    return Device.objects.get(device_key=key(device)).public_id


class TestProofs:
    CAN = ("captcha", "email", "passkey")

    def proven(self, verdict: Verdict, kind: str = "email") -> None:
        """As if the right code had come."""
        with transaction.atomic():
            challenge = open_challenge(
                decision=verdict.decision,
                respondent=challenges.respondent(
                    owner="session", contacts={"email": "anna@example.com"}, address="", kinds=[kind]
                ),
                latest=NOON + timedelta(days=9000),
            )
            row = Challenge.objects.get()
            row.expires_at = row.created_at + timedelta(minutes=5)
            row.save(update_fields=["expires_at"])
            trial = check_challenge(
                challenge=challenge.id,
                subject=row.subject,
                amount=row.amount,
                currency=row.currency,
                owner="session",
                kind=kind,
                answer="right",
            )
            assert trial.passed

    @pytest.fixture(autouse=True)
    def from_a_thousand_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        decides(verify_device_from=100_000, challenge={"*": ["three_d_secure"]})
        monkeypatch.setattr("risk.services.check_challenge._is_right", lambda row, answer: True)

    def test_a_known_customer_proves_to_sit_at_a_new_device_from_the_policys_sum_on(self) -> None:
        new = at("dev_9", "f-9", new=True)
        assert ask(new, 99_999, challenges=self.CAN).action == "accept"
        asked = ask(new, 100_000, challenges=self.CAN)
        assert (asked.action, asked.challenges) == ("challenge", ("passkey", "email"))
        assert codes(asked) == ["device_unverified"] and "(trust 16 of 100)" in asked.reasons[0].text
        for other in (
            {"paid_orders": 0},  # nobody whose account could be taken over
            {"customer": ""},
            {"stage": "order"},
            {"device": at("dev_9", "f-9")},  # an order was paid from it
        ):
            asked_of: dict[str, Any] = {"device": new, "amount": 100_000, "challenges": self.CAN, **other}
            assert ask(**asked_of).action == "accept"
        assert ask(new, 100_000, currency="BHD", challenges=self.CAN).action == "challenge"  # no rate
        assert ask(new, 100_000).action == "review"  # nothing to prove it with

    def test_after_it_the_device_is_verified_for_this_customer_in_this_browser(self) -> None:
        new = at("dev_9", "f-9", new=True)
        self.proven(ask(new, 100_000, challenges=self.CAN))
        after = ask(new, 100_000, challenges=self.CAN)
        assert (
            after.action == "accept" and seen(after)["verified"] and seen(after)["factors"]["security"] == 100
        )
        for strange in (at("dev_9", "f-1", new=True), at("dev_9", new=True), at("dev_9", "f-1"), at("dev_9")):
            assert ask(strange, 100_000, challenges=self.CAN).action == "challenge"
        assert ask(new, 100_000, challenges=self.CAN, customer="cus_bert").action == "challenge"
        assert ask(new, 100_000, challenges=self.CAN).action == "accept"
        assert all(selectors.replay_row(row).same for row in Decision.objects.all())

    def test_a_small_order_first_opens_nothing(self) -> None:
        can: dict[str, Any] = {"challenges": self.CAN}
        ask(at("dev_home", "f-1"), happened_at=NOON - timedelta(days=100), **can)
        ask(at("dev_9", "f-9", new=True), 5_000, **can)
        paid = at("dev_9", "f-9")  # an order was paid from it by now
        asked = ask(paid, 100_000, happened_at=NOON + timedelta(hours=1), **can)
        assert codes(asked) == ["device_unverified"] and seen(asked)["fresh"]
        assert ask(at("dev_home", "f-1"), 100_000, **can).action == "accept"
        week = ask(paid, 100_000, happened_at=NOON + timedelta(days=8), **can)
        assert week.action == "accept" and not seen(week)["fresh"]
        only = ask(at("dev_bert", "f-2"), 100_000, customer="cus_bert", **can)
        again = ask(at("dev_bert", "f-2"), 100_000, customer="cus_bert", **can)
        assert (only.action, again.action) == ("accept", "accept")  # the account's first one

    def test_a_captcha_proves_nobody(self) -> None:
        new = at("dev_9", "f-9", new=True)
        asked = ask(new, 100_000, challenges=self.CAN)
        with transaction.atomic():
            open_challenge(
                decision=asked.decision,
                respondent=challenges.respondent(owner="s", contacts={}, address="", kinds=["captcha"]),
                latest=IN_JULY,
            )
        Challenge.objects.update(kinds=["captcha"], kind="captcha", expires_at=NOON + timedelta(days=9000))
        row = Challenge.objects.get()
        with transaction.atomic():
            check_challenge(
                challenge=row.public_id,
                subject=row.subject,
                amount=row.amount,
                currency=row.currency,
                owner="s",
                kind="captcha",
                answer="right",
            )
        assert ask(new, 100_000, challenges=self.CAN).action == "challenge"

    def test_a_challenge_of_a_device_that_was_frozen_meanwhile_is_not_judged(self) -> None:
        asked = ask(at("dev_9", new=True), 100_000, challenges=self.CAN)
        freeze_device(device=only_device(), reason="stolen", actor="user:1")
        with pytest.raises(DeviceFrozen):
            self.proven(asked)
        assert not Challenge.objects.exists() and not Tie.objects.exclude(verified_at=None).exists()


def test_all_of_it_costs_no_further_round_trip() -> None:
    asked: PaymentFacts = facts(device=at("dev_1", "f-1"))
    for _ in range(2):
        with transaction.atomic():
            assess(facts=asked)
    with transaction.atomic():
        connection.ensure_connection()
        assert (
            round_trips(lambda: assess(facts=asked)) == 2
        )  # evidence, and counts: there are no histories here


def test_verify_notices_a_freeze_of_nothing_and_a_proof_by_nobody() -> None:
    ask(at("dev_1"))
    freeze_device(device=only_device(), reason="lost", actor="user:1")
    assert found() == []
    Device.objects.all().delete()
    Tie.objects.filter(entity="device").update(verified_at=timezone.now())
    assert len(found()) == 2


def found() -> list[str]:
    name = "risk.devices_are_known_and_proven"
    return [str(one.detail) for said, _, findings in invariants.check() if said == name for one in findings]
