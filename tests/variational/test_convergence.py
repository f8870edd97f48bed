"""The callback that watches a fit: what it claims, and when."""

import copy
import re
import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pymc as pm
import pytest
from rich.console import Console
from rich.live import Live

from kl_plugins import Diagonal, MultivariateNormal, jeffreys, kl
from kl_plugins.variational import KLConvergence, NotConvergedWarning, distance_to_optimum, fit, snapshot
from kl_plugins.variational.optimum.iterates import OptimumComparison
from kl_plugins.variational.target.parameters import Parameters


def normals(scale=1.0, shape=3):
    with pm.Model() as model:
        pm.Normal("x", np.arange(1.0, shape + 1.0) * scale, scale, shape=shape)
    return model


def line():
    """A regression on a predictor far from zero: intercept and slope all but determine each other."""
    with pm.Model() as model:
        beta = pm.Flat("beta", shape=2)
        x = np.linspace(100.0, 140.0, 30)
        pm.Normal("y", beta[0] + beta[1] * x, 5.0, observed=30.0 + 0.6 * x)
    return model


def fitted(model, monitor, n, optimizer=None, method="advi", **options):
    with model:
        return pm.fit(
            n,
            method=method,
            obj_optimizer=optimizer or pm.adagrad_window(),
            callbacks=[monitor],
            progressbar=False,
            random_seed=1,
            **options,
        )


def adam():
    return pm.adam(learning_rate=0.02)


@pytest.fixture(scope="module", params=["advi", "fullrank_advi"])
def converged(request):
    model, monitor = normals(), KLConvergence(random_seed=1)
    return model, monitor, fitted(model, monitor, 20_000, adam(), request.param)


def test_what_it_calls_converged_is_near_the_optimum(converged):
    model, monitor, approximation = converged
    assert monitor.status == "converged"
    assert monitor.converged
    assert len(approximation.hist) == monitor.history[-1].iteration - 1 < 20_000
    truth = distance_to_optimum(monitor.average, model, random_seed=2).jeffreys
    assert truth == pytest.approx(monitor.distance.jeffreys, rel=1e-3, abs=1e-6)
    assert truth < 0.1
    assert "from the best approximation of its family" in repr(monitor)


@pytest.mark.slow
def test_once_the_optimum_is_known_every_look_has_its_distance():
    monitor = KLConvergence(every=1, random_seed=1)
    fitted(normals(scale=10.0), monitor, 20_000, adam())
    assert len(monitor.averages) == len(monitor.history) > 2
    error, optimum = monitor.distance.sampling_error, monitor.distance.optimum
    for look, average in zip(monitor.history, monitor.averages, strict=True):
        away = jeffreys(average, optimum)
        assert look.to_optimum == pytest.approx((away**0.5 + error**0.5) ** 2, rel=1e-9)
    assert jeffreys(monitor.averages[-1], monitor.average) < 1e-20
    assert monitor.history[0].to_optimum > 10.0 * monitor.history[-1].to_optimum


def test_the_approximation_then_holds_the_average(converged):
    _, monitor, approximation = converged
    assert jeffreys(snapshot(approximation), monitor.average) < 1e-20


def test_the_optimum_can_be_written_instead(converged):
    _, monitor, approximation = converged
    monitor.write_back(monitor.distance.optimum)
    assert kl(snapshot(approximation), monitor.distance.optimum) < 1e-20
    monitor.write_back()
    assert jeffreys(snapshot(approximation), monitor.average) < 1e-20


@pytest.mark.slow
def test_at_rest_off_the_optimum_is_said():
    """The default optimiser rests at log sd 0.083 too much: 2 · 0.083² · 3 nats from the optimum."""
    monitor = KLConvergence(0.02, random_seed=1)
    with pytest.warns(NotConvergedWarning, match=r"stationary but not optimal .*variational\.fit"):
        fitted(normals(scale=0.3), monitor, 40_000, pm.adagrad_window(learning_rate=0.01))
    assert not monitor.converged
    assert monitor.history[-1].iteration < 40_000
    assert 0.5 < monitor.distance.jeffreys / (6.0 * 0.083**2) < 2.0


@pytest.mark.slow
def test_on_the_way_through_the_optimum_the_claim_is_about_what_is_left():
    """From too narrow to 8 % too wide, where the default optimiser rests."""
    model, monitor = normals(scale=3.0), KLConvergence(0.02, random_seed=1)
    approximation = fitted(model, monitor, 20_000, pm.adagrad_window(learning_rate=0.01))
    assert monitor.converged
    assert monitor.history[-1].drift > 0.02
    assert "iterations: you are done, the approximation holds the average" in monitor.message
    assert re.search(r"Single iterates still drift, .* a longer fit is not needed", monitor.message)
    left = distance_to_optimum(approximation, random_seed=2).jeffreys
    assert left == pytest.approx(monitor.distance.jeffreys, rel=1e-3)
    assert left <= monitor.history[-1].to_optimum <= 0.02


