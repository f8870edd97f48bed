"""What the benchmarks share: their command line, the processor's clock, and the textbook formula.

Everything is measured on one core, in seconds of the processor: libraries whose threads share the cores of
one process wait for each other, and other programs of the machine would count.
"""

from __future__ import annotations

import argparse
import inspect
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests"
ONE_CORE = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
"""Environment of a process whose libraries are to use one thread; they count before anybody can tell them."""

Row = dict[str, Any]


class CannotRunError(Exception):
    """A benchmark that cannot be run here, and why."""


def pin() -> bool:
    """Keep this process, and those that it starts, to one core; whether it was not so before."""
    alone = all(os.environ.get(name) == "1" for name in ONE_CORE)
    os.environ.update(ONE_CORE)
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        alone = alone and len(cores) == 1
        os.sched_setaffinity(0, cores[:1])
    return not alone


def processor_time() -> float:
    """Seconds of the processor that this process and those that it waited for have used."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def interleaved(functions: list[Callable[[], Any]], seconds: float) -> list[float]:
    """Median processor seconds of a call of each function, called in turns for about the given time."""
    clock = time.process_time
    times: list[list[float]] = [[] for _ in functions]
    loops = []
    for function in functions:
        function()
        start = clock()
        function()
        loops.append(max(1, int(2e-3 / max(clock() - start, 1e-9))))
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 5:
        for function, loop, found in zip(functions, loops, times, strict=True):
            start = clock()
            for _ in range(loop):
                function()
            found.append((clock() - start) / loop)
    return [statistics.median(found) for found in times]


def textbook(mp: Any, sp: Any, mq: Any, sq: Any) -> Any:
    """½ [tr(Σq⁻¹Σp) + (μq − μp)ᵀ Σq⁻¹ (μq − μp) − d + ln|Σq| − ln|Σp|] as it is printed, in batches."""
    inverse, gap = np.linalg.inv(sq), mq - mp
    quadratic = np.einsum("...i,...ij,...j->...", gap, inverse, gap)
    log_dets = np.linalg.slogdet(sq)[1] - np.linalg.slogdet(sp)[1]
    return 0.5 * (np.einsum("...ij,...ji->...", inverse, sp) + quadratic - mp.shape[-1] + log_dets)


def covariances(rng: np.random.Generator, shape: Iterable[int], d: int) -> np.ndarray:
    """Random covariance matrices."""
    root = rng.normal(size=(*shape, d, 2 * d))
    matrix = root @ np.swapaxes(root, -1, -2) / (2 * d)
    return (matrix + np.swapaxes(matrix, -1, -2)) / 2.0


def json_number(value: float) -> float | str:
    """A number as JSON has it: what is not finite becomes text, which ``float`` reads."""
    number = float(value)
    return number if math.isfinite(number) else str(number)


def numpyro(requests: list[Any], time_limit: float) -> list[Any]:
    """What numpyro_peer.py answers, in a process of its own; None where the limit came first.

    NumPyro's solves can hang where threads have to share a core.
    """
    command = [sys.executable, "-m", "benchmarks.numpyro_peer"]
    text = json.dumps(requests)
    try:
        output = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=time_limit, check=True, cwd=ROOT
        ).stdout
    except subprocess.TimeoutExpired as late:
        output = (late.stdout or b"").decode()
    except subprocess.CalledProcessError as failed:
        raise RuntimeError(failed.stderr) from failed
    answers = [json.loads(line) for line in output.splitlines() if line.endswith("]")]
    return [answer[0] for answer in answers] + [None] * (len(requests) - len(answers))


def settings_of(rows: Callable[..., list[Row]]) -> dict[str, Any]:
    """The settings of a benchmark, which are those of the published tables."""
    return {key: one.default for key, one in inspect.signature(rows).parameters.items()}


def alone(name: str, rows: Callable[..., list[Row]], quick: dict[str, Any], document: str) -> None:
    """A benchmark's command line: its settings are options; print its tables, or write its rows as JSON."""
    parser = argparse.ArgumentParser(
        f"python -m benchmarks.{name}", description=document, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help=f"only to see that it runs: {quick}")
    parser.add_argument("--json", type=Path, help="write the rows here instead of printing tables")
    for key, default in settings_of(rows).items():
        parser.add_argument(f"--{key.replace('_', '-')}", type=type(default), help=f"default {default!r}")
    chosen = vars(parser.parse_args())
    if pin():  # the libraries are imported, with threads for all cores
        os.execv(sys.executable, [sys.executable, "-m", f"benchmarks.{name}", *sys.argv[1:]])
    as_quick, target = chosen.pop("quick"), chosen.pop("json")
    given = {key: value for key, value in chosen.items() if value is not None}
    found: Any
    try:
        found = rows(**(quick if as_quick else {}) | given)
    except CannotRunError as reason:
        found = str(reason)
    if target:
        target.write_text(json.dumps(found, ensure_ascii=False, allow_nan=False))
        return
    if isinstance(found, str):
        print(f"not run: {found}")
        return
    from benchmarks.render import tables_of

    for title, table in tables_of({name: found}).items():
        print(f"{title}\n\n{table}\n")
