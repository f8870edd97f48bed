"""NumPyro's answers, in a process of its own: reads requests as JSON and writes a line of JSON for each.

A request is ["divergence", means and covariances of p and q] or ["seconds", kind, shape]: the processor
seconds of a compiled call with the data of speed.py.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.distributions import MultivariateNormal, Normal, kl_divergence

from benchmarks.common import covariances

jax.config.update("jax_enable_x64", True)


def full(mp: Any, sp: Any, mq: Any, sq: Any) -> Any:
    return kl_divergence(MultivariateNormal(mp, sp), MultivariateNormal(mq, sq))


def diagonal(mp: Any, sp: Any, mq: Any, sq: Any) -> Any:
    return kl_divergence(Normal(mp, sp).to_event(1), Normal(mq, sq).to_event(1))


def scalar(mp: Any, sp: Any, mq: Any, sq: Any) -> Any:
    return kl_divergence(Normal(mp, sp), Normal(mq, sq))


def data(kind: str, shape: dict[str, Any]) -> list[Any]:
    """Mean and scale or covariance of p and of q."""
    rng = np.random.default_rng(0)
    if kind == "scalar":
        return [0.0, 1.0, 1.0, 2.0]
    d = shape["d"]
    if kind == "diagonal":
        return [np.zeros(d), rng.random(d) + 0.5, np.zeros(d), rng.random(d) + 0.5]
    n = shape["n"]
    sp, sq = covariances(rng, n, d), covariances(rng, n, d)
    return [np.zeros((*n, d)), sp, np.ones((*n, d)), sq]


def seconds(kind: str, shape: dict[str, Any]) -> float:
    """Median processor seconds of a call."""
    function = jax.jit({"scalar": scalar, "diagonal": diagonal, "full": full}[kind])
    numbers = [jnp.asarray(x) if isinstance(x, np.ndarray) else x for x in data(kind, shape)]
    jax.block_until_ready(function(*numbers))
    start = time.process_time()
    jax.block_until_ready(function(*numbers))
    loop = max(1, int(2e-3 / max(time.process_time() - start, 1e-9)))
    times = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(loop):
            jax.block_until_ready(function(*numbers))
        times.append((time.process_time() - start) / loop)
    return statistics.median(times)


def answer(request: list[Any]) -> float:
    if request[0] == "seconds":
        return seconds(*request[1:])
    return float(full(*map(jnp.asarray, request[1])))


if __name__ == "__main__":
    for one in json.load(sys.stdin):
        print(json.dumps([answer(one)]), flush=True)
