"""Models of pymc.dims, judged by the same models of PyMC's ordinary variables."""

import numpy as np
import pymc as pm
import pytensor
import pytest
from pytensor.compile.mode import Mode

from dims import COORDS, pmd, school_models
from kl_plugins import NoClosedFormError, kl
from kl_plugins.variational import (
    ClosedFormKL,
    KLConvergence,
    NotConvergedWarning,
    diagnose,
    distance_to_optimum,
    fit,
    kl_terms,
    snapshot,
)
from kl_plugins.variational.evidence.figures import information_gained
from kl_plugins.variational.evidence.references import reference_draws
from kl_plugins.variational.target.density import TargetDensity
from kl_plugins.variational.target.transforms import constrained, unconstrained

PYTHON = Mode(linker="py", optimizer="fast_compile")


@pytest.fixture(scope="module")
def models():
    return school_models()


@pytest.mark.slow
def test_log_densities_of_many_points_at_once(models):
    named, ordinary = map(TargetDensity, models)
    points = np.random.default_rng(1).normal(size=(5, named.dimension))
    for own, other in zip(named(points), ordinary(points), strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-12)
    assert named.variables == ordinary.variables
    np.testing.assert_array_equal(named.logarithms, ordinary.logarithms)
    assert named.logarithms.sum() == 8
    values = [constrained(model, named.variables, points) for model in models]
    for name, value in values[0].items():
        np.testing.assert_allclose(value, values[1][name], rtol=1e-14)
    np.testing.assert_allclose(unconstrained(models[0], named.variables, values[0]), points, rtol=1e-12)


def test_potentials():
    """PyMC leaves their operations by name as they are, which have no gradients."""
    with pm.Model(coords=COORDS) as model:
        mean, spread = pmd.Normal("mean", 0.0, 1.0, dims="place"), pmd.HalfNormal("spread")
        pmd.Potential("penalty", -kl(pmd.Normal.dist(mean, spread), pmd.Normal.dist(1.0, 2.0)))
    points = np.array([[0.5, -1.0, 0.3], [2.0, 0.0, -0.4]])
    _, gradients = TargetDensity(model)(points)
    spread = np.exp(points[:, 2])
    expected = -points[:, :2] - (points[:, :2] - 1.0) / 4.0
    np.testing.assert_allclose(gradients[:, :2], expected, rtol=1e-12)
    np.testing.assert_allclose(gradients[:, 2], 1.0 - spread**2 - 2.0 * (spread**2 / 4.0 - 1.0), rtol=1e-12)


@pytest.mark.skipif(not hasattr(pmd, "VonMises"), reason="pymc.dims of PyMC 5 has no angles")
def test_angles():
    with pm.Model() as model:
        pmd.VonMises("direction", 0.0, 2.0)
    assert TargetDensity(model).angles.all()


@pytest.mark.slow
def test_terms(models):
    """Exact ones, those at draws of other variables, and those without a closed form."""
    found = []
    for model in models:
        with model:
            approximation = pm.MeanField(random_seed=1)
        terms = kl_terms(model, approximation, no_closed_form="draw", draws=2)
        found.append(pm.compile([], list(terms.values()), random_seed=4, mode=PYTHON)())
    assert [term.name for term in terms.values()] == [f"kl_{rv.name}" for rv in models[0].free_RVs]
    for own, ordinary in zip(*found, strict=True):
        np.testing.assert_allclose(own, ordinary, rtol=1e-10)


def test_terms_without_closed_form_are_named(models):
    with models[0]:
        approximation = pm.MeanField()
    with pytest.raises(NoClosedFormError, match=r"'share' \(pmd.Beta\): it needs the expectation"):
        kl_terms(models[0], approximation)


