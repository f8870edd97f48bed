"""Sparse variational Gaussian processes (GPs) with `kl`, beside the exact GP and logistic regression.

Regression: life expectancy against income, 1,704 observations. Classification: 569 breast tumours by two
measurements. Inducing points, hyperparameters and the approximation q are learned together by Adam on
minibatches, whitened and not. `support/svgp.py` has the ELBO.

    python examples/sparse_gp.py --figure sparse_gp.png
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from support.gp_report import (
    Exact,
    Fit,
    classification_table,
    digits_table,
    draw,
    regression_table,
    step_table,
)
from support.stages import Stages

# PyMC is imported in the functions: that takes seconds, before which the first line should be there.

DATA = Path(__file__).parent
KINDS = {"whitened": True, "not whitened": False}
START = {"regression": [1.0, 10.0, 10.0], "classification": [1.0, 1.0]}
"""Length scale (decades of income; sds of the measurements), amplitude and noise (years; logits)."""
PLAN = {
    "importing PyMC": 5.0,
    "exact GP": 10.0,
    **{
        f"{task}, {kind}": seconds
        for task, seconds in (("regression", 14.0), ("tumours", 8.0))
        for kind in KINDS
    },
    "cross-validation": 25.0,
    "timing steps": 10.0,
    "drawing": 2.0,
}


def life_expectancy() -> tuple[np.ndarray, np.ndarray]:
    """Log₁₀ of income, as a column, and life expectancy less its mean."""
    income, life = np.loadtxt(DATA / "life_expectancy.csv", delimiter=",", skiprows=5).T
    return np.log10(income)[:, None], life - life.mean()


def tumours() -> tuple[np.ndarray, np.ndarray]:
    """Radius and texture, standardised, and 1 where the tumour is malignant."""
    data = np.loadtxt(DATA / "breast_tumours.csv", delimiter=",", skiprows=4)
    x = data[:, 1:3]
    return (x - x.mean(axis=0)) / x.std(axis=0), data[:, 0]


def fit_regression(
    x: np.ndarray, y: np.ndarray, whiten: bool, args: argparse.Namespace, stages: Stages
) -> Fit:
    """Learn a sparse GP, and judge it by bounds that come from elsewhere."""
    from support import svgp

    points = np.linspace(x.min(), x.max(), args.inducing)[:, None]
    gp = svgp.sparse_gp(points, START["regression"], whiten)
    curve = learn(gp, x, y, svgp.gaussian, args.steps, args.batch, stages)
    grid = np.linspace(x.min(), x.max(), 200)[:, None]
    mean, variance = svgp.evaluated(gp, svgp.marginals, grid)
    hyper = np.exp(gp.parameters[1].get_value())
    Z = gp.Z.get_value()
    return Fit(curve, hyper, Z, grid, mean, np.sqrt(variance), collapsed_bound(x, y, Z, hyper))


def learn(
    gp: Any, x: np.ndarray, y: np.ndarray, expected: Any, steps: int, batch: int, stages: Stages
) -> np.ndarray:
    """Run Adam; the ELBO of all the data on the way: columns of steps and nats."""
    from support import svgp

    seen: list[tuple[int, float]] = []

    def note(step: int, value: float) -> None:
        seen.append((step, value))
        stages.at(step / steps, f"step {step:,d} of {steps:,d}, ELBO {value:,.1f} nats")

    svgp.Training(gp, x, y, expected, batch=batch).run(steps, note, every=20)
    return np.array(seen).T


def collapsed_bound(x: np.ndarray, y: np.ndarray, Z: np.ndarray, hyper: np.ndarray) -> float:
    """PyMC's own: the ELBO of the best q for these inducing points and hyperparameters (Titsias 2009)."""
    import pymc as pm
    from support import svgp

    length, amplitude, noise = hyper
    with pm.Model() as model:
        cov = amplitude**2 * pm.gp.cov.Matern52(1, ls=length)
        gp = pm.gp.MarginalApprox(approx="VFE", cov_func=cov)
        gp.marginal_likelihood("y", x, Z, y, sigma=noise)
    return float(model.compile_logp(mode=svgp.PYTHON)({}))


def exact_gp(x: np.ndarray, y: np.ndarray, hyper: Any, *, learn: bool = True) -> Any:
    """Scikit-learn's GP with all the data: with these hyperparameters, or the best ones."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    length, amplitude, noise = hyper
    kernel = ConstantKernel(amplitude**2) * Matern(length, nu=2.5) + WhiteKernel(noise**2)
    search = "fmin_l_bfgs_b" if learn else None
    return GaussianProcessRegressor(kernel, alpha=0.0, optimizer=search).fit(x, y)


def summary_of(exact: Any, fits: dict[str, Fit]) -> Exact:
    """The exact GP's evidence and posterior mean, at its own hyperparameters and at those of the fits."""
    variance, length, noise = np.exp(exact.kernel_.theta)
    hyper = np.array([length, variance**0.5, noise**0.5])
    grid = next(iter(fits.values())).grid
    beside = {
        kind: exact_gp(exact.X_train_, exact.y_train_, fit.hyper, learn=False) for kind, fit in fits.items()
    }
    return Exact(
        hyper,
        exact.log_marginal_likelihood_value_,
        exact.predict(grid),
        {kind: one.log_marginal_likelihood_value_ for kind, one in beside.items()},
        {kind: one.predict(grid) for kind, one in beside.items()},
    )


