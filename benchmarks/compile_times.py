"""Time to compile value and gradient of a divergence: ours beside the textbook's graph, bare and checked.

Three terms by themselves, and a model with twenty, as samplers compile it (graphs.py). "Cold" is with empty
caches, in a new directory; "warm" is a later process with the caches that the first one left, the least of
some. Seconds of processor time until the first result, with the building of the graph, and with those of the
C compiler; PyTensor's default mode and its BLAS are as they are found (C before PyTensor 3, Numba since).

Importing the libraries and compiling an unrelated small function come first and do not count. Nor does what
ours loads when it builds the first term of a process, since PyMC loads its own when it is imported: a term of
an unrelated pair loads it before, and how long that takes is the column "loading" of the rows. Byte code is
there, as it is where pip has installed a library.
``--pythons`` names interpreters to measure with, one after the other, each with libraries of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from tempfile import TemporaryDirectory

from benchmarks.common import ROOT, Row, alone, processor_time
from benchmarks.record import version

KINDS = ("normal", "diagonal", "dense", "model")
NAMES = ("ours", "checked", "textbook")


def report(graph: str, kind: str, times: int) -> None:
    """Print what is measured, each time in a process of its own, which has everything imported before."""
    import numpy as np
    import pymc as pm
    import pytensor
    import pytensor.tensor as pt

    import benchmarks.graphs
    from kl_plugins import kl

    unrelated = pt.dvector()
    pytensor.function([unrelated], 3.0 * pt.exp(unrelated))(np.ones(2))
    backend = (
        "Numba" if "numba" in type(pytensor.compile.mode.get_default_mode().linker).__name__.lower() else "C"
    )
    before = processor_time()
    kl(pm.Poisson.dist(1.0), pm.Poisson.dist(2.0))
    loading = processor_time() - before
    for _ in range(times):
        sys.stdout.flush()
        if not (child := os.fork()):
            before = processor_time()
            benchmarks.graphs.first_result(graph, kind)
            print("RESULT", processor_time() - before, loading, backend, version("pymc"), version("pytensor"))
            sys.stdout.flush()
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            sys.exit("the process that measures has failed")


def measured(python: str, graph: str, kind: str, repeats: int) -> Row:
    """Seconds with cold and with warm caches and of the loading before, and what they were measured with."""
    command = [python, "-m", "benchmarks.compile_times", "graph", graph, kind]
    with TemporaryDirectory() as directory:
        flags = ",".join(filter(None, [os.environ.get("PYTENSOR_FLAGS"), f"base_compiledir={directory}"]))
        environment = os.environ | {"PYTENSOR_FLAGS": flags}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        found = []
        for times in (1, repeats):
            done = subprocess.run(
                [*command, str(times)], env=environment, capture_output=True, text=True, cwd=ROOT
            )
            if done.returncode:
                raise RuntimeError(done.stderr)
            found += [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("RESULT")]
    _, _, backend, pymc, pytensor = found[0]
    loading = min(float(row[1]) for row in found)
    cold, *warm = (float(row[0]) for row in found)
    return {
        "pymc": pymc, "pytensor": pytensor, "backend": backend, "pair": kind, "graph": graph,
        "cold": cold, "warm": min(warm), "loading": loading,
    }  # fmt: skip


def rows(only: str = "", repeats: int = 3, pythons: str = sys.executable) -> list[Row]:
    """Processor seconds of value with gradient, for each interpreter, term and graph."""
    found = []
    for python in pythons.split(os.pathsep):
        subprocess.run([python, "-m", "compileall", "-q", "kl_plugins", "benchmarks"], cwd=ROOT, check=True)
        for kind in (kind for kind in KINDS if only in kind):
            for graph in NAMES:
                found.append(measured(python, graph, kind, repeats))
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["graph"]:
        report(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        alone("compile_times", rows, {"only": "normal", "repeats": 1}, __doc__)
