"""A Bayesian neural network with a KL term in closed form, and what the closed form is worth.

A network with one hidden layer learns to read images of digits. Each weight has a prior, normal or Laplace,
and an independent normal distribution q that approximates its posterior. The fit maximises the ELBO, the
expected log likelihood less KL(q‖prior). `kl` has the second term in closed form; the usual alternative is
log q − log prior at drawn weights. How noisy are the gradients by either, along the fit? What comes of it?

    python examples/bayesian_network.py --figure bayesian_network.png

Sources: the path derivative is that of Roeder, Wu and Duvenaud 2017 (arXiv:1703.09194); draws of what arrives
at the units instead of draws of the weights are the local reparametrisation of Kingma, Salimans and Welling
2015 (arXiv:1506.02557).
"""

from __future__ import annotations

import argparse
import logging
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from support.digit_images import Data, baselines, digits
from support.network_report import (
    CLOSED,
    LOCAL,
    MONTE_CARLO,
    PATH,
    Found,
    Result,
    draw,
    noise_table,
    result_table,
    sentences,
    whole_table,
)
from support.stages import Stages

# PyMC is imported in the functions: that takes seconds, before which the first line should be there.

HIDDEN = 30
SHAPES = [
    (8 * 8 + 1, HIDDEN),
    (HIDDEN + 1, 10),
]  # of the weights of the two layers; the first rows are the biases
BATCH = 100
RATE = 0.01
LOOKS = (0, 100, 300, 1_000, 3_000)  # when the noise is measured; and at the end
PLAN = {
    "importing PyMC": 5.0,
    "compiling": 40.0,
    **{f"normal prior, {way}": 14.0 for way in (CLOSED, MONTE_CARLO, PATH, LOCAL)},
    "Laplace prior: compiling": 7.0,
    f"Laplace prior, {LOCAL}": 20.0,
    "drawing": 2.0,
}


def priors() -> dict[str, Any]:
    """Priors of a weight, both with standard deviation 1."""
    import pymc as pm

    return {"normal": pm.Normal.dist(0.0, 1.0), "Laplace": pm.Laplace.dist(0.0, 0.5**0.5)}


def network(layer: Callable[[int, Any], Any], x: Any) -> Any:
    """The ten outputs, of graphs and of arrays; ``layer(i, h)`` is what layer i makes of its input h."""
    hidden = layer(0, x)
    return layer(1, (hidden + abs(hidden)) / 2.0)  # rectified


def affine(weights: Any) -> Callable[[int, Any], Any]:
    """Layers with these weights; the first row of each are the biases."""
    return lambda i, h: h @ weights[i][1:] + weights[i][0]


class Weights:
    """q: independent normal distributions of all weights, one pair of shared matrices for each layer."""

    def __init__(self) -> None:
        import pytensor

        self.means = [pytensor.shared(np.zeros(shape)) for shape in SHAPES]
        self.log_sds = [pytensor.shared(np.zeros(shape)) for shape in SHAPES]
        self.parameters = [*self.means, *self.log_sds]

    def start(self, seed: int) -> None:
        """Small random means, and narrow."""
        rng = np.random.default_rng(seed)
        for mean, log_sd, (n, m) in zip(self.means, self.log_sds, SHAPES, strict=True):
            mean.set_value(rng.normal(0.0, n**-0.5, (n, m)))
            log_sd.set_value(np.full((n, m), -3.0))


def parts_of_loss(q: Weights, prior: Any, inputs: list[Any], total: int) -> dict[str, Any]:
    """The negative ELBO is one of the KL terms, less one of the log likelihoods, all with the same mean."""
    import pymc as pm
    import pytensor.tensor as pt
    from pytensor.gradient import disconnected_grad

    from kl_plugins import kl

    x, y, *noise = inputs
    means, sds = q.means, [pt.exp(log_sd) for log_sd in q.log_sds]
    layers = [pm.Normal.dist(mean, sd) for mean, sd in zip(means, sds, strict=True)]

    # 1. The KL term: in closed form, and from a draw of the weights. Its gradient has a part by the
    # parameters in log q(w) that is zero in expectation; the path derivative is what remains without it.
    exact = sum(kl(layer, prior).sum() for layer in layers)
    drawn = [mean + sd * e for mean, sd, e in zip(means, sds, noise, strict=False)]
    held = [pm.Normal.dist(*map(disconnected_grad, pair)) for pair in zip(means, sds, strict=True)]
    log_prior = sum(pm.logp(prior, w).sum() for w in drawn)
    monte_carlo = sum(pm.logp(layer, w).sum() for layer, w in zip(layers, drawn, strict=True)) - log_prior
    path = sum(pm.logp(layer, w).sum() for layer, w in zip(held, drawn, strict=True)) - log_prior

    # 2. The log likelihood. A minibatch stands for all data, and is weighted for that; the KL term is that of
    # all weights and counts once.
    def log_likelihood(layer: Callable[[int, Any], Any]) -> Any:
        outputs = network(layer, x)
        log_p = outputs - pt.logsumexp(outputs, axis=1, keepdims=True)
        return total / x.shape[0] * log_p[pt.arange(x.shape[0]), y].sum()

    # From a draw of the weights; or from draws of what arrives at the units, which is normal, too. The latter
    # draws for each image anew. It never draws weights, so that the KL term has to be exact.
    by_weights = log_likelihood(affine(drawn))
    variances, mean = affine([sd**2 for sd in sds]), affine(means)
    by_units = log_likelihood(lambda i, h: mean(i, h) + pt.sqrt(variances(i, h**2)) * noise[2 + i])

    return {"exact": exact, "drawn": monte_carlo, "path": path, "weights": -by_weights, "units": -by_units}


