"""What a posterior is known by, draws or a Gaussian, and its divergence from a log density."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kl_plugins.estimate.batches import result_of
from kl_plugins.estimate.density import Density
from kl_plugins.estimate.draws.door import estimate_from_draws
from kl_plugins.estimate.draws.sample import draws
from kl_plugins.estimate.result import KLEstimate, Method
from kl_plugins.families.named import Snapshot
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.progress import no_report

TIME_LIMIT = 10.0
"""Seconds for an estimate."""
DRAWS = 4000
"""Of a Gaussian."""
LogDensity = Callable[[FloatArray], FloatArray]


def _as_it_is(density: object, side: str) -> Density:
    assert isinstance(density, Density)
    return density


@dataclass(frozen=True)
class Drawn:
    """Draws of some free variables, on the unconstrained scale, shape (chains, draws, d)."""

    names: tuple[str, ...]
    chains: FloatArray
    slices: dict[str, slice]

    def thinned(self, most: int) -> Drawn:
        """About so many of the draws, at even distances."""
        step = int(np.ceil(self.chains.shape[0] * self.chains.shape[1] / most))
        return replace(self, chains=self.chains[:, :: max(step, 1)])

    def points(self, names: Sequence[str]) -> FloatArray:
        """The draws of these variables, shape (n, their elements)."""
        parts = [self.chains[..., self.slices[name]] for name in names]
        joined = np.concatenate(parts, axis=2)
        return joined.reshape(-1, joined.shape[2])

    def in_chains(self, points: FloatArray) -> FloatArray:
        """Numbers of all draws as those of chains, shape (chains, draws, d)."""
        return points.reshape(*self.chains.shape[:2], -1)

    def divergence(
        self,
        names: Sequence[str],
        element: int | None,
        log_prior: LogDensity,
        elements: tuple[str, ...],
        discrete: bool,
        rng: np.random.Generator,
    ) -> tuple[KLEstimate, str]:
        """From a log density, of an element of a variable, or of the variables jointly."""
        points = self.points(names) if element is None else self.points(names)[:, [element]]
        chains = self.in_chains(points)
        given = draws(np.round(chains).astype(np.int64) if discrete else chains, chain_dim=0)
        other = Density(
            "the prior",
            "discrete" if discrete else "continuous",
            log_prior,
            event_shape=() if element is not None else (points.shape[1],),
        )
        return estimate_from_draws(
            replace(given, elements=elements),
            other,
            _as_it_is,
            count=DRAWS,
            rng=rng,
            time_limit=TIME_LIMIT,
            report=no_report,
        )


@dataclass(frozen=True)
class Known:
    """A Gaussian over the free variables on the unconstrained scale, and draws of it."""

    gaussian: Snapshot
    drawn: Drawn

    @property
    def names(self) -> tuple[str, ...]:
        return self.drawn.names

    def thinned(self, most: int) -> Known:
        return replace(self, drawn=self.drawn.thinned(most))

    def points(self, names: Sequence[str]) -> FloatArray:
        return self.drawn.points(names)

    def in_chains(self, points: FloatArray) -> FloatArray:
        return self.drawn.in_chains(points)

    def divergence(
        self,
        names: Sequence[str],
        element: int | None,
        log_prior: LogDensity,
        elements: tuple[str, ...],
        discrete: bool,
        rng: np.random.Generator,
    ) -> tuple[KLEstimate, str]:
        """The same, of whose density nothing has to be estimated."""
        where = np.concatenate([np.r_[self.drawn.slices[name]] for name in names])
        where = where if element is None else where[[element]]
        x = self.drawn.points(names) if element is None else self.drawn.points(names)[:, [element]]
        matrix = np.asarray(self.gaussian.covariance.matrix())[np.ix_(where, where)]
        factor = np.linalg.cholesky(matrix)
        z = np.linalg.solve(factor, (x - np.asarray(self.gaussian.mean)[where]).T).T
        log_q = -0.5 * np.sum(z**2 + np.log(2.0 * np.pi), axis=1) - np.log(np.diagonal(factor)).sum()
        log_p = log_prior(x[:, 0] if element is not None else x)
        if np.isneginf(log_p).any():
            return result_of(np.inf, 0.0, Method.SUPPORT, len(x), True), ""
        terms = log_q - log_p
        error = float(terms.std(ddof=1)) / np.sqrt(len(terms))
        return result_of(max(float(terms.mean()), 0.0), error, Method.MONTE_CARLO, len(x), True), ""


Posterior = Drawn | Known


def gaussian_posterior(
    gaussian: Snapshot, owners: dict[str, str], rng: np.random.Generator, count: int = DRAWS
) -> Known:
    """A Gaussian with draws of it; `owners` says of a value variable which free variable it is of."""
    root = np.linalg.cholesky(np.asarray(gaussian.covariance.matrix()))
    z = rng.standard_normal((count, len(root)))
    points = np.asarray(gaussian.mean) + z @ root.T
    slices = {owners[name]: place for name, place in gaussian.slices.items()}
    return Known(gaussian, Drawn(tuple(slices), points[None], slices))


class Tabulated:
    """A log density that is known at some numbers, and asked for at no others."""

    def __init__(self, x: FloatArray, values: FloatArray) -> None:
        order = np.argsort(x)
        self._x, self._values = x[order], values[order]

    def __call__(self, points: FloatArray) -> Any:
        return self._values[np.searchsorted(self._x, points.astype(float))]
