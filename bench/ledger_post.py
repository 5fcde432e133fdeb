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
from config.garbage import collect_rarely

HORDAK = Path("var/bench/hordak")
TRANSFERS = 1500


def hordak(cluster: Cluster) -> dict[str, float]:
    """django-hordak from PyPI, in an environment of its own. Empty where it can not be had."""
    python = HORDAK / "bin" / "python"
    try:
        if not (HORDAK / "installed").exists():
            venv.create(HORDAK, with_pip=True, clear=True)
            subprocess.run([str(python), "-m", "pip", "install", "--quiet", *_wanted()], check=True)
            (HORDAK / "installed").touch()
        url = cluster.url("hordak", "bench", "hordak")
        done = subprocess.run(
            [str(python), "bench/beside_hordak.py", url, str(TRANSFERS)],
            check=True,
            capture_output=True,
            text=True,
        )
    except subprocess.CalledProcessError as error:
        say(f"without django-hordak: {error} {error.stderr or ''}")
        return {}
    told: dict[str, float] = json.loads(done.stdout)
    return told


def _wanted() -> list[str]:
    """The dependency group `bench`."""
    groups = tomllib.loads(Path("pyproject.toml").read_text())["dependency-groups"]
    return list(groups["bench"])


def main() -> None:
    with own_database() as cluster:
        from bench import posting  # noqa: PLC0415 - needs settings

        posting.prepare()
        collect_rarely()  # as every process does that serves
        rounds = []
        for number in range(ROUNDS):
            figures = posting.one_round()
            rounds.append(figures | _beside(figures, hordak(cluster)))
            say(f"round {number + 1}: {rounds[-1]}")
        figures = median_of(rounds)
        figures |= posting.balance_reads()
        figures |= posting.statement_reads()
        posting.prove()
    ratio = median([figures[f"post_many_{size}_of_raw"] for size in posting.BATCHES])
    finish(
        "ledger_post",
        ratio=ratio,
        reference="two multi-row INSERTs a commit into the same tables with the same triggers, their text made before",
        figures={**figures, "accounts": posting.ACCOUNTS, "entries": posting.MANY_ENTRIES},
        reached=_reached(ratio, figures),
    )


def _beside(figures: dict[str, float], told: dict[str, float]) -> dict[str, float]:
    """What both did in the same minute."""
    if not told:
        return {}
    best = max(figures[f"post_many_{size}"] for size in (100, 1000, 8000))
    return {
        **told,
        "post_of_hordak": round(figures["post_1"] / told["hordak"], 2),  # whose transfers are alone, too
        "post_in_transaction_of_hordak": round(figures["post_1_in_transaction"] / told["hordak"], 2),
        "post_many_of_hordak": round(best / told["hordak"], 1),
    }


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
