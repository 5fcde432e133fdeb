"""Models from training to answer: learnt from a small generated world, sealed, stored, asked."""

import json
from dataclasses import replace
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from django.test import Client
from django.urls import reverse

from ledger import sealing
from risk import artefacts, invariants, learning, scorers, starting, worlds
from risk.artefacts import Artefact
from risk.errors import ModelNotFound, TooFewOutcomes, UnusableModel
from risk.examples import Examples, Memory, event_of, examples, row_of
from risk.learning import Scorer, signals_of, train
from risk.models import RiskModel
from risk.services.activate_policy import activate_policy
from risk.services.crown_model import crown_model
from risk.services.draft_policy import draft_policy
from risk.services.get_ready import get_ready
from risk.services.train_model import Trained, train_model
from risk.signals import signals
from risk.states import ModelState
from tests.risk.test_review_pages import person

WORLD = worlds.generate(12, customers=200, days=42)
KINDS = ("customer", "merchant")


@pytest.fixture(scope="module")
def learnt() -> Examples:
    first = WORLD.pasts[0].day
    return examples(WORLD.pasts, wanted=range(first + 15, first + 35).__contains__, kinds=KINDS)


@pytest.fixture(scope="module")
def artefact(learnt: Examples) -> Artefact:
    return artefacts.seal(train(signals_of(learnt), learnt.fraud), learnt.names)


@pytest.fixture(autouse=True)
def _nothing_loaded() -> None:
    scorers.loaded.cache_clear()


def kept(artefact: Artefact, **changes: Any) -> RiskModel:
    """The artefact as training stores it, changed or not."""
    changed = replace(artefact, **changes)
    return RiskModel.objects.create(
        name="default",
        version=RiskModel.objects.filter(name="default").count() + 1,
        text=changed.text,
        schema=changed.schema,
        digest=changed.digest,
        key=changed.key,
        signature=changed.signature,
        card={},
        created_by="user:1",
    )


def trained(name: str = "default") -> Trained:
    return train_model(
        name=name, pasts=WORLD.pasts, days=20, source="a world", simulated=True, actor="user:1"
    )


def test_the_same_rows_give_the_same_text(learnt: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "ROUNDS", 30)
    assert train(signals_of(learnt), learnt.fraud) == train(signals_of(learnt), learnt.fraud)


def test_a_signal_is_the_same_online_and_in_training(learnt: Examples) -> None:
    """Whoever counts payment by payment, as decisions do, finds the rows that training saw."""
    memory, rows = Memory(), []
    for past in WORLD.pasts:
        memory.hear(past.at)
        histories = memory.of(past.parties)
        event = event_of(past, histories["customer"])
        rows.append(row_of(learnt.names, signals(past.at, event, histories)))
        memory.tell(past, event, histories)
    first = WORLD.pasts[0].day + 15
    online = [row for row, past in zip(rows, WORLD.pasts, strict=True) if first <= past.day < first + 20]
    assert np.array_equal(np.asarray(online, dtype=np.float32), signals_of(learnt), equal_nan=True)


def test_reasons_add_up_to_the_score(learnt: Examples, artefact: Artefact) -> None:
    scorer = artefacts.unseal(artefact)
    rows = signals_of(learnt)[:200]
    for score, answer in zip(scorer.scores(rows), scorer.answers(rows), strict=True):
        assert len(answer.groups) >= 3
        assert answer.base + sum(points for _, points in answer.groups) == pytest.approx(score)
        assert [points for _, points in answer.groups] == sorted(
            (points for _, points in answer.groups), reverse=True
        )


def test_one_row_is_answered_as_in_a_matrix(learnt: Examples, artefact: Artefact) -> None:
    scorer = artefacts.unseal(artefact).prepare()
    rows = signals_of(learnt)[:100]
    for row, told in zip(rows, scorer.answers(rows), strict=True):
        answer = scorer.answer(row.tolist())
        assert answer.score == pytest.approx(told.score)
        assert dict(answer.groups) == pytest.approx(dict(told.groups), abs=1e-9)
    with pytest.raises(ValueError, match="schema"):
        scorer.answer([1.0])


def test_the_first_reason_names_the_cause(learnt: Examples, artefact: Artefact) -> None:
    scorer = artefacts.unseal(artefact)
    first = WORLD.pasts[0].day + 15
    causes = [
        cause for past, cause in zip(WORLD.pasts, WORLD.causes, strict=True) if first <= past.day < first + 20
    ]
    caught = [row for row, score in enumerate(scorer.scores(signals_of(learnt))) if causes[row] and score > 0]
    assert len(caught) > 20
    for row, answer in zip(caught, scorer.answers(signals_of(learnt)[caught]), strict=True):
        assert (answer.groups[0][0] == "merchant") == (causes[row] == "merchant")