def test_claims_allow_for_the_error_of_the_optimum():
    comparison = OptimumComparison(normals(), None, 0.1)
    with normals() as model:
        q = snapshot(pm.MeanField())
        found = distance_to_optimum(q, model, random_seed=1)
    comparison.distance = replace(found, jeffreys=0.0975, sampling_error=0.001)
    comparison._divergences = lambda average: (0.05, 0.0475)
    assert comparison.jeffreys_of(None) == pytest.approx((0.0975**0.5 + 0.001**0.5) ** 2)
    comparison.distance = replace(found, jeffreys=0.0975, sampling_error=0.5, reached=False)
    assert comparison.jeffreys_of(None) == pytest.approx(0.0975)
    seen = comparison.distance
    assert comparison.jeffreys_of_each([None, None]) == pytest.approx([0.0975] * 2)
    assert comparison.distance is seen
    comparison.distance = replace(comparison.distance, sampling_error=np.inf)
    assert np.isnan(comparison.jeffreys_of(None))
    assert np.isnan(comparison.jeffreys_of_each([None])).all()


@pytest.mark.slow
def test_small_steps_on_a_badly_scaled_model_are_no_convergence():
    monitor = KLConvergence(random_seed=1)
    with pytest.warns(NotConvergedWarning, match=r"not stationary .* it would take about .* more iterations"):
        fitted(line(), monitor, 10_000, pm.adam(learning_rate=1e-4))
    assert monitor.distance.jeffreys > 100.0


@pytest.mark.slow
def test_what_moves_yet_is_not_stopped():
    """At an early look it is hundreds of nats from the optimum, and on its way there."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=100)
    with pm.Model() as model:
        a, b, s = pm.Normal("a", 0, 5), pm.Normal("b", 0, 5), pm.HalfNormal("s", 2)
        pm.Normal("y", a + b * x, s, observed=1 + 2 * x + rng.normal(size=100))
    monitor = KLConvergence(random_seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        fitted(model, monitor, 8_000, pm.adam(learning_rate=0.01))
    assert monitor.status in ("converged", "not stationary")


@pytest.mark.slow
def test_a_fit_that_ends_too_early_is_not_stationary():
    model, monitor = normals(), KLConvergence(random_seed=1)
    with pytest.warns(
        NotConvergedWarning, match="not stationary after 1,500 iterations.*best approximation of its family"
    ):
        approximation = fitted(model, monitor, 1_500)
    assert monitor.status == "not stationary"
    assert "not stationary after 1,500" in repr(monitor)
    assert len(approximation.hist) == 1_500
    truth = distance_to_optimum(monitor.average, model, random_seed=2).jeffreys
    assert monitor.distance.jeffreys == pytest.approx(truth, rel=1e-3)


@pytest.mark.parametrize("shown", [True, False])
def test_it_says_what_keeps_the_bar_of_a_fit_waiting(capsys, shown):
    """Above the bar, so that neither garbles the other; nothing where there is no bar."""
    monitor = KLConvergence(every=1, random_seed=1)
    console = Console(force_terminal=True, force_jupyter=False)
    with Live("a bar", console=console, auto_refresh=False, redirect_stdout=shown):
        fitted(normals(), monitor, 1_000, adam())
    assert monitor.distance is not None
    assert ("computing the optimum" in capsys.readouterr().out) == shown


def test_a_fit_too_short_to_be_looked_at_says_so():
    monitor = KLConvergence()
    with pytest.warns(NotConvergedWarning, match="not stationary after 50 iterations: too few for a look"):
        fitted(normals(), monitor, 50)
    assert monitor.distance is None
    assert monitor.history == []


@pytest.mark.slow
def test_without_the_check_stationarity_is_all_that_is_claimed():
    monitor = KLConvergence(check=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(normals(), monitor, 20_000, adam())
    assert monitor.status == "stationary"
    assert "not compared with the best approximation of its family (check=False)" in monitor.message
    assert monitor.distance is None
    assert not monitor.converged
    assert np.isnan([look.to_optimum for look in monitor.history]).all()
    assert len(monitor.averages) == len(monitor.history)


@pytest.mark.slow
def test_a_fit_with_minibatches_is_compared_with_the_optimum_of_all_the_data():
    data = np.random.default_rng(1).normal(2.0, 1.0, size=500)
    with pm.Model() as model:
        mean = pm.Normal("mean", 0.0, 10.0)
        batch = pm.Minibatch(data, batch_size=100)
        pm.Normal("y", mean, 1.0, observed=batch, total_size=len(data))
    monitor = KLConvergence()
    fitted(model, monitor, 40_000, pm.adam(learning_rate=0.005))
    assert monitor.status == "converged"
    precision = len(data) + 0.01
    optimum = MultivariateNormal(np.array([data.sum() / precision]), Diagonal(np.array([1.0 / precision])))
    assert jeffreys(monitor.distance.optimum, optimum) < 1e-9
    assert jeffreys(monitor.average, optimum) <= monitor.tolerance


@pytest.mark.filterwarnings("ignore:KLConvergence cannot see the end")
def test_what_is_claimed_does_not_depend_on_the_units():
    """The same fit in units of a thousandth, its optimiser's steps being those of log scales and z."""
    looks = []
    for scale in (1.0, 1e-3):
        monitor = KLConvergence(1e-9, check=False)
        with normals():
            approximation = pm.MeanField()
        rng, (mu, rho) = np.random.default_rng(3), (approximation.params_dict[k] for k in ("mu", "rho"))
        for iteration in range(1, 2_000):
            mu.set_value(scale * (1.0 + 0.1 * rng.normal(size=3)))
            std = scale * np.exp(0.1 * rng.normal(size=3))
            rho.set_value(np.log(np.expm1(std)))
            monitor(approximation, None, iteration)
        looks.append(np.array(monitor.history)[:, :4])
    np.testing.assert_allclose(looks[0], looks[1], rtol=1e-6)


