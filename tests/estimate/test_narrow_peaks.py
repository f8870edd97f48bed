"""Estimates of narrow peaks, which other quadratures miss: within their error, or not converged."""

import warnings

import numpy as np
import pytest
from flint import fmpq
from scipy import stats

from enclosures.integrals import Member, divergence
from enclosures.mixtures import mixture as enclosed_mixture
from kl_plugins import EstimateWarning, estimate_kl, mixture

SPIKES = {
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
    "far from the origin": ([(1.0, "t", [3.0, 1e6, 1e-3])], [(1.0, "cauchy", [1e6, 1e-3])]),
}


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
            assert abs(found.value - exact) <= found.error + 1e-16
        else:
            assert make is not known
            assert any(issubclass(one.category, EstimateWarning) for one in caught)
