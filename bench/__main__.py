"""`python -m bench [NAME …]`: each benchmark in a process of its own, one JSON object a line."""

import subprocess
import sys

NAMES = (
    "click_to_books",
    "ledger_post",
    "outbox",
    "reconcile",
    "risk_decision",
    "risk_http",
    "risk_replay",
    "webhooks",
)


def main() -> int:
    names = sys.argv[1:] or NAMES
    if unknown := [name for name in names if name not in NAMES]:
        print(f"unknown: {', '.join(unknown)}; there are: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    broken = [name for name in names if _run(name)]
    for name in broken:
        print(f"{name} did not come to its end", file=sys.stderr)
    return 1 if broken else 0


def _run(name: str) -> int:
    return subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
