"""Run mypy over the whole tree, and fail if it did not look at every file: python tests/typed.py."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("tensorgrad", "layers", "optim", "tests", "examples", "benchmarks", "docs")


def main() -> int:
    """Return mypy's exit status, or 1 if it overlooked a file."""
    ran = subprocess.run([sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True, check=False)
    print(ran.stdout + ran.stderr, end="")
    files = {path.resolve() for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}
    seen = re.search(r"checked (\d+) source files|in (\d+) source files", ran.stdout)
    count = int(next(filter(None, seen.groups()))) if seen else 0
    if count < len(files):
        print(f"mypy looked at {count} files, but there are {len(files)}")
        return 1
    return ran.returncode


if __name__ == "__main__":
    raise SystemExit(main())
