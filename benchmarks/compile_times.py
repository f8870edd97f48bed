"""Time to compile a divergence: ours beside the textbook graph, bare and with parameter checks like ours.

Every figure is that of a process of its own: in one process, the graph that is compiled first would pay for
what PyTensor loads then. "Cold" is with empty caches, in a new directory; "warm" is a second process with the
caches that the first one left. Seconds of processor time until the first result, those of the C compiler
included, with PyTensor's default mode and its BLAS as they are found (C before PyTensor 3, Numba since).
Importing the libraries and compiling an unrelated small function come first and do not count.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from pymc.distributions.dist_math import check_parameters

from benchmarks.common import ROOT, Row, alone, processor_time
from kl_plugins import Cholesky, Dense, Diagonal, MultivariateNormal, kl
from kl_plugins.families.normal import Normal

rng = np.random.default_rng(5)
_FACTOR = np.tril(rng.normal(size=(5, 5)), -1) + np.diag(rng.uniform(0.5, 2.0, 5))
_ROOT = rng.normal(size=(5, 10))
DATA = {
    "normal": [0.3, 1.7, 0.2, 0.7],
    "diagonal": [rng.normal(size=5), rng.uniform(size=5), rng.normal(size=5), rng.uniform(size=5)],
    "dense": [rng.normal(size=5), _FACTOR, rng.normal(size=5), _ROOT @ _ROOT.T],
}
"""Mean of p; its scale, variances or Cholesky factor; mean of q; its scale, variances or covariance."""


def ours(kind: str, mp: Any, p: Any, mq: Any, q: Any) -> Any:
    if kind == "normal":
        return kl(Normal(mp, p), Normal(mq, q))
    make_p, make_q = (Diagonal, Diagonal) if kind == "diagonal" else (Cholesky, Dense)
    return kl(MultivariateNormal(mp, make_p(p)), MultivariateNormal(mq, make_q(q)))


def textbook(kind: str, mp: Any, p: Any, mq: Any, q: Any) -> Any:
    gap = mp - mq
    if kind == "normal":
        return pt.log(q / p) + (p**2 + gap**2) / (2.0 * q**2) - 0.5
    if kind == "diagonal":
        return 0.5 * pt.sum(pt.log(q / p) + (p + gap**2) / q - 1.0)
    matrix, inverse = p @ p.T, pt.linalg.inv(q)
    log_dets = pt.linalg.slogdet(q)[1] - pt.linalg.slogdet(matrix)[1]
    return 0.5 * (pt.trace(inverse @ matrix) + gap @ inverse @ gap - mp.shape[0] + log_dets)


def checked(kind: str, mp: Any, p: Any, mq: Any, q: Any) -> Any:
    """The textbook graph with what our checks check, as PyMC's logp would state it: a node for each."""
    value = textbook(kind, mp, p, mq, q)
    conditions = [pt.invert(pt.isinf(mp)), pt.invert(pt.isinf(mq))]
    if kind == "dense":
        conditions += [pt.invert(pt.or_(pt.isnan(x), pt.isinf(x))) for x in (p, q)]
        conditions += [pt.eq(pt.triu(p, 1), 0.0), pt.diagonal(p) > 0.0, pt.le(pt.abs(q - q.T), 1e-8)]
        conditions += [pt.diagonal(pt.linalg.cholesky(q)) > 0.0]
    else:
        conditions += [condition for x in (p, q) for condition in (x > 0.0, pt.invert(pt.isinf(x)))]
    if kind != "normal":
        conditions += [pt.eq(mp.shape[0], x) for x in (mq.shape[0], p.shape[-1], q.shape[-1])]
    for i, condition in enumerate(conditions):
        value = check_parameters(value, condition, msg=f"condition {i}", can_be_replaced_by_ninf=False)
    return value


GRAPHS: dict[str, Callable[..., Any]] = {f.__name__: f for f in (ours, textbook, checked)}


def report(graph: str, kind: str, gradient: bool) -> None:
    """Print the nodes after rewriting, and the seconds until the first result, for one graph."""
    numbers = [np.asarray(x) for x in DATA[kind]]
    unrelated = pt.dvector()
    pytensor.function([unrelated], 3.0 * pt.exp(unrelated))(np.ones(2))
    start = processor_time()
    inputs = [pt.tensor(dtype="float64", shape=(None,) * x.ndim) for x in numbers]
    outputs = [GRAPHS[graph](kind, *inputs)]
    if gradient:
        outputs += pytensor.grad(outputs[0], [inputs[0], inputs[1], inputs[3]])
    function = pytensor.function(inputs, outputs)
    function(*numbers)
    print("RESULT", len(function.maker.fgraph.apply_nodes), processor_time() - start)


def measured(*arguments: str) -> tuple[int, float, float]:
    """Nodes, and seconds with cold and with warm caches."""
    found = []
    with TemporaryDirectory() as directory:
        flags = ",".join(filter(None, [os.environ.get("PYTENSOR_FLAGS"), f"base_compiledir={directory}"]))
        environment = os.environ | {"PYTENSOR_FLAGS": flags}
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.compile_times", "graph", *arguments],
                env=environment,
                capture_output=True,
                text=True,
                cwd=ROOT,
            )
            lines = [line.split() for line in done.stdout.splitlines() if line.startswith("RESULT")]
            if not lines:
                raise RuntimeError(done.stderr)
            found.append((int(lines[0][1]), float(lines[0][2])))
    return found[0][0], found[0][1], found[1][1]


def rows(only: str = "") -> list[Row]:
    """Nodes and processor seconds of value with gradient, for each pair and graph."""
    found = []
    for kind in (kind for kind in DATA if only in kind):
        for graph in GRAPHS:
            nodes, cold, warm = measured(graph, kind, "gradient")
            found.append({"pair": kind, "graph": graph, "nodes": nodes, "cold": cold, "warm": warm})
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["graph"]:
        report(sys.argv[2], sys.argv[3], sys.argv[4] == "gradient")
    else:
        alone("compile_times", rows, {"only": "normal"}, __doc__)
