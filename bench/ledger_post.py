"""`ledger_post`: postings one by one and in batches, spread over accounts and into a hot one; and reading a balance."""

import json
import subprocess
import tomllib
import venv
from pathlib import Path
from typing import Any

from bench.frame import ROUNDS, finish, median, median_of, say
from bench.own_database import own_database
from config.embedded.postgres import Cluster

HORDAK = Path("var/bench/hordak")


def hordak(cluster: Cluster) -> dict[str, Any]:
    """django-hordak from PyPI, in an environment of its own. Empty where it can not be had."""
    python = HORDAK / "bin" / "python"
    try:
        if not (HORDAK / "installed").exists():
            venv.create(HORDAK, with_pip=True, clear=True)
            subprocess.run([str(python), "-m", "pip", "install", "--quiet", *_wanted()], check=True)
            (HORDAK / "installed").touch()
        url = cluster.url("hordak", "bench", "hordak")
        done = subprocess.run(
            [str(python), "bench/beside_hordak.py", url, "300", str(ROUNDS)],
            check=True,
            capture_output=True,
            text=True,
        )
    except subprocess.CalledProcessError as error:
        say(f"without django-hordak: {error} {error.stderr or ''}")
        return {}
    told = json.loads(done.stdout)
    return {"hordak": round(told["per_second"], 1), "hordak_balance_ms": round(told["balance_ms"], 2)}


def _wanted() -> list[str]:
    """The dependency group `bench`."""
    groups = tomllib.loads(Path("pyproject.toml").read_text())["dependency-groups"]
    return list(groups["bench"])


def main() -> None:
    with own_database() as cluster:
        from bench import posting  # noqa: PLC0415 - needs settings

        posting.prepare()
        rounds = []
        for number in range(ROUNDS):
            rounds.append(posting.one_round())
            say(f"round {number + 1}: {rounds[-1]}")
        figures: dict[str, Any] = {**median_of(rounds), **hordak(cluster)}
        say(f"medians: {figures}")
        figures |= posting.balance_reads()
        figures |= posting.statement_reads()
        posting.prove()
    ratio = median([figures[f"post_many_{size}_of_raw"] for size in posting.BATCHES])
    if "hordak" in figures:
        best = max(figures[f"post_many_{size}"] for size in posting.BATCHES)
        figures["post_of_hordak"] = round(figures["post_1"] / figures["hordak"], 2)
        figures["post_many_of_hordak"] = round(best / figures["hordak"], 1)
    finish(
        "ledger_post",
        ratio=ratio,
        reference="two multi-row INSERTs a commit into the same tables with the same triggers, their text made before",
        figures={**figures, "accounts": posting.ACCOUNTS, "entries": posting.MANY_ENTRIES},
        reached=_reached(ratio, figures),
    )


def _reached(ratio: float, figures: dict[str, Any]) -> bool:
    """Without django-hordak, nobody knows."""
    hot = {name: value for name, value in figures.items() if name.endswith("_hot_of_spread")}
    return (
        ratio >= 0.8
        and figures.get("post_of_hordak", 0) >= 3
        and figures.get("post_many_of_hordak", 0) >= 60
        and all(value >= (0.9 if "many" in name else 0.3) for name, value in hot.items())
        and figures["balance_many_of_few"] <= 1.1
    )


if __name__ == "__main__":
    main()
