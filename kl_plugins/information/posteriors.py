"""What a posterior is known by, draws or a Gaussian, and its divergence from a log density."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from kl_plugins.estimate.batches import result_of
from kl_plugins.estimate.density import Density
from kl_plugins.estimate.draws.continuous import known_log_density
from kl_plugins.estimate.draws.door import estimate_from_draws
from kl_plugins.estimate.draws.sample import draws
from kl_plugins.estimate.monte_carlo import mean_is_known
from kl_plugins.estimate.result import Doubt, KLEstimate, Method
from kl_plugins.estimate.terms import Outcome, not_negative
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.families.named import Snapshot
from kl_plugins.ops.protocol import FloatArray
from kl_plugins.progress import no_report
from kl_plugins.variational.evidence.proposals import factored, gaussian_draws

TIME_LIMIT = 10.0
"""Seconds for an estimate."""
DRAWS = 4000
"""Of a Gaussian."""
LogDensity = Callable[[FloatArray], FloatArray]
"""That of points of shape (n, k)."""
Columns = NDArray[np.intp]


def _as_it_is(density: object, side: str) -> Density:
    assert isinstance(density, Density)
    return density


@dataclass(frozen=True)
class Posterior:
    """Draws of some free variables, on the unconstrained scale, shape (chains, draws, d)."""

    names: tuple[str, ...]
    chains: FloatArray
    slices: dict[str, slice]

    def thinned(self, most: int) -> Self:
        """About so many of the draws, at even distances."""
        step = int(np.ceil(self.chains.shape[0] * self.chains.shape[1] / most))
        return replace(self, chains=self.chains[:, :: max(step, 1)])

    def columns(self, names: Sequence[str]) -> Columns:
        """Where the elements of these variables are."""
        return np.concatenate([np.r_[self.slices[name]] for name in names])

    def points(self, columns: Columns) -> FloatArray:
        """The draws of these elements, shape (n, k)."""
        return self.chains[..., columns].reshape(-1, len(columns))

    def in_chains(self, points: FloatArray) -> FloatArray:
        """Numbers of all draws as those of chains, shape (chains, draws, k)."""
        return points.reshape(*self.chains.shape[:2], -1)

    def divergence(
        self,
        columns: Columns,
        log_prior: LogDensity,
        elements: tuple[str, ...],
        discrete: bool,
        rng: np.random.Generator,
    ) -> tuple[KLEstimate, str]:
        """Of these elements jointly from a log density, and why it is not to be relied on, if so.

        `elements` is what messages call them.
        """
        chains = self.chains[..., columns]
        given = draws(np.round(chains).astype(np.int64) if discrete else chains, chain_dim=0)
        return estimate_from_draws(
            replace(given, elements=elements),
            _prior(log_prior, len(columns), discrete),
            _as_it_is,
            count=DRAWS,
            rng=rng,
            time_limit=TIME_LIMIT,
            report=no_report,
        )


@dataclass(frozen=True)
class GaussianPosterior(Posterior):
    """A Gaussian over the free variables, whose density is known, and independent draws of it."""

    gaussian: Snapshot

    def divergence(
        self,
        columns: Columns,
        log_prior: LogDensity,
        elements: tuple[str, ...],
        discrete: bool,
        rng: np.random.Generator,
    ) -> tuple[KLEstimate, str]:
        """The same by Monte Carlo, over the draws that there are."""
        x, whole = self.points(columns), self.gaussian
        marginal = MultivariateNormal(np.asarray(whole.mean)[columns], whole.covariance.marginal(columns))
        terms = marginal.log_prob(x) - known_log_density(_prior(log_prior, len(columns), discrete), x)
        if np.isposinf(terms).any():
            return result_of(np.inf, 0.0, Method.SUPPORT, len(x), True), ""
        error = terms.std(ddof=1) / np.sqrt(len(x))
        why = "" if mean_is_known(terms) else Doubt.DOMINATED
        found = not_negative(Outcome(terms.mean(), error, len(x), why))
        return result_of(found.value, found.error, Method.MONTE_CARLO, len(x), not found.why), found.why


def gaussian_posterior(
    gaussian: Snapshot, owners: dict[str, str], rng: np.random.Generator
) -> GaussianPosterior:
    """A Gaussian with draws of it; `owners` says of a value variable which free variable it is of."""
    gaussian = factored(gaussian)
    points, _ = gaussian_draws(gaussian, DRAWS, rng)
    slices = {owners[name]: place for name, place in gaussian.slices.items()}
    return GaussianPosterior(tuple(slices), points[None], slices, gaussian)


def _prior(log_density: LogDensity, size: int, discrete: bool) -> Density:
    """A prior as estimates see it."""
    measure = "discrete" if discrete else "continuous"
    return Density("the prior", measure, log_density, event_shape=(size,))


class Tabulated:
    """A log density that is known at some points, shape (n, k), and asked for at these.

    Draws that are rounded are spread a little, and have the density of the nearest point.
    """

    def __init__(self, points: FloatArray, values: FloatArray) -> None:
        self._tree, self._values = cKDTree(points), values

    def __call__(self, points: FloatArray) -> Any:
        return self._values[self._tree.query(points)[1]]
