"""`python -m bench.attacks --seed 4`: the last line is one JSON object; exit code 1 unless the figures are reached."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from bench.frame import RESULTS, machine, say
from bench.own_database import own_database
from bench.own_redis import own_redis

PERSONS = 1500


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.attacks")
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--persons", type=int, default=PERSONS, help="honest shoppers")
    parser.add_argument(
        "--no-graph", action="store_true", help="the same policy without the rules that read it"
    )
    parser.add_argument("--no-model", action="store_true", help="and without its model")
    asked = parser.parse_args()
    with own_database(durable=False), own_redis():
        told = run(asked.seed, asked.persons, graph=not asked.no_graph, model=not asked.no_model)
    RESULTS.mkdir(parents=True, exist_ok=True)
    name = f"attacks-{asked.seed}{'-no-graph' * asked.no_graph}{'-no-model' * asked.no_model}"
    (RESULTS / f"{name}.json").write_text(json.dumps(told, indent=2) + "\n")
    print(json.dumps(told), flush=True)
    return 0 if told["reached"] else 1


def run(seed: int, persons: int, *, graph: bool, model: bool) -> dict[str, Any]:
    from bench.attacks import judge  # noqa: PLC0415 - needs settings
    from bench.attacks.attackers import RING  # noqa: PLC0415
    from bench.attacks.policy import decide_by  # noqa: PLC0415
    from bench.attacks.script import digest  # noqa: PLC0415
    from bench.attacks.shop import Shop  # noqa: PLC0415

    visits = planned(seed, persons)
    labels = digest(visits)
    say(f"{len(visits)} payments planned, labels sealed: {labels[:16]}")
    say(f"{decide_by(graph=graph, model=model)} decides")
    began = time.monotonic()
    shop = Shop(seed)
    answers = shop.live(visits)
    say(f"lived in {time.monotonic() - began:.0f} s")
    told = judge.figures(answers, shop.bought)
    honest, attacks = told["honest"], told["attacks"]
    reached = (
        attacks["stopped_or_asked_pct"] >= 95 and honest["rejected_pct"] < 0.1 and honest["asked_pct"] < 3
    )
    return {
        "name": "attacks",
        "seed": seed,
        "graph": graph,
        "model": model,
        "labels": labels,
        **told,
        "ring_caught": judge.caught(answers, RING),
        "machine": machine(),
        "reached": reached,
    }


def planned(seed: int, persons: int) -> Sequence[Any]:
    from bench.attacks.attackers import attack  # noqa: PLC0415
    from bench.attacks.people import shoppers  # noqa: PLC0415
    from bench.attacks.script import Plan  # noqa: PLC0415

    plan = Plan(seed)
    attack(plan, shoppers(plan, persons))
    return plan.written()


if __name__ == "__main__":
    sys.exit(main())
