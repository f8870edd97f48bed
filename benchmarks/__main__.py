"""Run the benchmarks on one core, keep their rows in results.json, and render the tables from it.

python -m benchmarks                       all of them, at the commit that is checked out
python -m benchmarks --only speed          replace the rows of one, on the machine of the others
python -m benchmarks --render              only write the tables of README and docs from results.json
python -m benchmarks --quick               small sizes, to see that they run; nothing is kept
python -m benchmarks --pythons A:B         compile_times with these interpreters, for two generations of PyMC
python -m benchmarks --extras PATH         trainer with this interpreter, whose environment has pymc-extras
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from benchmarks import record
from benchmarks.common import ROOT, pin
from benchmarks.render import write_pages


class Benchmark(NamedTuple):
    """What a benchmark shows, and the seconds after which it is given up."""

    shows: str
    limit: float


BENCHMARKS = {
    "accuracy_by_kl": Benchmark("relative error against the divergence, Gaussians", 300),
    "accuracy": Benchmark("relative errors, Gaussians", 300),
    "family_accuracy": Benchmark("exact, ours and PyTorch's values of other families", 120),
    "agreement": Benchmark("our values beside PyTorch's where both are good", 120),
    "speed": Benchmark("time of Gaussians", 600),
    "family_speed": Benchmark("time of univariate families", 600),
    "scale": Benchmark("tables that do not fit into memory", 1200),
    "gradients": Benchmark("time of value and gradient in graphs", 600),
    "compile_times": Benchmark("time to compile graphs", 2400),
    "estimators": Benchmark("bias and error of Monte Carlo rules", 600),
    "draws": Benchmark("estimates from draws, and how often their intervals hold the truth", 7200),
    "optimiser_bias": Benchmark("where PyMC's default optimiser comes to rest", 1200),
    "variational": Benchmark("who claims that a fit converged, and how truly", 1800),
    "minibatches": Benchmark("certificates of fits with minibatches, and their cost", 7200),
    "large_models": Benchmark("certificates and verdicts of large models, and their cost", 7200),
    "verdicts": Benchmark("verdicts on fits beside reference draws", 1200),
    "trainer": Benchmark("watched fits of pymc-extras' Trainer, and the steps they save", 7200),
    "linear_response": Benchmark("corrected sds of mean-field fits beside reference draws", 3600),
}


def run(
    name: str, quick: bool, options: Sequence[str] = (), python: str = sys.executable
) -> tuple[Any, float]:
    """The rows of a benchmark, or why there are none, and how long it took; in a process of its own."""
    with TemporaryDirectory() as folder:
        target = Path(folder) / "rows.json"
        command = [python, "-m", f"benchmarks.{name}", "--json", str(target), *options]
        command += ["--quick"] * quick
        began = time.perf_counter()
        try:
            subprocess.run(
                command, cwd=ROOT, check=True, timeout=BENCHMARKS[name].limit, capture_output=True, text=True
            )
            found = json.loads(target.read_text())
        except subprocess.TimeoutExpired:
            found = f"not done after {BENCHMARKS[name].limit:.0f} s"
        except subprocess.CalledProcessError as failed:
            print(failed.stderr, file=sys.stderr)
            found = "failed: " + failed.stderr.strip().rpartition("\n")[2]
        return found, time.perf_counter() - began


def start(only: list[str]) -> dict[str, Any]:
    """What the new rows go into: the results of the same machine and libraries, or nothing yet.

    A benchmark's ratios are of one run. Benchmarks may be of different commits, which are kept with them.
    """
    fresh = record.header() | {"seconds": {}, "not_run": {}}
    if not only or not record.RESULTS.exists():
        return fresh | {"not_run": dict.fromkeys(BENCHMARKS, "left out")}
    kept = record.read()
    other = [key for key in ("machine", "python", "libraries") if kept[key] != fresh[key]]
    if other:
        sys.exit(f"results.json is of another {' and other '.join(other)}: run all benchmarks")
    later = dict.fromkeys(only, fresh["commit"]) if fresh["commit"] != kept["commit"] else {}
    return kept | {"date": fresh["date"], "dirty": fresh["dirty"], "later": kept["later"] | later}


def main() -> None:
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", default=[], choices=list(BENCHMARKS), metavar="NAME")
    parser.add_argument("--render", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--pythons", default=sys.executable, metavar="PATHS")
    parser.add_argument("--extras", default=sys.executable, metavar="PATH")
    args = parser.parse_args()
    if args.render:
        print("\n".join(write_pages(record.read())))
        return
    pin()
    if not args.quick and (changes := record.uncommitted()):
        sys.exit(f"results are those of a commit, and this is in none:\n{changes}")
    results = {} if args.quick else start(args.only)
    began, failures = time.perf_counter(), []
    for name in args.only or BENCHMARKS:
        print(f"{name:16s} {BENCHMARKS[name].shows:55s}", end="", flush=True)
        options = ["--pythons", args.pythons] if name == "compile_times" else []
        found, seconds = run(name, args.quick, options, args.extras if name == "trainer" else sys.executable)
        print(f"{seconds:6.0f} s" + (f"  {found}" if isinstance(found, str) else ""), flush=True)
        if isinstance(found, str) and found.startswith(("failed", "not done")):
            failures.append(name)
        if args.quick:
            continue
        results["seconds"][name] = round(seconds, 1)
        results["not_run"].pop(name, None)
        if isinstance(found, str):
            results["not_run"][name] = found
            results.pop(name, None)
        else:
            results[name] = found
        record.write(results)
    print(f"{'all':72s}{time.perf_counter() - began:6.0f} s")
    if not args.quick:
        print("\n".join(write_pages(results)))
    if failures:
        sys.exit(f"without results: {', '.join(failures)}")


if __name__ == "__main__":
    main()