def classify(x: np.ndarray, y: np.ndarray, whiten: bool, args: argparse.Namespace, stages: Stages) -> tuple:
    """A sparse GP with logits, and the ELBO on the way; it starts at tumours picked at random."""
    from support import svgp

    picked = np.random.default_rng(1).choice(len(x), min(args.inducing, len(x)), replace=False)
    gp = svgp.sparse_gp(x[picked], START["classification"], whiten)
    return gp, learn(gp, x, y, svgp.bernoulli, 2 * args.steps // 5, args.batch, stages)


def cross_validate(
    x: np.ndarray, y: np.ndarray, args: argparse.Namespace, stages: Stages
) -> dict[str, np.ndarray]:
    """Log probability of each tumour by the model that was fitted to the other folds."""
    from sklearn.linear_model import LogisticRegression
    from support import svgp

    fold = np.random.default_rng(2).permutation(len(y)) % args.folds
    scores = {
        name: np.empty(len(y)) for name in ("sparse GP", "logistic regression", "share of the malignant")
    }
    for i in range(args.folds):
        train, test = fold != i, fold == i
        gp, _ = classify(x[train], y[train], True, args, stages)
        predicted = (
            svgp.evaluated(gp, svgp.probability, x[test])[0],
            LogisticRegression().fit(x[train], y[train]).predict_proba(x[test])[:, 1],
            np.full(test.sum(), y[train].mean()),
        )
        for score, p in zip(scores.values(), predicted, strict=True):
            score[test] = np.log(np.where(y[test] == 1, p, 1 - p))
    return scores


def step_times(x: np.ndarray, y: np.ndarray, args: argparse.Namespace, stages: Stages) -> dict:
    """Milliseconds per step with either KL term, measured by turns: the median of the rounds."""
    from support import svgp

    terms = {"kl": svgp.divergence, "textbook": svgp.textbook_divergence}
    points = np.linspace(x.min(), x.max(), args.inducing)[:, None]
    runs = {}
    for kind, whiten in KINDS.items():
        for name, term in terms.items():
            stages.at(len(runs) / 8, f"compiling the step {kind}, {name}")
            gp = svgp.sparse_gp(points, START["regression"], whiten)
            mode = None if args.compiled else svgp.PYTHON
            runs[kind, name] = svgp.Training(gp, x, y, svgp.gaussian, term, batch=args.batch, mode=mode)
            runs[kind, name].step()
    times: dict = {key: [] for key in runs}
    for i in range(args.rounds):
        stages.at(0.5 + i / args.rounds / 2, f"round {i + 1} of {args.rounds}")
        for key, run in runs.items():
            begun = time.perf_counter()
            for _ in range(20):
                run.step()
            times[key].append((time.perf_counter() - begun) / 20 * 1e3)
    return {key: float(np.median(each)) for key, each in times.items()}


def digits(x: np.ndarray, args: argparse.Namespace) -> list[tuple[float, float, float]]:
    """Divergences near q = prior, where they are known: all sds of q are larger by a share s."""
    from support import svgp

    points = np.linspace(x.min(), x.max(), args.inducing)[:, None]
    gp = svgp.sparse_gp(points, START["regression"], whiten=False)
    found = []
    for s in (1e-2, 1e-4, 1e-6, 1e-8):
        near = gp._replace(factor=(1 + s) * gp.factor)
        both = (svgp.divergence(near), svgp.textbook_divergence(near))
        truth = len(points) * (s**2 - s**3 / 3 + s**4 / 4 - s**5 / 5)  # s + s²/2 - log(1 + s), as a series
        found.append((truth, *(float(term.eval(mode=svgp.PYTHON)) for term in both)))
    return found


def options(given: list[str] | None = None) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--steps", type=int, default=1_500, help="of a regression; two fifths: of a classification"
    )
    parser.add_argument("--batch", type=int, default=200, help="observations in a minibatch")
    parser.add_argument("--inducing", type=int, default=15, help="inducing points")
    parser.add_argument("--compiled", action="store_true", help="time compiled steps (takes minutes)")
    parser.add_argument("--figure", default="sparse_gp.png", help="where to write the figure")
    parser.add_argument("--short", action="store_true", help="a quick, unfinished run")
    args = parser.parse_args(given)
    args.folds, args.rounds = (2, 2) if args.short else (5, 10)
    if args.short:
        args.steps = min(args.steps, 100)
    return args


def main() -> None:
    """Fit, compare and draw, saying at every moment what is being done."""
    args = options()
    path = Path(args.figure).resolve()

    with Stages(PLAN) as stages:
        stages.print("Sparse variational Gaussian processes, with kl(q, prior) in the ELBO.")
        stages.print(f"{args.inducing} inducing points, {args.steps:,d} steps, batches of {args.batch}.\n")
        stages.begin("importing PyMC")
        warnings.filterwarnings("ignore", "PyTensor could not link to a BLAS")
        import pymc  # noqa: F401

        x, y = life_expectancy()
        stages.begin("exact GP")
        exact = exact_gp(x, y, START["regression"])
        fits = {}
        for kind, whiten in KINDS.items():
            stages.begin(f"regression, {kind}")
            fits[kind] = fit_regression(x, y, whiten, args, stages)
        found = summary_of(exact, fits)
        stages.print("", regression_table(fits, found), "")

        features, malignant = tumours()
        curves = {}
        for kind, whiten in KINDS.items():
            stages.begin(f"tumours, {kind}")
            gp, curves[kind] = classify(features, malignant, whiten, args, stages)
            if whiten:
                classifier = gp
        stages.begin("cross-validation")
        scores = cross_validate(features, malignant, args, stages)
        stages.print("", classification_table(scores, curves), "")
        stages.begin("timing steps")
        stages.print("", digits_table(digits(x, args)), "")
        stages.print("", step_table(step_times(x, y, args, stages), args.compiled), "")
        stages.begin("drawing")
        draw(path, (x, y), fits, found, (features, malignant), classifier)
    stages.print(f"Figure: {path} ({stages.seconds:.0f} s in all)")


if __name__ == "__main__":
    main()
