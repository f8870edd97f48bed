"""What the examples share: that they are never silent, and that rules watch fits without changing them."""

from __future__ import annotations

import io
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pymc as pm
import pytest
from rich.console import Console


@pytest.fixture(autouse=True)
def _examples_on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "examples"))


class Lines(io.StringIO):
    """Text with the moments at which lines came."""

    def __init__(self):
        super().__init__()
        self.moments = []

    def write(self, text):
        self.moments.append(time.monotonic())
        return super().write(text)


@pytest.mark.slow
def test_without_a_terminal_lines_say_what_is_being_done():
    from support.stages import SILENCE, Stages

    assert SILENCE < 2.0
    lines = Lines()
    with Stages({"compiling": 2.0, "fitting": 6.0}) as stages:
        stages.console = Console(file=lines, force_terminal=False)
        stages.begin("compiling")
        time.sleep(2.0 * SILENCE)
        stages.begin("fitting")
        stages.at(0.9, "iteration 900 of 1,000", waiting="computing the optimum")
        time.sleep(1.5 * SILENCE)
    said = lines.getvalue().splitlines()
    assert sum("compiling" in line for line in said) >= 2
    assert all(" left in all) " in line for line in said)
    assert any("fitting: computing the optimum" in line for line in said)
    assert len(lines.moments) > 3


def test_bar_and_time_fit_beside_any_stage_at_80_columns(monkeypatch):
    from support.stages import Stages

    monkeypatch.setenv("COLUMNS", "80")
    stages = Stages({"first": 995.0})
    stages._bar.update(stages._task, description="x" * 100, completed=0.5, left=stages._state()[1])
    screen = io.StringIO()
    Console(file=screen, width=80).print(stages._bar.get_renderable())
    (line,) = screen.getvalue().splitlines()
    assert line.endswith(" about 995 s left in all")
    assert "… ━━━" in line


@pytest.mark.slow
def test_a_rule_that_watches_does_not_stop_a_fit_nor_change_it():
    from support.watching import Watch

    from kl_plugins.variational import KLConvergence

    def fitted(callbacks):
        with pm.Model():
            pm.Normal("x", 3.0, 2.0, shape=2)
            optimizer = pm.adam(learning_rate=0.05)
            return pm.fit(
                1_500, obj_optimizer=optimizer, callbacks=callbacks, progressbar=False, random_seed=1
            )

    monitor = KLConvergence(every=1, random_seed=1)
    said = []
    stages = SimpleNamespace(at=lambda share, detail, waiting="": said.append(detail))
    watch = Watch({"monitor": monitor}, 1_500, stages)
    watched, alone = fitted([watch]), fitted([])
    assert said[0] == "compiling"
    assert said[-1] == "iteration 1,500/1,500"
    assert monitor.converged
    assert watch.stops["monitor"].iteration == monitor.history[-1].iteration < 1_500
    np.testing.assert_allclose(watch.stops["monitor"].approximation.mean, monitor.average.mean)
    for ours, theirs in zip(watched.params, alone.params, strict=True):
        np.testing.assert_array_equal(ours.get_value(), theirs.get_value())


def test_ratios_of_variances_say_how_well_they_are_known():
    from support.network_report import Ratio, ratio

    rng = np.random.default_rng(1)
    scores = []
    for _ in range(300):
        common, own = rng.normal(size=(2, 400))
        found = ratio((common + 0.5 * own) ** 2, common**2)
        scores.append((found.value - 1.25) / found.error)
    assert abs(np.mean(scores)) < 0.3
    assert 0.85 < np.std(scores) < 1.15
    assert str(Ratio(0.98812, 0.0007)) == "0.9881(7)"
    assert str(Ratio(10.23, 0.2)) == "10.2(2)"


def test_the_network_is_the_same_for_arrays_and_graphs():
    import pytensor.tensor as pt
    from bayesian_network import affine, network

    rng = np.random.default_rng(2)
    x, *weights = rng.normal(size=(5, 3)), rng.normal(size=(4, 6)), rng.normal(size=(7, 2))
    hidden = np.maximum(x @ weights[0][1:] + weights[0][0], 0.0)
    expected = hidden @ weights[1][1:] + weights[1][0]
    np.testing.assert_allclose(network(affine(weights), x), expected, atol=1e-14)
    graph = network(affine([pt.as_tensor(w) for w in weights]), pt.as_tensor(x))
    np.testing.assert_allclose(graph.eval(mode="FAST_COMPILE"), expected, atol=1e-14)