def resealed(text: str, schema: tuple[tuple[str, str], ...]) -> Artefact:
    """Signed by us, whatever it is."""
    digest, key = artefacts.digest_of(text, schema), sealing.current()
    signature = sealing.sign(f"risk model\n{digest}", sealing.known()[key])
    return Artefact(text=text, schema=schema, digest=digest, key=key, signature=signature)


def test_only_what_was_sealed_here_is_loaded(artefact: Artefact) -> None:
    forged = artefacts.digest_of(artefact.text + " ", artefact.schema)
    signed_as_journal = sealing.sign(artefact.digest, sealing.known()[artefact.key])
    refused = {
        "digest": [
            replace(artefact, text=artefact.text + " "),
            replace(artefact, schema=artefact.schema[1:]),
        ],
        "signature": [
            replace(artefact, text=artefact.text + " ", digest=forged),
            replace(artefact, signature="0" * 64),
            replace(artefact, key="00000000"),
            replace(artefact, signature=signed_as_journal),
        ],
        "text": [
            resealed("\x80\x04pickle", artefact.schema),
            resealed("tree\nversion=v4\nnonsense", artefact.schema),
            resealed(artefact.text, artefact.schema[1:]),
        ],
        "schema": [
            resealed(artefact.text, (("zodiac_sign", "amount"), *artefact.schema[1:])),
            resealed(artefact.text, (("amount", "time"), *artefact.schema[1:])),
        ],
    }
    for param, broken in refused.items():
        for one in broken:
            with pytest.raises(UnusableModel) as refusal:
                artefacts.unseal(one)
            assert refusal.value.param == param


@pytest.mark.django_db(transaction=True)
def test_a_stored_model_answers_in_whole_numbers_that_add_up(learnt: Examples, artefact: Artefact) -> None:
    model = kept(artefact)
    worst = int(np.argmax(Scorer(artefact.text, learnt.names).scores(signals_of(learnt))))
    found = dict(zip(learnt.names, signals_of(learnt)[worst].tolist(), strict=True))
    answer = scorers.ask(str(model), found)
    assert answer.score == answer.base + sum(points for _, points in answer.groups)
    assert answer.digest == model.digest
    assert answer.probability_ppm > 500_000
    assert scorers.ask(str(model), {}).score < answer.score


@pytest.mark.django_db(transaction=True)
def test_a_model_that_is_missing_or_broken_is_refused_by_name(artefact: Artefact) -> None:
    for name in ("default@1", "default", "default@x"):
        with pytest.raises(ModelNotFound):
            scorers.ask(name, {})
    broken = kept(artefact, text=artefact.text.replace("leaf_value=", "leaf_value=9", 1))
    with pytest.raises(UnusableModel):
        scorers.ask(str(broken), {})


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["default@1", "gone@1"])
def test_a_process_reads_policy_and_model_before_the_first_decision(artefact: Artefact, name: str) -> None:
    get_ready()
    before = scorers.loaded.cache_info().currsize
    kept(artefact)
    drafted = draft_policy(
        name="with-model",
        rules=starting.RULES,
        thresholds=starting.THRESHOLDS,
        limits=starting.LIMITS,
        rates=starting.RATES,
        actor="user:1",
        model={"name": name, "points": [[0, 1]]},
    )
    activate_policy(policy=drafted, actor="user:2", reason="better")
    get_ready()
    assert scorers.loaded.cache_info().currsize - before == (name == "default@1")


@pytest.mark.django_db(transaction=True)
def test_training_stores_a_challenger_with_its_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "ROUNDS", 50)
    first = trained()
    row = RiskModel.objects.get(name="default")
    assert (str(row), row.state, row.digest) == ("default@1", ModelState.CHALLENGER, first.digest)
    assert row.card["simulated"] is True
    assert row.card["frauds"] > 20
    assert row.card["last_day"] == "2025-02-04"
    assert len(row.card["later"]["calibration"]) == 10
    assert set(row.card["later"]) >= {"auc", "ap", "calibration", "influence"}
    assert scorers.loaded("default@1").digest == row.digest


@pytest.mark.django_db(transaction=True)
def test_one_champion_and_the_way_back(artefact: Artefact) -> None:
    kept(artefact)
    kept(artefact)
    for model in ("default@1", "default@2", "default@1", "default@1"):
        assert crown_model(model=model, actor="user:1", reason="better") == model
        assert scorers.champion("default") == model
    assert scorers.champion("other") == ""
    with pytest.raises(ModelNotFound):
        crown_model(model="default@3", actor="user:1", reason="better")
    broken = kept(artefact, signature="0" * 64)
    with pytest.raises(UnusableModel):
        crown_model(model=str(broken), actor="user:1", reason="better")
    assert scorers.champion("default") == "default@1"


