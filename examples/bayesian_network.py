"""A Bayesian neural network with a KL term in closed form, and what the closed form is worth.

A network with one hidden layer learns to read images of digits. Each weight has a prior, normal or Laplace, and
an independent normal distribution q that approximates its posterior. The fit maximises the ELBO, the expected
log likelihood less KL(q‖prior). `kl` has the second term in closed form; the usual alternative is log q − log
prior at the drawn weights. How noisy are the gradients by either, along the fit? And what comes of it?

    python examples/bayesian_network.py --figure bayesian_network.png

Sources: the path derivative is that of Roeder, Wu and Duvenaud 2017 (arXiv:1703.09194); draws of what arrives at
the units instead of draws of the weights, the local reparametrisation of Kingma, Salimans and Welling 2015
(arXiv:1506.02557).
"""

from __future__ import annotations

import argparse
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from support.network_report import (
    CLOSED,
    LOCAL,
    MONTE_CARLO,
    PATH,
    Result,
    draw,
    noise_table,
    result_table,
    sentences,
    whole_table,
)
from support.stages import Stages

# PyMC is imported in the functions: that takes seconds, before which the first line should be there.

SHAPES = [(8 * 8 + 1, 30), (30 + 1, 10)]  # of the weights of the two layers; the first rows are the biases
BATCH = 100
RATE = 0.01
LOOKS = (0, 100, 300, 1_000, 3_000)  # when the noise is measured; and at the end
PLAN = {
    "importing PyMC": 5.0,
    "compiling": 40.0,
    **{f"{way}: fit": 8.0 for way in (CLOSED, MONTE_CARLO, PATH, LOCAL)},
    "Laplace prior: compiling": 10.0,
    "Laplace prior: fit": 8.0,
    "drawing": 2.0,
}


class Data(NamedTuple):
    """Images, one in each row, with the digits they show: two thirds to learn from, the rest held out."""

    x: np.ndarray
    y: np.ndarray
    held_out_x: np.ndarray
    held_out_y: np.ndarray


