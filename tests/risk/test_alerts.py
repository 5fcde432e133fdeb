"""What is out of the usual is told once, by log, letter and console, until it is so no more."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import structlog
from django.core import mail
from django.db import transaction

from ledger.identifiers import first_key_of
from risk import ages, drift, scorers, starting
from risk.models import Alert, Decision, HourFigures, Policy, RiskModel
from risk.services.activate_policy import activate_policy
from risk.services.assess import assess
from risk.services.draft_policy import draft_policy
from risk.services.take_day_figures import take_day_figures
from risk.services.watch_jumps import watch_jumps
from tests.reconciliation.operators import person
from tests.risk.makers import facts

NOW = datetime.now(UTC).replace(minute=30, second=0, microsecond=0)
USUAL = {"accept": 90, "challenge": 6, "review": 2, "reject": 2}


@pytest.fixture
def letters(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    settings.OPERATIONS_EMAILS = ["operations@example.com"]


@pytest.fixture
def decided(transactional_db: None) -> None:
    scorers.loaded.cache_clear()  # other tests had models of this name
    with transaction.atomic():
        assess(facts=facts())


def hours(at: datetime, *weeks: Mapping[str, int]) -> None:
    """This hour, and the same one of the weeks before."""
    hour = at.replace(minute=0)
    rows = [HourFigures(began_at=hour - timedelta(weeks=n), actions=dict(one)) for n, one in enumerate(weeks)]
    HourFigures.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["began_at"], update_fields=["actions"]
    )


def still() -> set[tuple[str, str]]:
    return set(Alert.objects.open().values_list("kind", "subject"))


class TestHours:
    def test_a_jump_stands_out_from_the_same_hours(self) -> None:
        weeks = [USUAL, {**USUAL, "reject": 3}, {**USUAL, "reject": 1}, USUAL]
        attack = {"accept": 60, "challenge": 6, "review": 2, "reject": 32}
        assert drift.unusual(weeks, attack, "reject") == (0.02, 0.32)
        assert drift.unusual(weeks, attack, "challenge") is None
        assert drift.unusual(weeks, USUAL, "reject") is None

    def test_one_odd_week_hides_nothing_and_alarms_nobody(self) -> None:
        odd = {"accept": 10, "reject": 90}
        weeks = [USUAL, USUAL, odd, USUAL, USUAL]
        assert drift.unusual(weeks, USUAL, "reject") is None
        assert drift.unusual(weeks, {"accept": 50, "reject": 50}, "reject") is not None

    def test_restless_hours_must_go_further(self) -> None:
        weeks = [{"accept": 100 - n, "reject": n} for n in (2, 10, 20, 30, 38)]
        assert drift.unusual(weeks, {"accept": 60, "reject": 40}, "reject") is None

    @pytest.mark.parametrize(
        ("weeks", "now"),
        [
            ([USUAL] * 2, {"reject": 100}),
            ([{"accept": 9}] * 8, {"reject": 100}),
            ([USUAL] * 8, {"reject": 49}),
        ],
    )
    def test_too_few_say_nothing(self, weeks: list[dict[str, int]], now: dict[str, int]) -> None:
        assert drift.unusual(weeks, now, "reject") is None

    @pytest.mark.django_db(transaction=True)
    def test_decisions_are_counted_into_their_hour_once(self, decided: None) -> None:
        seed = Decision.objects.get()
        base = {one.attname: getattr(seed, one.attname) for one in Decision._meta.concrete_fields}
        first = first_key_of(NOW - timedelta(hours=2)).int
        for n in range(3):
            Decision.objects.create(
                **{**base, "id": UUID(int=first + n), "action": "reject" if n else "accept"}
            )
        for _ in range(2):
            take_day_figures(now=NOW + timedelta(hours=1))
        [row] = HourFigures.objects.filter(began_at=NOW.replace(minute=0) - timedelta(hours=2))
        assert row.actions == {"accept": 1, "reject": 2}
        assert sum(sum(one.actions.values()) for one in HourFigures.objects.all()) == 4


@pytest.mark.usefixtures("decided", "letters")
@pytest.mark.django_db(transaction=True)
class TestAlerts:
    def test_an_hour_is_told_once_ends_and_is_told_again_another_day(self) -> None:
        attack = {"accept": 50, "reject": 50}
        hours(NOW, attack, USUAL, USUAL, USUAL)
        with structlog.testing.capture_logs() as logs:
            assert watch_jumps(now=NOW) == 2 and watch_jumps(now=NOW) == 0
        told = {
            (one["kind"], one["subject"], one["log_level"]) for one in logs if one["event"] == "risk.alert"
        }
        assert told == {("jump_hour", "accept", "warning"), ("jump_hour", "reject", "warning")}
        [letter] = mail.outbox
        assert (
            letter.to == ["operations@example.com"] and "jump_hour reject: now 0.5, usual 0.02" in letter.body
        )
        hours(NOW, USUAL)
        with structlog.testing.capture_logs() as logs:
            assert watch_jumps(now=NOW) == 0
        assert [one["event"] for one in logs].count("risk.alert_ended") == 2 and still() == set()
        hours(NOW, attack)
        assert watch_jumps(now=NOW) == 0  # on the same day it goes on quietly
        assert still() == {("jump_hour", "accept"), ("jump_hour", "reject")} and Alert.objects.count() == 2
        page = person("risk manager").get("/console/risk/figures/").text
        assert "unusual for this hour" in page and "open" in page
        hours(NOW, USUAL)
        watch_jumps(now=NOW)
        later = NOW + timedelta(days=7)
        hours(later, attack)
        assert watch_jumps(now=later) == 2 and len(mail.outbox) == 2

    def test_the_hour_before_speaks_while_this_one_has_too_few(self) -> None:
        hours(NOW, {"reject": 3})
        hours(NOW - timedelta(hours=1), {"accept": 50, "reject": 50}, USUAL, USUAL, USUAL)
        watch_jumps(now=NOW)
        assert ("jump_hour", "reject") in still()

    def test_a_model_that_can_not_be_asked_is_told_until_it_can(self) -> None:
        deciding(model={"name": "default@1", "points": [[500_000, 20]]})
        watch_jumps(now=NOW)
        assert still() == {("model_unusable", "default@1")} and "There is no model" in mail.outbox[0].body
        deciding()
        watch_jumps(now=NOW)
        assert still() == set()

    def test_an_old_model_and_a_rule_at_its_end_are_told(self) -> None:
        last = (NOW - timedelta(days=ages.OLD_DAYS + 3)).date().isoformat()
        row = RiskModel.objects.create(
            name="default",
            version=1,
            text="",
            schema=[],
            digest="",
            key="",
            signature="",
            card={"last_day": last},
        )
        assert ages.age_of(row, NOW).crown is None and ages.age_of(row, NOW).old
        ends = (NOW + timedelta(days=3)).date().isoformat()
        rules = [{**starting.RULES[0], "expires_on": ends}, starting.RULES[1]]
        deciding(rules=rules, model={"name": "default@1", "points": [[500_000, 20]]})
        watch_jumps(now=NOW)
        assert {("model_old", "default@1"), ("rule_ending", starting.RULES[0]["id"])} <= still()

    def test_a_letter_that_is_lost_stops_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def lost(self: Any, fail_silently: bool = False) -> int:
            raise ConnectionRefusedError

        monkeypatch.setattr("django.core.mail.EmailMessage.send", lost)
        deciding(model={"name": "default@1", "points": [[500_000, 20]]})
        with structlog.testing.capture_logs() as logs:
            assert watch_jumps(now=NOW) == 1
        assert "risk.alert_not_mailed" in [one["event"] for one in logs] and still()


def deciding(**changes: Any) -> None:
    document: dict[str, Any] = {
        "rules": starting.RULES,
        "thresholds": starting.THRESHOLDS,
        "limits": starting.LIMITS,
        "rates": starting.RATES,
    }
    drafted = draft_policy(name="starting", actor="user:1", **(document | changes))
    activate_policy(policy=drafted, actor="user:2", reason="A test")
    assert str(Policy.objects.get(state="ACTIVE")) == drafted