@pytest.mark.django_db(transaction=True)
def test_who_may_crowns_a_model_in_the_console(artefact: Artefact) -> None:
    rows = [kept(artefact), kept(artefact), kept(artefact, signature="0" * 64)]
    listed = reverse("admin:risk_riskmodel_changelist")

    def crown(client: Client, *chosen: RiskModel) -> str:
        asked = {"action": "crown", "_selected_action": [str(row.pk) for row in chosen]}
        return client.post(listed, asked, follow=True).content.decode()

    crown(person("ann", "risk.view_riskmodel"), rows[0])
    assert scorers.champion("default") == ""
    boss = person("max", "risk.view_riskmodel", "risk.crown_riskmodel")
    assert "is the champion" in crown(boss, rows[0])
    assert "Choose one model" in crown(boss, *rows[:2])
    assert "not signed by this installation" in crown(boss, rows[2])
    assert scorers.champion("default") == "default@1"
    page = boss.get(reverse("admin:risk_riskmodel_change", args=[rows[0].pk])).content.decode()
    assert rows[0].digest in page
    assert "leaf_value" not in page


@pytest.mark.django_db(transaction=True)
def test_verify_names_a_model_that_is_not_ours(artefact: Artefact) -> None:
    def named() -> list[str]:
        return [one.subject for name, _, found in invariants.check() for one in found if "models" in name]

    kept(artefact)
    assert named() == []
    foreign = kept(artefact, key="00000000").public_id
    assert named() == [foreign]


@pytest.mark.django_db(transaction=True)
def test_a_generated_world_is_a_start_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "ROUNDS", 20)
    monkeypatch.setattr(worlds, "generate", {12: WORLD}.__getitem__)
    out = StringIO()
    call_command("train_risk_model", world=12, days=20, champion=True, stdout=out)
    told = json.loads(out.getvalue())
    assert (told["model"], told["card"]["source"]) == ("default@1", "generated world 12")
    assert told["card"]["simulated"] is True
    assert scorers.champion("default") == "default@1"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", [{"text": "tree\n"}, {"signature": "1" * 64}, {"card": {"auc": 1}}])
def test_a_stored_model_never_changes(artefact: Artefact, change: dict[str, Any]) -> None:
    kept(artefact)
    with pytest.raises(DatabaseError, match="frozen"):
        RiskModel.objects.update(**change)
    with pytest.raises(DatabaseError, match="kept"):
        RiskModel.objects.all().delete()


@pytest.mark.django_db(transaction=True)
def test_too_few_outcomes_teach_nothing() -> None:
    honest = [past for past in WORLD.pasts if not past.fraud]
    for pasts in ([], honest):
        with pytest.raises(TooFewOutcomes):
            train_model(name="x", pasts=pasts, days=20, source="x", simulated=True, actor="user:1")
    with pytest.raises(CommandError, match="frauds"):
        call_command("train_risk_model")
    assert not RiskModel.objects.filter(state=ModelState.CHALLENGER).exists()


def _file(path: Path) -> Path:
    lines = ["at,customer,terminal,amount,fraud"]
    for past in WORLD.pasts:
        at = np.datetime64(past.at, "ms")
        customer, merchant = past.parties["customer"], past.parties["merchant"]
        lines.append(f"{at},{customer},{merchant},{past.amount / 100:.2f},{past.fraud}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_evaluation_tells_every_week_beside_the_baseline(tmp_path: Path) -> None:
    out = StringIO()
    file = _file(tmp_path / "payments.csv")
    call_command("evaluate_risk_model", transactions=file, weeks=_weeks("2025-02-05"), json=True, stdout=out)
    told = json.loads(out.getvalue())
    week = told["weeks"]["2025-02-05"]
    for who in ("model", "baseline"):
        assert set(week[who]) == {"auc", "ap", "cp100", "recall_at_0.1pct"}
        assert week[who] == told["mean"][who]
    assert week["model"]["ap"] > week["baseline"]["ap"]
    with pytest.raises(CommandError, match="no frauds in the week of 2031"):
        call_command("evaluate_risk_model", transactions=file, weeks=_weeks("2031-01-01"))


def _weeks(text: str) -> list[date]:
    return [date.fromisoformat(text)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("at,customer,terminal\n", "amount, fraud"),
        ("at,customer,terminal,amount,fraud\nyesterday,1,1,5,0\n", "line 2"),
        ("at,customer,terminal,amount,fraud\n2025-01-01,1,1,five,0\n", "line 2"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "payments.csv"
    file.write_text(text)
    with pytest.raises(CommandError, match=problem):
        call_command("evaluate_risk_model", transactions=file, weeks=_weeks("2025-01-01"))