def digits() -> Data:
    """Handwritten digits, 8 by 8 pixels between 0 and 1 (scikit-learn's; Alpaydin and Kaynak 1998)."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    held_out, learnt = np.split(order, [len(y) // 3])
    return Data(x[learnt] / 16.0, y[learnt], x[held_out] / 16.0, y[held_out])


def baselines(data: Data) -> dict[str, np.ndarray]:
    """What classifiers with point estimates predict for the held-out images."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    network = MLPClassifier((SHAPES[0][1],), learning_rate_init=RATE, max_iter=500, random_state=1)
    classifiers = {"logistic regression": LogisticRegression(max_iter=1_000), "point weights": network}
    return {
        name: one.fit(data.x, data.y).predict_proba(data.held_out_x) for name, one in classifiers.items()
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

    def __init__(self, seed: int) -> None:
        import pytensor

        rng = np.random.default_rng(seed)
        self.means = [pytensor.shared(rng.normal(0.0, n**-0.5, (n, m))) for n, m in SHAPES]
        self.log_sds = [pytensor.shared(np.full(shape, -3.0)) for shape in SHAPES]
        self.parameters = [*self.means, *self.log_sds]
        self._start = [parameter.get_value() for parameter in self.parameters]

    def reset(self) -> None:
        """Back to where it began."""
        for parameter, value in zip(self.parameters, self._start, strict=True):
            parameter.set_value(value)


def negative_elbos(q: Weights, prior: Any, inputs: list[Any], total: int) -> dict[str, Any]:
    """The negative ELBO from one minibatch and one draw, in four ways that have the same expectation."""
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

    return {
        MONTE_CARLO: monte_carlo - by_weights,
        PATH: path - by_weights,
        CLOSED: exact - by_weights,
        LOCAL: exact - by_units,
    }


class Fit:
    """A network with its data, its prior and q; the gradients by all of `ways`, compiled."""

    def __init__(self, data: Data, prior: str, ways: tuple[str, ...], stages: Stages) -> None:
        import pytensor
        import pytensor.tensor as pt

        self.data, self.prior = data, prior
        self.q, self.rng = Weights(seed=1), np.random.default_rng(2)
        inputs = [pt.dmatrix("x"), pt.lvector("y"), *pt.dmatrices("w1", "w2", "u1", "u2")]
        losses = negative_elbos(self.q, priors()[prior], inputs, len(data.y))
        self.gradients = {}
        for way in ways:
            stages.at(len(self.gradients) / len(ways), way)
            outputs = [losses[way], *pytensor.grad(losses[way], self.q.parameters)]
            self.gradients[way] = pytensor.function(inputs, outputs, on_unused_input="ignore")

    def batch(self, size: int = BATCH) -> tuple[np.ndarray, np.ndarray]:
        chosen = self.rng.choice(len(self.data.y), size, replace=False)
        return self.data.x[chosen], self.data.y[chosen]

    def noise(self, images: int) -> list[np.ndarray]:
        """Standard normal numbers: of the weights, and of what arrives at the units."""
        shapes = [*SHAPES, *[(images, m) for _, m in SHAPES]]
        return [self.rng.normal(size=shape) for shape in shapes]

    def steps(self, way: str, iterations: int) -> Iterator[int]:
        """Adam; the step size falls to zero in the second half."""
        first = [0.0] * 4
        second = [0.0] * 4
        for t in range(1, iterations + 1):
            yield t - 1
            _, *gradients = self.gradients[way](*self.batch(), *self.noise(BATCH))
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
        rows: dict[str, list[list[np.ndarray]]] = {way: [] for way in self.gradients}
        for _ in range(draws):
            batch = self.batch(size) if anew else batch
            noise = self.noise(size)
            for way, gradient in self.gradients.items():
                rows[way].append(gradient(*batch, *noise)[1:])
        return {
            way: np.transpose([((g - np.mean(g, axis=0)) ** 2).sum(axis=(1, 2)) for g in map(np.array, zip(*row))])
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
            w = [mean + sd * e for mean, sd, e in zip(means, sds, self.noise(1), strict=False)]
            p = p + special.softmax(network(affine(w), self.data.held_out_x), axis=1) / draws
        whole = self.data.x, self.data.y
        losses = [self.gradients[LOCAL](*whole, *self.noise(len(whole[1])))[0] for _ in range(draws)]
        return Result(-np.array(losses), p, self.data.held_out_y, divergences)


def main() -> None:
    """Fit, measure, compare and draw, saying at every moment what is being done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=6_000, help="of each fit")
    parser.add_argument("--draws", type=int, default=400, help="of the gradient, at each look")
    parser.add_argument("--figure", default="bayesian_network.png", help="where to write the figure")
    parser.add_argument("--short", action="store_true", help="a quick, unfinished run")
    args = parser.parse_args()
    if args.short:
        args.iterations, args.draws = min(args.iterations, 300), min(args.draws, 40)
    path = Path(args.figure).resolve()
    looks = {t for t in LOOKS if t < args.iterations} | {args.iterations}

    with Stages(PLAN) as stages:
        stages.print("A Bayesian neural network with a KL term in closed form, and what that is worth.")
        stages.begin("importing PyMC")
        data = digits()
        logging.getLogger("pytensor").setLevel(logging.ERROR)  # of a BLAS, which nothing here needs
        warnings.filterwarnings("ignore", "PyTensor could not link to a BLAS")
        weights = sum(n * m for n, m in SHAPES)
        stages.print(
            f"{len(data.y):,d} images of digits, {weights:,d} weights, minibatches of {BATCH}, "
            f"{args.iterations:,d} iterations of Adam.\n"
        )
        stages.begin("compiling")
        fit = Fit(data, "normal", (CLOSED, MONTE_CARLO, PATH, LOCAL), stages)

        noise: dict[int, dict[str, np.ndarray]] = {}
        results: dict[tuple[str, str], Result] = {}
        for way in fit.gradients:
            stages.begin(f"{way}: fit")
            fit.q.reset()
            for t in fit.steps(way, args.iterations):
                stages.at(t / args.iterations, f"iteration {t:,d}")
                if way == CLOSED and t in looks:
                    noise[t] = fit.deviations(args.draws)
            if way == CLOSED:
                kinds = {
                    f"one minibatch of {BATCH}": fit.deviations(args.draws),
                    f"new minibatches of {BATCH}": fit.deviations(args.draws, anew=True),
                    f"all {len(data.y):,d} images": fit.deviations(args.draws // 2, len(data.y)),
                }
            results["normal", way] = fit.result(args.draws)
        stages.begin("Laplace prior: compiling")
        other = Fit(data, "Laplace", (LOCAL,), stages)
        stages.begin("Laplace prior: fit")
        for t in other.steps(LOCAL, args.iterations):
            stages.at(t / args.iterations, f"iteration {t:,d}")
        results["Laplace", LOCAL] = other.result(args.draws)

        stages.print(noise_table(noise), "", whole_table(kinds), "", result_table(results, baselines(data)), "")
        stages.begin("drawing")
        draw(path, noise, results)
    for sentence in sentences(noise, kinds, results):
        stages.print(sentence)
    stages.print(f"Figure: {path} ({stages.seconds:.0f} s in all)")


if __name__ == "__main__":
    main()
