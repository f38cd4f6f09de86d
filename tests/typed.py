"""Check the types: python tests/typed.py, where the package is installed with ``pip install -e .``.

mypy checks the whole tree, and must have looked at every file. mypy and pyright check ``user_script.py`` from another
folder, with the package as they find it from there. The script says, with ``assert_type``, what an editor should know.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("tensorgrad", "layers", "optim", "tests", "examples", "benchmarks", "docs")


def run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a module of this Python in a folder, and show what it says."""
    ran = subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False)
    print(ran.stdout + ran.stderr, end="")
    return ran


def whole_tree() -> int:
    """Return mypy's exit status, or 1 if it overlooked a file."""
    ran = run("mypy", folder=ROOT)
    files = {path.resolve() for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}
    seen = re.search(r"checked (\d+) source files|in (\d+) source files", ran.stdout)
    count = int(next(filter(None, seen.groups()))) if seen else 0
    if count < len(files):
        print(f"mypy looked at {count} files, but there are {len(files)}")
        return 1
    return ran.returncode


def from_elsewhere() -> int:
    """Return 1 if mypy or pyright finds a mistake in a user's script, or it does not run."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script = shutil.copy(ROOT / "tests" / "user_script.py", folder)
        checks = (
            run("mypy", "--strict", script, folder=folder),
            run("pyright", "--pythonpath", sys.executable, script, folder=folder),
        )
        runs = subprocess.run([sys.executable, script], cwd=folder, check=False)
    return int(any(ran.returncode for ran in (*checks, runs)))


if __name__ == "__main__":
    raise SystemExit(whole_tree() | from_elsewhere())