WAYS = {
    CLOSED: ("exact", "weights"),
    MONTE_CARLO: ("drawn", "weights"),
    PATH: ("path", "weights"),
    LOCAL: ("exact", "units"),
}
"""The parts that the negative ELBO is the sum of."""


class Fit:
    """A network with its data, its prior and q; the parts of the loss with their gradients, compiled."""

    def __init__(self, data: Data, prior: str, ways: Iterable[str], stages: Stages) -> None:
        import pytensor
        import pytensor.tensor as pt

        self.data, self.prior = data, prior
        self.q, self.rng = Weights(), np.random.default_rng(1)
        inputs = [pt.dmatrix("x"), pt.lvector("y"), *pt.dmatrices("w1", "w2", "u1", "u2")]
        parts = parts_of_loss(self.q, priors()[prior], inputs, len(data.y))
        self.parts: dict[str, Any] = {}
        for name in sorted({name for way in ways for name in WAYS[way]}):
            stages.at(len(self.parts) / len(parts), f"part {len(self.parts) + 1}")
            outputs = [parts[name], *pytensor.grad(parts[name], self.q.parameters)]
            self.parts[name] = pytensor.function(inputs, outputs, on_unused_input="ignore")

    def evaluated(self, images: np.ndarray, digits: np.ndarray, ways: Iterable[str]) -> dict[str, list[Any]]:
        """The negative ELBO and its gradient, in each of the ways from the same draws."""
        shapes = [*SHAPES, *[(len(images), m) for _, m in SHAPES]]
        noise = [self.rng.normal(size=shape) for shape in shapes]
        needed = {name for way in ways for name in WAYS[way]}
        found = {name: self.parts[name](images, digits, *noise) for name in needed}
        return {
            way: [sum(each) for each in zip(*[found[name] for name in WAYS[way]], strict=True)]
            for way in ways
        }

    def batch(self, size: int = BATCH) -> tuple[np.ndarray, np.ndarray]:
        chosen = self.rng.choice(len(self.data.y), size, replace=False)
        return self.data.x[chosen], self.data.y[chosen]

    def steps(self, way: str, iterations: int, start: int) -> Iterator[int]:
        """Adam from one of the starts; the step size falls to zero in the second half."""
        self.q.start(start)
        first = [0.0] * 4
        second = [0.0] * 4
        for t in range(1, iterations + 1):
            yield t - 1
            _, *gradients = self.evaluated(*self.batch(), [way])[way]
            rate = RATE * min(1.0, 2.0 * (1.0 - t / (iterations + 1)))
            for i, (parameter, g) in enumerate(zip(self.q.parameters, gradients, strict=True)):
                first[i] = 0.9 * first[i] + 0.1 * g
                second[i] = 0.999 * second[i] + 0.001 * g**2
                step = first[i] / (1.0 - 0.9**t) / (np.sqrt(second[i] / (1.0 - 0.999**t)) + 1e-8)
                parameter.set_value(parameter.get_value(borrow=True) - rate * step)
        yield iterations

    def deviations(self, draws: int, size: int = BATCH, anew: bool = False) -> dict[str, np.ndarray]:
        """Squared distances of gradients from their mean, one row per draw, one column per group of `GROUPS`.

        All ways see the same draws and minibatches: one minibatch for all draws, or each time a new one.
        """
        batch = self.batch(size)
        rows: dict[str, list[list[np.ndarray]]] = {way: [] for way in WAYS}
        for _ in range(draws):
            batch = self.batch(size) if anew else batch
            for way, (_, *gradients) in self.evaluated(*batch, WAYS).items():
                rows[way].append(gradients)
        return {
            way: np.transpose(
                [
                    ((g - np.mean(g, axis=0)) ** 2).sum(axis=(1, 2))
                    for g in map(np.array, zip(*row, strict=True))
                ]
            )
            for way, row in rows.items()
        }

    def result(self, draws: int) -> Result:
        """ELBO, held-out predictions, and the KL of each weight."""
        from scipy import special, stats

        from kl_plugins import kl

        means = [mean.get_value() for mean in self.q.means]
        sds = [np.exp(log_sd.get_value()) for log_sd in self.q.log_sds]
        prior = {"normal": stats.norm(0.0, 1.0), "Laplace": stats.laplace(0.0, 0.5**0.5)}[self.prior]
        divergences = [kl(stats.norm(mean, sd), prior) for mean, sd in zip(means, sds, strict=True)]
        p = 0.0
        for _ in range(draws):
            w = [self.rng.normal(mean, sd) for mean, sd in zip(means, sds, strict=True)]
            p = p + special.softmax(network(affine(w), self.data.held_out_x), axis=1) / draws
        whole = self.data.x, self.data.y, [LOCAL]
        elbos = [-self.evaluated(*whole)[LOCAL][0] for _ in range(draws // 4)]
        return Result(np.array(elbos), p, self.data.held_out_y, divergences)


def compare(data: Data, iterations: int, starts: int, draws: int, stages: Stages) -> Found:
    """Fit in all ways; the first fit by the closed form is where the noise of all of them is measured."""
    stages.begin("compiling")
    fit = Fit(data, "normal", WAYS, stages)
    found = Found({}, {}, {})
    looks = {t for t in LOOKS if t < iterations} | {iterations}
    for prior, way in [*[("normal", way) for way in WAYS], ("Laplace", LOCAL)]:
        if prior != fit.prior:
            stages.begin(f"{prior} prior: compiling")
            fit = Fit(data, prior, (way,), stages)
        stages.begin(f"{prior} prior, {way}")
        for start in range(starts):
            measured = way == CLOSED and start == 0
            for t in fit.steps(way, iterations, start):
                stages.at((start + t / iterations) / starts, f"start {start + 1}, iteration {t:,d}")
                if measured and t in looks:
                    stages.at((start + t / iterations) / starts, f"iteration {t:,d}: measuring the gradients")
                    found.noise[t] = fit.deviations(draws)
            if measured:
                found.images[f"one batch of {BATCH}"] = found.noise[iterations]
                found.images[f"new batches of {BATCH}"] = fit.deviations(draws, anew=True)
                found.images[f"all {len(data.y):,d}"] = fit.deviations(draws // 4, len(data.y))
            found.results.setdefault((prior, way), []).append(fit.result(draws))
    return found


def main() -> None:
    """Fit, measure, compare and draw, saying at every moment what is being done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=6_000, help="of each fit")
    parser.add_argument("--starts", type=int, default=3, help="so many fits of each kind")
    parser.add_argument("--draws", type=int, default=400, help="of the gradient, at each look")
    parser.add_argument("--figure", default="bayesian_network.png", help="where to write the figure")
    parser.add_argument("--short", action="store_true", help="a quick, unfinished run")
    args = parser.parse_args()
    if args.short:
        args.iterations, args.starts, args.draws = min(args.iterations, 300), 1, min(args.draws, 40)
    path = Path(args.figure).resolve()

    with Stages(PLAN) as stages:
        stages.print("A Bayesian neural network with a KL term in closed form, and what that is worth.")
        stages.begin("importing PyMC")
        data = digits()
        logging.getLogger("pytensor").setLevel(logging.ERROR)  # of a BLAS, which nothing here needs
        warnings.filterwarnings("ignore", "PyTensor could not link to a BLAS")
        weights = sum(n * m for n, m in SHAPES)
        stages.print(
            f"{len(data.y):,d} images of digits, {weights:,d} weights; minibatches of {BATCH}, "
            f"{args.iterations:,d} iterations.\n"
        )
        found = compare(data, args.iterations, args.starts, args.draws, stages)
        for table in (noise_table(found), whole_table(found), result_table(found, baselines(data, HIDDEN))):
            stages.print(table, "")
        stages.begin("drawing")
        draw(path, found)
    for sentence in sentences(found):
        stages.print(sentence)
    stages.print(f"Figure: {path} ({stages.seconds:.0f} s in all)")


if __name__ == "__main__":
    main()