@pytest.mark.filterwarnings("ignore:KLConvergence cannot see the end")
def test_a_steady_drift_is_not_stationary():
    """Far less than the tolerance between two looks, and no check to catch it."""
    with normals():
        approximation = pm.MeanField()
    monitor, mean = KLConvergence(check=False), approximation.params_dict["mu"]
    for iteration in range(1, 5_000):
        mean.set_value(np.full(3, 1e-5 * iteration))
        monitor(approximation, None, iteration)
    assert monitor.status == "running"
    assert max(look.drift for look in monitor.history) < 0.01


def test_of_data_that_change_there_is_no_optimum():
    """Batches that are put into pm.Data by hand; those that pm.Minibatch draws are no change."""
    data = np.arange(12.0)
    with pm.Model() as model:
        rows = pm.Data("rows", data[:4])
        pm.Normal("y", pm.Normal("mu"), 1.0, observed=rows)
        pm.Normal("z", model["mu"], 1.0, observed=pm.Minibatch(data, batch_size=4), total_size=12)
    comparison = OptimumComparison(model, None, 0.1)
    pm.draw(model["z"])
    rows.set_value(data[:4].copy())
    assert not comparison.forgotten()
    rows.set_value(data[4:8])
    assert comparison.forgotten()
    assert comparison.reason.startswith("its data change during the fit")
    assert not comparison.forgotten()


@pytest.mark.slow
def test_a_stream_without_total_size_is_stationary_at_most():
    rng = np.random.default_rng(1)
    data = rng.normal(1.0, 1.0, size=400)
    with pm.Model() as model:
        rows = pm.Data("rows", data[:40])
        pm.Normal("y", pm.Normal("mu", 0.0, 10.0), np.sqrt(0.1), observed=rows)

    def change(approximation, losses, iteration):
        rows.set_value(rng.choice(data, 40, replace=False))

    monitor = KLConvergence(random_seed=1)
    optimizer = pm.adam(learning_rate=0.01)
    with pytest.warns(NotConvergedWarning, match="its data change during the fit"):
        pm.fit(
            20_000,
            model=model,
            callbacks=[change, monitor],
            obj_optimizer=optimizer,
            progressbar=False,
            random_seed=1,
        )
    assert monitor.status == "stationary"
    assert monitor.distance is None


@pytest.mark.slow
def test_refining_goes_on_and_a_new_fit_starts_afresh():
    monitor = KLConvergence(1e-9, check=False)
    with normals(), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        inference = pm.ADVI(random_seed=1)
        inference.fit(2_000, callbacks=[monitor], progressbar=False)
        first = list(monitor.history)
        inference.refine(2_000, progressbar=False)
        assert monitor.history[: len(first)] == first
        assert monitor.history[-1].iteration == 3_999  # PyMC repeats the last number
        assert "after 3,999" in repr(monitor)
        inference.fit(1_200, callbacks=[monitor], progressbar=False)
    assert [look.iteration for look in monitor.history] == [1_000, 1_200]
    assert len(monitor.averages) == 2


