"""Value and gradient of the divergence of two full Gaussians: PyTensor's Numba backend beside PyTorch.

The gradient is with respect to (μp, Lp, Σq): p has a Cholesky factor, q a covariance matrix. PyTorch
computes ``kl_divergence`` and ``backward`` in the same process, on the same data, alternating with ours;
each figure is a median. "of which the call" is what a compiled function of the same inputs and outputs costs
that computes nothing; the textbook graph has its automatic gradient. The time to compile the two is in
``compile_times.py``.
Where other work shares the cores, the threads of the libraries wait for one another, and the figures mean
something with one thread only: OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1.

Needs the extra ``bench``. Run it from the project's root:

    python benchmarks/gradients.py
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
import torch

from kl_plugins import Cholesky, Dense, MultivariateNormal, kl

REPETITIONS = {5: 300, 100: 60, 500: 12}


def data(d: int) -> list[np.ndarray]:
    """μp, Lp, μq and Σq."""
    rng = np.random.default_rng(d)
    factor = np.tril(rng.normal(size=(d, d)), -1) / np.sqrt(d) + np.diag(rng.uniform(0.5, 2.0, d))
    root = rng.normal(size=(d, 2 * d)) / np.sqrt(d)
    return [rng.normal(size=d), factor, rng.normal(size=d), root @ root.T]


def ours(mp: Any, lp: Any, mq: Any, sq: Any) -> Any:
    return kl(MultivariateNormal(mp, Cholesky(lp)), MultivariateNormal(mq, Dense(sq)))


def textbook(mp: Any, lp: Any, mq: Any, sq: Any) -> Any:
    sp, gap = lp @ lp.T, mq - mp
    inverse = pt.linalg.inv(sq)
    log_dets = pt.linalg.slogdet(sq)[1] - pt.linalg.slogdet(sp)[1]
    return 0.5 * (pt.trace(inverse @ sp) + gap @ inverse @ gap - mp.shape[0] + log_dets)


def compiled(divergence: Callable[..., Any]) -> Any:
    """A function of the value and the gradient."""
    inputs = [pt.dvector("mp"), pt.dmatrix("lp"), pt.dvector("mq"), pt.dmatrix("sq")]
    value = divergence(*inputs)
    gradient = pytensor.grad(value, [inputs[0], inputs[1], inputs[3]])
    return pytensor.function(inputs, [value, *gradient], mode="NUMBA", trust_input=True)


def empty() -> Any:
    inputs = [pt.dvector("mp"), pt.dmatrix("lp"), pt.dvector("mq"), pt.dmatrix("sq")]
    mp, lp, _, sq = inputs
    outputs = [pt.constant(1.0), mp, lp, sq]
    outputs = [pytensor.Out(output, borrow=True) for output in outputs]
    return pytensor.function(inputs, outputs, mode="NUMBA", trust_input=True, on_unused_input="ignore")


def torch_autograd(arrays: list[np.ndarray]) -> Callable[[], Any]:
    from torch.distributions import MultivariateNormal, kl_divergence

    mp, lp, mq, sq = (torch.tensor(array) for array in arrays)
    wanted = [mp, lp, sq]
    for tensor in wanted:
        tensor.requires_grad_()

    def run() -> Any:
        for tensor in wanted:
            tensor.grad = None
        value = kl_divergence(MultivariateNormal(mp, scale_tril=lp), MultivariateNormal(mq, sq))
        value.backward()
        return [value.item(), *(tensor.grad.numpy() for tensor in wanted)]

    return run


def check(found: Any, expected: Any) -> None:
    """The same value and gradient; PyTorch's have an upper triangle, or need not be symmetric."""
    value, by_mean, by_factor, by_matrix = expected
    wanted = value, by_mean, np.tril(by_factor), (by_matrix + by_matrix.T) / 2.0
    for ours_, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours_, theirs, rtol=1e-8, atol=1e-8)


def interleaved(runs: list[Callable[[], Any]], repetitions: int) -> list[float]:
    """Median seconds of each, taking turns."""
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(repetitions):
        for record, run in zip(times, runs, strict=True):
            start = perf_counter()
            run()
            record.append(perf_counter() - start)
    return [median(record) for record in times]


def main() -> None:
    """Print the time of value and gradient for each dimension."""
    function, naive = compiled(ours), compiled(textbook)
    nothing = empty()
    print("| d | kl_plugins (µs) | of which the call | PyTorch (µs) | textbook graph (µs) | ours ÷ PyTorch |")
    print("|---|---|---|---|---|---|")
    for d, repetitions in REPETITIONS.items():
        arrays = data(d)
        theirs = torch_autograd(arrays)
        check(function(*arrays), theirs())
        runs = [
            lambda a=arrays: function(*a),
            lambda a=arrays: nothing(*a),
            theirs,
            lambda a=arrays: naive(*a),
        ]
        interleaved(runs, 3)
        ours_, call, torch_, textbook_ = (1e6 * time for time in interleaved(runs, repetitions))
        cells = f"{ours_:.0f} | {call:.1f} | {torch_:.0f} | {textbook_:.0f} | {ours_ / torch_:.3f}"
        print(f"| {d} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
