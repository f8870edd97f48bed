"""Interrupts of long calls: KeyboardInterrupt it is, once, and nothing is left half done."""

from __future__ import annotations

import signal
import threading
import weakref

import numpy as np
import pymc as pm
import pytest
from scipy import stats

from kl_plugins import estimate_kl
from kl_plugins.interrupts import answer_interrupt, answered_in_time
from kl_plugins.variational import KLConvergence, diagnose, distance_to_optimum, fit
from kl_plugins.variational.target import chunks, parameters


@pytest.fixture(autouse=True)
def python_handles_interrupts():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    left = signal.signal(signal.SIGINT, before)
    assert left is signal.default_int_handler
    assert pm.Model.get_context(error_if_none=False) is None


def interrupt():
    signal.raise_signal(signal.SIGINT)


def test_an_interrupt_waits_for_a_place_to_be_answered():
    seen = []

    @answered_in_time()
    def call():
        interrupt()
        seen.append("whole")
        answer_interrupt()
        seen.append("after")

    with pytest.raises(KeyboardInterrupt):
        call()
    assert seen == ["whole"]
    answer_interrupt()  # no more than once, and outside of calls never


def test_an_interrupt_is_answered_at_the_end_at_the_latest():
    with pytest.raises(KeyboardInterrupt), answered_in_time(), answered_in_time():
        interrupt()


def test_a_second_interrupt_does_not_wait():
    seen = []

    @answered_in_time()
    def call():
        interrupt()
        seen.append("waits")
        interrupt()
        seen.append("lost")

    with pytest.raises(KeyboardInterrupt):
        call()
    assert seen == ["waits"]


def test_whatever_else_goes_wrong_meanwhile():
    def broken():
        interrupt()
        raise SystemError("returned a result with an exception set")

    with pytest.raises(KeyboardInterrupt), answered_in_time():
        broken()

    class Node:
        pass

    nodes = [Node()]
    callback = weakref.ref(nodes[0], lambda _: interrupt())
    with pytest.raises(KeyboardInterrupt), answered_in_time():
        nodes.clear()  # Python ignores what is raised in the callback
    assert callback() is None


def test_a_handler_of_somebody_elses_is_called_instead():
    numbers = []
    signal.signal(signal.SIGINT, lambda number, frame: numbers.append(number))
    with answered_in_time():
        interrupt()
        assert numbers == []
        answer_interrupt()
        interrupt()
    assert numbers == [signal.SIGINT] * 2
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with answered_in_time():
        interrupt()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_other_threads_change_no_handler():
    seen = []

    def work():
        with answered_in_time():
            answer_interrupt()
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


@pytest.fixture
def model():
    with pm.Model() as built:
        pm.Normal("x", 1.0, 2.0)
    return built


@pytest.fixture
def approximation(model):
    return pm.MeanField(model=model)


def interrupted_at(monkeypatch, evaluation):
    """An interrupt in the evaluation of the log density of that number."""
    count = iter(range(100_000))

    def answered(function, *arguments):
        answer_interrupt()
        if next(count) == evaluation:
            interrupt()
        return function(*arguments)

    monkeypatch.setattr(chunks, "_answered", answered)


CALLS = {
    "fit": lambda model, approximation: fit(model, progressbar=True, random_seed=1),
    "distance": lambda model, approximation: distance_to_optimum(approximation, random_seed=1),
    "diagnose": lambda model, approximation: diagnose(
        approximation, draws=4_000, progressbar=False, random_seed=1
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("evaluation", [0, 30])
@pytest.mark.parametrize("call", CALLS)
def test_interrupts_between_evaluations(model, approximation, monkeypatch, call, evaluation):
    before = [parameter.get_value().copy() for parameter in approximation.params]
    interrupted_at(monkeypatch, evaluation)
    with pytest.raises(KeyboardInterrupt):
        CALLS[call](model, approximation)
    for parameter, value in zip(approximation.params, before, strict=True):
        np.testing.assert_array_equal(parameter.get_value(), value)


def test_an_interrupted_compilation_is_no_reason_to_try_another_way(model, monkeypatch):
    def interrupted(*args, **options):
        interrupt()
        raise SystemError("returned a result with an exception set")

    monkeypatch.setattr(chunks, "vectorize_graph", interrupted)
    monkeypatch.setattr(chunks, "compiled", lambda *args: pytest.fail("compiled all the same"))
    with pytest.raises(KeyboardInterrupt):
        fit(model, progressbar=False)


def test_the_parameters_of_an_approximation_are_set_together(approximation, monkeypatch):
    set_one, interrupts = parameters._set, iter([interrupt])

    def interrupted(parameter, value):
        next(interrupts, int)()
        set_one(parameter, value)

    held = parameters.Parameters(approximation)
    coordinates = np.array([2.0, np.log(3.0)])
    monkeypatch.setattr(parameters, "_set", interrupted)
    with pytest.raises(KeyboardInterrupt):
        held.write(held.distribution(coordinates))
    np.testing.assert_allclose(held.coordinates(held.read()[None])[0], coordinates)


def test_an_interrupted_monitor_ends_the_fit_and_claims_nothing(model, monkeypatch):
    """PyMC takes KeyboardInterrupt for the wish to stop, and returns what it has."""
    interrupted_at(monkeypatch, 5)
    monitor = KLConvergence(tolerance=1e3, random_seed=1)
    with model:
        fitted = pm.fit(3_000, callbacks=[monitor], progressbar=False, random_seed=1)
    assert monitor.status == "stopped from outside"
    assert np.isfinite(parameters.Parameters(fitted).read()).all()


def test_an_interrupted_estimate():
    class Own:
        logpdf = stats.norm().logpdf

        def rvs(self, size, random_state):
            interrupt()
            return stats.norm().rvs(size, random_state)

    with pytest.raises(KeyboardInterrupt):
        estimate_kl(Own(), stats.norm(1.0), method="monte carlo", random_state=1)
