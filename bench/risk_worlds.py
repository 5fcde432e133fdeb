"""`python -m bench.risk_worlds`: ten worlds that the pipeline has not seen, beside the Handbook's 15 features.

Per world: average precision of both, how far ahead, and in how many caught frauds of each cause the group of reasons
with the most points names it. Everything is frozen: only the seed differs. The detection is of made-up worlds.
"""

import json
import sys
from argparse import ArgumentParser
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

from bench.frame import RESULTS, machine, say
from risk import baseline, measures, protocol, worlds
from risk.examples import examples
from risk.history import DAY
from risk.learning import Scorer, matrix, signals_of, train

SEEDS = range(9001, 9011)
_AHEAD, _NAMED, _FLAGGED = 0.04, 0.99, 0.001
# An amount that is large for all, or for its customer: both are told as the amount.
NAMES_IT = {"amount": {"amount"}, "merchant": {"merchant"}, "customer": {"amount", "customer"}}


def judge(seed: int) -> dict[str, Any]:
    started = perf_counter()
    world = worlds.generate(seed)
    start = datetime.fromtimestamp((worlds.START + (world.constants.days - 7) * DAY) / 1000, UTC).date()
    wanted = protocol.wanted_days([start])
    made = examples(
        world.pasts, wanted=wanted.__contains__, kinds=("customer", "merchant"), beside_baseline=True
    )
    frauds: dict[int, set[int]] = {}
    for past in world.pasts:
        if past.fraud:
            frauds.setdefault(past.day, set()).add(past.parties["customer"])
    rows = protocol.split(made, frauds, start)
    causes = [cause for past, cause in zip(world.pasts, world.causes, strict=True) if past.day in wanted]
    labels = [made.fraud[row] for row in rows.train]
    ours, theirs = signals_of(made), matrix(made.plain, len(baseline.NAMES))
    model = Scorer(train(ours[rows.train], labels), made.names)
    plain = Scorer(train(theirs[rows.train], labels, plain=True), baseline.NAMES)
    scores = model.scores(ours[rows.test])
    figures = protocol.figures(made, rows.test, scores)
    beside = protocol.figures(made, rows.test, plain.scores(theirs[rows.test]))
    judged = [made.fraud[row] for row in rows.test]
    limit = measures.threshold(scores, judged, _FLAGGED)
    caught = [row for row, score in zip(rows.test, scores, strict=True) if made.fraud[row] and score > limit]
    return {
        "seed": seed,
        "ap": round(figures["ap"], 4),
        "baseline_ap": round(beside["ap"], 4),
        "ahead": round(figures["ap"] - beside["ap"], 4),
        "recall_at_0.1pct": round(figures["recall_at_0.1pct"], 4),
        "payments": len(world.pasts),
        "frauds_judged": sum(judged),
        "named": named(model, ours[caught], [causes[row] for row in caught]),
        "seconds": round(perf_counter() - started, 1),
    }


def named(model: Scorer, rows: Any, causes: list[str]) -> dict[str, list[int]]:
    """By cause: caught, and of them those whose first group of reasons names it."""
    total = Counter(causes)
    right: Counter[str] = Counter()
    for answer, cause in zip(model.answers(rows) if causes else [], causes, strict=True):
        right[cause] += answer.groups[0][0] in NAMES_IT[cause]
    return {cause: [total[cause], right[cause]] for cause in worlds.CAUSES}


def main() -> int:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=lambda text: [int(part) for part in text.split(",")], default=SEEDS)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    found = []
    with ProcessPoolExecutor(options.processes) as pool:
        for world in pool.map(judge, options.seeds):
            say(json.dumps(world))
            found.append(world)
    ahead = sum(world["ahead"] >= _AHEAD for world in found)
    sums = {cause: [sum(w["named"][cause][i] for w in found) for i in (0, 1)] for cause in worlds.CAUSES}
    shares = {cause: round(right / max(total, 1), 4) for cause, (total, right) in sums.items()}
    result = {
        "name": "risk_worlds",
        "ratio": ahead / len(found),
        "reference": f"worlds in which the model is ahead of the 15 features by {_AHEAD} AP",
        "figures": {"worlds": found, "named": shares, "caught": sums, "machine": machine()},
        "reached": ahead == len(found) and min(shares.values()) >= _NAMED,
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "risk_worlds.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result), flush=True)
    return 0 if result["reached"] else 1


if __name__ == "__main__":
    sys.exit(main())
