"""Value and gradient of the divergence of two full Gaussians: PyTensor's Numba backend beside PyTorch.

The gradient is with respect to (μp, Lp, Σq): p has a Cholesky factor, q a covariance matrix. PyTorch
computes ``kl_divergence`` and ``backward`` in the same process, on the same data, alternating with ours, as
its users run it and without its checks; each figure is a median. "The call" is what a compiled function of
the same inputs and outputs costs that computes nothing; the textbook graph has its automatic gradient. The
time to compile the two is in compile_times.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
import torch
from torch.distributions import MultivariateNormal as TorchNormal
from torch.distributions import kl_divergence

from benchmarks.common import Row, alone, interleaved
from benchmarks.graphs import ours, textbook

DIMENSIONS = (5, 100, 500)
QUICK = {"seconds": 0.2}


def data(d: int) -> list[np.ndarray]:
    """μp, Lp, μq and Σq."""
    rng = np.random.default_rng(d)
    factor = np.tril(rng.normal(size=(d, d)), -1) / np.sqrt(d) + np.diag(rng.uniform(0.5, 2.0, d))
    root = rng.normal(size=(d, 2 * d)) / np.sqrt(d)
    return [rng.normal(size=d), factor, rng.normal(size=d), root @ root.T]


def compiled(divergence: Callable[..., Any]) -> Any:
    """A function of the value and the gradient."""
    inputs = [pt.dvector("mp"), pt.dmatrix("lp"), pt.dvector("mq"), pt.dmatrix("sq")]
    value = divergence("dense", *inputs)
    gradient = pytensor.grad(value, [inputs[0], inputs[1], inputs[3]])
    return pytensor.function(inputs, [value, *gradient], mode="NUMBA", trust_input=True)


def empty() -> Any:
    inputs = [pt.dvector("mp"), pt.dmatrix("lp"), pt.dvector("mq"), pt.dmatrix("sq")]
    mp, lp, _, sq = inputs
    outputs = [pt.constant(1.0), mp, lp, sq]
    outputs = [pytensor.Out(output, borrow=True) for output in outputs]
    return pytensor.function(inputs, outputs, mode="NUMBA", trust_input=True, on_unused_input="ignore")


def torch_autograd(arrays: list[np.ndarray], checks: bool) -> Callable[[], Any]:
    mp, lp, mq, sq = (torch.tensor(array) for array in arrays)
    wanted = [mp, lp, sq]
    for tensor in wanted:
        tensor.requires_grad_()

    def run() -> Any:
        for tensor in wanted:
            tensor.grad = None
        p = TorchNormal(mp, scale_tril=lp, validate_args=checks)
        value = kl_divergence(p, TorchNormal(mq, sq, validate_args=checks))
        value.backward()
        return [value.item(), *(tensor.grad.numpy() for tensor in wanted)]

    return run


def check(found: Any, expected: Any) -> None:
    """The same value and gradient; PyTorch's have an upper triangle, or need not be symmetric."""
    value, by_mean, by_factor, by_matrix = expected
    wanted = value, by_mean, np.tril(by_factor), (by_matrix + by_matrix.T) / 2.0
    for ours_, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours_, theirs, rtol=1e-8, atol=1e-8)


def rows(seconds: float = 4.0) -> list[Row]:
    """Processor seconds of value and gradient for each dimension."""
    function, naive, nothing = compiled(ours), compiled(textbook), empty()
    found = []
    for d in DIMENSIONS:
        arrays = data(d)
        peers = {f"PyTorch{', no checks' * (not on)}": torch_autograd(arrays, on) for on in (True, False)}
        check(function(*arrays), peers["PyTorch"]())
        runs = {"kl_plugins": function, "the call": nothing, "textbook": naive}
        calls = {name: lambda run=run, a=arrays: run(*a) for name, run in runs.items()} | peers
        times = dict(zip(calls, interleaved(list(calls.values()), seconds), strict=True))
        found.append({"d": d, "seconds": times})
    return found


if __name__ == "__main__":
    alone("gradients", rows, QUICK, __doc__)