def test_terms_of_distributions_given_by_hand(models):
    """By name: dimensions in another order than the variable's."""
    mean = pmd.as_xtensor(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), dims=("school", "place"))
    with pm.Model(coords=COORDS) as model:
        pmd.Normal("w", pmd.as_xtensor([0.0, 1.0], dims=("place",)), 2.0, dims=("place", "school"))
        pmd.Normal("line", 0.0, 1.0, dims=("place",))
    for own in (mean, mean.transpose("place", "school")):
        terms = kl_terms(model, {"w": pmd.Normal.dist(own, 1.0)})
        expected = kl(pm.Normal.dist(mean.values.T, 1.0), pm.Normal.dist([[0.0], [1.0]], 2.0)).sum()
        assert float(terms["w"].eval()) == pytest.approx(float(expected.eval()), rel=1e-12)
    with pytest.raises(ValueError, match=r"of 'line': .* 'school', which are not among 'place'"):
        kl_terms(model, {"line": pmd.Normal.dist(mean, 1.0)})


def test_information_gained(models):
    gained = []
    for model in models:
        with model:
            q = snapshot(pm.MeanField(random_seed=1))
        gained.append(information_gained(q, model))
    assert gained[0] == pytest.approx(gained[1], nan_ok=True)
    assert np.isfinite(gained[0]["mean"])
    with models[0]:
        terms = kl_terms(models[0], pm.MeanField(random_seed=1), var_names=["mean", "spread", "noise"])
    for name, term in zip(terms, pytensor.function([], list(terms.values()), mode=PYTHON)(), strict=True):
        assert gained[0][name] == pytest.approx(float(term), rel=1e-12)


@pytest.mark.slow
def test_draws_as_a_reference():
    """Compositions, which have to come back from the unconstrained space."""
    with pm.Model(coords=COORDS) as model:
        pmd.Dirichlet("parts", pmd.as_xtensor(np.ones(3), dims=("school",)), core_dims="school")
    draws = np.random.default_rng(1).dirichlet(np.ones(3), 50)
    points = reference_draws({"parts": draws}, model, TargetDensity(model).variables)
    assert points.shape == (1, 50, 2)
    with pytest.raises(ValueError, match=r"'parts'.* come back otherwise"):
        reference_draws({"parts": draws + 0.01}, model, TargetDensity(model).variables)


@pytest.mark.slow
def test_the_same_fit_certificate_and_verdict(models):
    fits, distances, verdicts = [], [], []
    for model in models:
        with model:
            fits.append(fit(random_seed=1, progressbar=False))
            distances.append(distance_to_optimum(fits[-1], random_seed=2))
            verdicts.append(diagnose(fits[-1], random_seed=3, progressbar=False))
    own, ordinary = map(snapshot, fits)
    assert kl(own, ordinary) < 1e-4
    assert max(distance.jeffreys for distance in distances) < 0.01
    assert verdicts[0].verdict.level == verdicts[1].verdict.level
    assert verdicts[0].names == verdicts[1].names
    assert "school_mean[a]" in verdicts[0].names
    k, other = (verdict.importance.k for verdict in verdicts)
    assert k.value == pytest.approx(other.value, abs=4.0 * max(k.error, other.error))
    assert verdicts[0].information_gained == pytest.approx(
        verdicts[1].information_gained, rel=1e-3, nan_ok=True
    )


@pytest.mark.slow
def test_objective_of_closed_forms(models):
    losses = []
    for model in models:
        with model:
            approximation = pm.MeanField(random_seed=1)
        loss = ClosedFormKL(approximation)()(1)
        outputs = [loss, *pytensor.grad(loss, approximation.params)]
        losses.append(pm.compile([], outputs, random_seed=4)())
    for own, ordinary in zip(*losses, strict=True):
        np.testing.assert_allclose(own, ordinary, rtol=1e-10)


@pytest.mark.slow
def test_monitor(models):
    states = []
    for model in models:
        with model:
            monitor = KLConvergence(check=False)
            with pytest.warns(NotConvergedWarning):
                pm.fit(400, method="advi", callbacks=[monitor], progressbar=False, random_seed=1)
        states.append(monitor)
    assert repr(states[0]) == repr(states[1])
