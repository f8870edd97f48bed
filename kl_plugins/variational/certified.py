"""Fits that come with a certificate of how far they are from the best approximation of their family."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pymc as pm
from numpy.typing import NDArray
from pymc.model import Model, modelcontext
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from kl_plugins.plugins.pymc import variables_of
from kl_plugins.variational.log_density import LogDensity
from kl_plugins.variational.optimum import MOST_DRAWS, Agreement, Report, find_optimum
from kl_plugins.variational.parameters import Parameters
from kl_plugins.variational.scale_families import MeanFieldScales, ScaleFamily, TriangularScales
from kl_plugins.variational.starts import starts_from

Array = NDArray[np.float64]

METHODS = {"advi": pm.MeanField, "fullrank_advi": pm.FullRank}


@dataclass(frozen=True)
class Certificate:
    """How far a fit is from the best approximation of its family.

    Attributes
    ----------
    certified : bool
        Whether the Jeffreys divergence to the optimum is at most `tolerance`, as far as independent sets of
        draws can tell.
    jeffreys : float
        What it was found to be, in nats: the largest of the disagreements of the last two pairs of
        independent optima and of what fresh draws would still have moved.
    tolerance : float
    reason : str
        Why the fit is not certified; empty where it is.
    draws : int
        Number of draws in each of the last sets.
    history : tuple of (draws, jeffreys)
        The disagreement of every pair.
    other_optima : tuple of float
        ELBOs, less this fit's, of other local optima that were met.
    evaluations, seconds : int, float
        The cost: evaluations of the log density and its gradient, and time with compilation.
    """

    certified: bool
    jeffreys: float
    tolerance: float
    reason: str
    draws: int
    evaluations: int
    seconds: float
    history: tuple[Agreement, ...] = field(repr=False)
    other_optima: tuple[float, ...] = field(repr=False)

    def __str__(self) -> str:
        if self.certified:
            verdict = f"certified: within {self.jeffreys:.2g} ≤ {self.tolerance:g} nats of the optimum"
        else:
            verdict = f"not certified ({self.reason}): {self.jeffreys:.2g} nats against {self.tolerance:g}"
        return f"{verdict}; {self.draws:,d} draws, {self.evaluations:,d} evaluations, {self.seconds:.1f} s"


def fit(
    model: Model | None = None,
    method: str = "advi",
    tolerance: float = 0.1,
    *,
    start: dict[str, Any] | None = None,
    max_draws: int = MOST_DRAWS,
    random_seed: Any = None,
    progressbar: bool = True,
) -> pm.MeanField | pm.FullRank:
    """Fit a Gaussian approximation to its optimum, and certify how close to it it is.

    A replacement for ``pm.fit`` without learning rates or numbers of iterations: the ELBO over fixed
    quasi-random draws is maximised by L-BFGS, over ever more draws until independent sets of them
    give the same optimum.

    Parameters
    ----------
    model : pymc.Model, optional
        By default the one in context.
    method : {"advi", "fullrank_advi"}
        Mean-field or full-rank.
    tolerance : float
        The largest Jeffreys divergence to the optimum of the family, in nats, that is certified.
    start : dict, optional
        Values of variables where the search starts, as in ``pm.fit``.
    max_draws : int
        The largest number of draws in a set.
    random_seed : int or sequence of int, optional
    progressbar : bool

    Returns
    -------
    pymc.MeanField or pymc.FullRank
        PyMC's own object, ready to ``sample``, with a `Certificate` as its attribute ``certificate``.

    Raises
    ------
    ValueError
        If there is no such optimum to be had: minibatches, discrete variables, more than 500 dimensions with
        "fullrank_advi", a log density that is not finite at the start, or −∞ in the reach of every Gaussian.

    Warns
    -----
    UserWarning
        If the fit could not be certified: it is the best that was found, and ``certificate.reason`` says
        why it is not known to be good.

    Notes
    -----
    Deterministic ADVI: R. Giordano, M. Ingram, T. Broderick (2023), arXiv:2304.05527.

    Examples
    --------
    >>> import pymc as pm
    >>> from kl_plugins import variational
    >>> with pm.Model():
    ...     x = pm.Normal("x", 3.0, 1e-3)
    ...     y = pm.Normal("y", 1e4 * x, 2.0)
    ...     approximation = variational.fit(
    ...         method="fullrank_advi", random_seed=1, progressbar=False
    ...     )
    >>> approximation.certificate.certified
    True
    >>> approximation.std.eval().round(6)
    array([1.0000000e-03, 1.0198039e+01])
    """
    if model is not None and not isinstance(model, Model):
        raise TypeError(
            f"fit takes a model, got {model!r}; it takes no number of iterations either: it stops by itself"
        )
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(map(repr, METHODS))}, got {method!r}")
    if not tolerance > 0.0:
        raise ValueError(f"tolerance must be a positive number of nats, got {tolerance!r}")
    model = modelcontext(model)
    with _progress(progressbar) as report:
        report("compiling the log density")
        target = LogDensity(model)
        approximation = METHODS[method](model=model, start=start)
        (group,) = approximation.groups
        if variables_of(approximation) != target.variables:  # not of PyMC's making so far
            target = LogDensity(model, variables_of(approximation))
        point = np.array(group.params_dict["mu"].get_value(), dtype=float)
        family = _family(method, target.dimension)
        found = find_optimum(
            target,
            family,
            starts_from(target, family, point),
            tolerance,
            np.random.default_rng(random_seed),
            max_draws,
            report,
        )
    Parameters(approximation).write(found.distribution)
    certificate = Certificate(
        certified=found.reached,
        jeffreys=found.jeffreys,
        tolerance=float(tolerance),
        reason=found.reason,
        draws=found.draws,
        evaluations=target.evaluations,
        seconds=target.seconds(),
        history=found.history,
        other_optima=found.others,
    )
    approximation.certificate = certificate
    if not certificate.certified:
        warnings.warn(f"the fit is {certificate}", stacklevel=2)
    return approximation


def _family(method: str, dimension: int) -> ScaleFamily:
    return MeanFieldScales(dimension) if method == "advi" else TriangularScales(((dimension, True),))


@contextmanager
def _progress(shown: bool) -> Iterator[Report]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, disable=not shown, transient=False) as progress:
        task = progress.add_task("", total=None)
        yield lambda message: progress.update(task, description=message)
