"""Estimates of narrow peaks, which other quadratures miss: within their error, or not converged."""

import warnings

import numpy as np
import pytest
from flint import arb, fmpq
from scipy import stats

from enclosures.coordinates import rational, real
from enclosures.densities import DENSITIES
from enclosures.integrals import Member, divergence
from enclosures.mixtures import mixture as enclosed_mixture
from kl_plugins import EstimateWarning, estimate_kl, mixture

SPIKES = {
    **{f"of width {width}": (0.3, -2.9, width) for width in (1e-6, 1e-9, 1e-12)},
    **{f"a little of width {width}": (1e-3, 0.123456, width) for width in (1e-9, 1e-12)},
    "little where p is more than q": (1e-9, -2.9, 1e-6),
    # weight, place, width
    "a third": (0.3, 0.7, 1e-6),
    "a little": (1e-3, 0.7, 1e-6),
    "next to nothing": (1e-6, 0.7, 1e-6),
    "between landmarks": (0.25, 0.123456, 1e-4),
    "in a tail": (1e-4, 2.0, 1e-3),
}
WIDE = [(1.0, "norm", [0.0, 1.5])]
PAIRS = {
    **{
        name: ([(1.0 - w, "norm", [0.0, 1.0]), (w, "norm", [m, s])], WIDE)
        for name, (w, m, s) in SPIKES.items()
    },
    "in both": (
        [(0.5, "norm", [0.0, 1.0]), (0.5, "norm", [0.3, 1e-6])],
        [(0.5, "norm", [0.0, 1.0]), (0.5, "norm", [0.3, 1e-7])],
    ),
    "side by side": (
        [(0.5, "norm", [0.0, 1.0]), (0.5, "norm", [0.3, 1e-6])],
        [(0.5, "norm", [0.0, 1.0]), (0.5, "norm", [0.3000001, 1e-6])],
    ),
    "many scales": (
        [(0.5, "cauchy", [0.0, 1.0]), (0.5, "cauchy", [0.0, 1e9])],
        [(1.0, "cauchy", [0.0, 1.0])],
    ),
    "with a corner": (
        [(0.999, "laplace", [0.0, 1.0]), (1e-3, "laplace", [0.3, 1e-9])],
        [(1.0, "laplace", [0.0, 1.2])],
    ),
    "of logistics": (
        [(0.99, "logistic", [0.0, 1.0]), (0.01, "logistic", [3.3, 1e-9])],
        [(1.0, "logistic", [0.0, 1.2])],
    ),
    "a tail of little": (
        [(0.9, "norm", [0.0, 1.0]), (0.1, "t", [0.5, 0.0, 1.0])],
        [(1.0, "t", [0.4, 0.0, 1.0])],
    ),
    "tails far apart": (
        [(1 - 1e-7, "norm", [0.0, 1.0]), (1e-7, "norm", [0.0, 1e4])],
        [(1 - 1e-3, "norm", [0.0, 1.0]), (1e-3, "norm", [0.0, 2e4])],
    ),
    "far away": (
        [(1 - 1e-4, "norm", [0.0, 1.0]), (1e-4, "cauchy", [1e8, 1.0])],
        [(1.0, "cauchy", [0.0, 1.0])],
    ),
    "far from the origin": ([(1.0, "t", [3.0, 1e6, 1e-3])], [(1.0, "cauchy", [1e6, 1e-3])]),
}

OPEN = {"of width 1e-12", "far away"}
"""Those of known components that end without an answer."""


class Density:
    """A log density, of which nothing else is known; or draws, too."""

    def __init__(self, components, drawn=False):
        self.weights = np.array([weight for weight, *_ in components])
        self.parts = parts(components)
        if drawn:
            self.rvs = self.draw

    def logpdf(self, x):
        return np.logaddexp.reduce(
            [np.log(weight) + part.logpdf(x) for weight, part in zip(self.weights, self.parts, strict=True)]
        )

    def draw(self, size, random_state):
        which = random_state.choice(len(self.parts), size=size, p=self.weights)
        return np.choose(which, [part.rvs(size, random_state=random_state) for part in self.parts])