def test_without_losses_the_end_is_not_known():
    with normals():
        approximation = pm.MeanField()
    monitor = KLConvergence()
    with pytest.warns(NotConvergedWarning, match="cannot see the end of a fit without losses"):
        monitor(approximation, None, 1)
    for iteration in range(2, 200):
        monitor(approximation, None, iteration)
    assert monitor.status == "running"
    assert "running, last called at iteration 199" in repr(monitor)


@pytest.mark.parametrize("ending", [StopIteration, KeyboardInterrupt])
def test_a_fit_that_something_else_stops(ending):
    def stop(approximation, losses, iteration):
        if iteration == 40:
            raise ending

    monitor = KLConvergence()
    assert "no iteration seen yet" in repr(monitor)
    seen = []
    with normals():
        pm.fit(
            100,
            callbacks=[monitor, lambda *_: seen.append(monitor.status), stop],
            progressbar=False,
        )
    assert set(seen) == {"running"}
    assert monitor.status == "stopped from outside"
    assert "stopped from outside after 40 iterations" in monitor.message
    assert monitor.message in repr(monitor)
    assert not monitor.converged
    copied = copy.copy(monitor)
    assert copied.message == "running, last called at iteration 40"


def test_a_fit_that_is_almost_there_says_so():
    """No negative numbers of iterations, and the last iterate's own distance beside the tolerance."""
    with normals():
        approximation = pm.MeanField()
        best = fit(random_seed=1, progressbar=False).certificate.distribution
    monitor = KLConvergence(0.1, every=1, random_seed=1)
    parameters = Parameters(approximation)
    mean = approximation.params_dict["mu"]
    losses = np.zeros(400)
    parameters.write(best)
    centre = mean.get_value()

    def watch(iteration):
        off = 3.0 * max(0.0, 1.0 - iteration / 300.0)
        mean.set_value(centre + off * best.std)
        monitor(approximation, losses[:iteration], iteration)

    for iteration in range(1, 400):
        watch(iteration)
    with pytest.warns(NotConvergedWarning, match="the last iterate .*, which is within the tolerance"):
        watch(400)
    assert not re.search(r"-\d[\d.e+]* more iterations", monitor.message)


@pytest.mark.parametrize("now", [0.001, 2.0])
def test_the_pace_has_no_negative_numbers(now):
    distance = SimpleNamespace(known=True, reached=True, sampling_error=0.0)
    comparison = OptimumComparison(None, None, 0.1)
    comparison.distance = distance
    divergences = iter([9.0, now])
    comparison._divergences = lambda half: (next(divergences), 0.0)
    window = SimpleNamespace(halves=lambda: (0, 1), coordinates=np.zeros((32, 1)))
    needed = comparison.iterations_to(window, 10)
    assert needed == 0.0 if now < 0.1 else 0.0 < needed < 200.0


def test_a_diverged_fit_is_an_error():
    with normals():
        approximation = pm.MeanField()
    monitor = KLConvergence(every=1)
    monitor(approximation, np.array([1.0]), 1)
    with pytest.raises(FloatingPointError, match=r"diverged by iteration 2 \(the loss is NaN\)"):
        monitor(approximation, np.array([1.0, np.nan]), 2)
    approximation.params_dict["rho"].set_value(np.full(3, np.nan))
    with pytest.raises(
        FloatingPointError, match=r"iteration 3 \(its parameters are not finite\); try a smaller"
    ):
        monitor(approximation, np.array([1.0, np.nan, 1.0]), 3)
    assert monitor.message.startswith("diverged by iteration 3 (its")
    assert ">diverged</b> by iteration 3 (its" in monitor._repr_html_()


def test_there_is_no_average_of_nothing():
    with pytest.raises(ValueError, match="too few iterates to average"):
        _ = KLConvergence().average


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "every must be a positive integer"),
        ({"every": 2.5}, "every must be a positive integer"),
        ({"tolerance": 0.0}, "tolerance must be a positive number of nats"),
        ({"tolerance": float("nan")}, "tolerance must be a positive number of nats"),
    ],
)
def test_the_monitor_refuses_settings_without_meaning(options, message):
    with pytest.raises(ValueError, match=message):
        KLConvergence(**options)


def test_points_are_refused():
    with normals(), pytest.raises(TypeError, match="EmpiricalGroup is not a Gaussian group"):
        KLConvergence()(pm.Empirical(size=5), None, 1)
