"""results.json: the rows of all benchmarks, what they were measured on, and at which commits."""

from __future__ import annotations

import importlib.metadata as installed
import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.common import ROOT

RESULTS = ROOT / "benchmarks" / "results.json"
MEASURED = (
    "kl_plugins",
    "benchmarks",
    "tests/oracle.py",
    "tests/posteriors.py",
    f":!{RESULTS.relative_to(ROOT)}",
)
"""What has to be committed: the code that is measured, and that measures."""
LIBRARIES = ("numpy", "scipy", "plum-dispatch", "numba", "pytensor", "pymc", "arviz")
PEERS = ("torch", "numpyro", "jax", "mpmath", "scikit-learn")


def git(*arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


def uncommitted() -> str:
    """The changes that no commit has, one a line; empty where the tree is clean."""
    return git("status", "--porcelain", "--", *MEASURED)


def cpu() -> str:
    """The name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )


def header() -> dict[str, Any]:
    """Where and when: commit, version, machine, and the versions of Python and the libraries.

    `later` has the commits of the benchmarks that were run again since, by name.
    """
    import kl_plugins

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "commit": git("rev-parse", "HEAD"),
        "later": {},
        "dirty": bool(uncommitted()),
        "version": kl_plugins.__version__,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cpu": cpu(), "cores": cores, "system": f"{platform.system()} {platform.machine()}"},
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES + PEERS},
    }


def commit_of(name: str, results: dict[str, Any]) -> str:
    """The commit at which a benchmark was run: that of the whole run, or a later one."""
    return results["later"].get(name, results["commit"])


def version(name: str) -> str | None:
    try:
        return installed.version(name)
    except installed.PackageNotFoundError:
        return None


def read(path: Path = RESULTS) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def write(results: dict[str, Any], path: Path = RESULTS) -> None:
    """One row a line, so that a change is legible."""
    parts = []
    for key, value in results.items():
        if isinstance(value, list):
            lines = ",\n".join("  " + json.dumps(row, ensure_ascii=False, allow_nan=False) for row in value)
            text = f"[\n{lines}\n ]" if value else "[]"
        else:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        parts.append(f" {json.dumps(key)}: {text}")
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")