def parts(components):
    return [getattr(stats, name)(*parameters) for _, name, parameters in components]


def known(components):
    found = parts(components)
    return found[0] if len(found) == 1 else mixture(found, [weight for weight, *_ in components])


@pytest.mark.slow
@pytest.mark.parametrize("back", [False, True], ids=["p", "q"])
@pytest.mark.parametrize("name", PAIRS)
def test_an_estimate_is_within_its_error_or_not_converged(name, back):
    p, q = PAIRS[name][::-1] if back else PAIRS[name]
    truth = divergence(*[Member(enclosed_mixture(*side), fmpq(0), fmpq(1)) for side in (p, q)])
    exact = float(truth.mid())
    assert float(truth.rad()) < 1e-15 * exact
    for make in (known, Density, lambda components: Density(components, drawn=True)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = estimate_kl(make(p), make(q))
        if found.converged:
            assert abs(found.value - exact) <= found.error + 1e-16, make
        else:
            assert make is not known or name in OPEN
            assert any(issubclass(one.category, EstimateWarning) for one in caught)


STEPS = {
    # Edges, and probabilities between them.
    "one step": ([0.0, 0.3, 1.0], [0.6, 0.4]),
    "a high one": ([0.0, 0.3, 0.3 + 1e-6, 1.0], [0.3, 0.4, 0.3]),
    "a narrow one": ([0.0, 0.7, 0.7 + 1e-9, 1.0], [0.699, 0.002, 0.299]),
    "a hole": ([0.0, 0.3, 0.31, 1.0], [0.3, 1e-12, 0.7 - 1e-12]),
    "a staircase": (list(np.cumsum([0.0, *2.0 ** np.arange(-12.0, 0.0)])), [1.0 / 12.0] * 12),
    "a little one": ([0.0, 0.5, 0.5 + 1e-3, 1.0], [0.5, 2e-3, 0.498]),
}


class Steps:
    """A log density that is constant between edges, and does not say where they are."""

    def __init__(self, edges, probabilities, drawn=False):
        self.edges, self.probabilities = np.array(edges), np.array(probabilities)
        self.heights = np.log(self.probabilities / np.diff(self.edges))
        if drawn:
            self.rvs = self.draw

    def support(self):
        return self.edges[0], self.edges[-1]

    def logpdf(self, x):
        inside = (x >= self.edges[0]) & (x <= self.edges[-1])
        place = np.searchsorted(self.edges, x, side="right") - 1
        return np.where(inside, self.heights[np.clip(place, 0, len(self.heights) - 1)], -np.inf)

    def draw(self, size, random_state):
        which = random_state.choice(len(self.heights), size=size, p=self.probabilities)
        return random_state.uniform(self.edges[which], self.edges[which + 1])


def divergence_of_steps(steps, q):
    """Σ w (log(w/width) + log width + KL(uniform‖q)), each from an enclosure."""
    edges, probabilities = steps
    total = arb(0)
    for low, high, weight in zip(edges, edges[1:], probabilities, strict=False):
        part = Member(DENSITIES["uniform"](), rational(low), rational(high) - rational(low))
        total += real(weight) * (real(weight).log() + divergence(part, q))
    return total


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPS)
def test_steps_are_found_or_doubted(name):
    steps = STEPS[name]
    truth = divergence_of_steps(steps, Member(DENSITIES["norm"](), rational(0.4), rational(0.5)))
    exact = float(truth.mid())
    for drawn in (False, True):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = estimate_kl(Steps(*steps, drawn=drawn), stats.norm(0.4, 0.5))
        if found.converged:
            assert abs(found.value - exact) <= 4.0 * found.error + 1e-12, drawn
        else:
            assert any(issubclass(one.category, EstimateWarning) for one in caught)
