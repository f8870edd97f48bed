"""What an object with parameters holds is stated by its class."""

from __future__ import annotations

import pickle
from contextlib import suppress
from dataclasses import fields

import numpy as np
import pytest

from kl_plugins import (
    BlockDiagonal,
    Cholesky,
    Dense,
    Diagonal,
    Kronecker,
    LowRank,
    MultivariateNormal,
    NoClosedFormError,
    Precision,
    entropy,
    kl,
    pairwise_kl,
)
from kl_plugins.parameters.parametrised import Parametrised
from kl_plugins.recognition import recognise
from specimens import scipy_families

STATED = {"ops", "labels", "may_hold_nan", "is_checked", "inside"}
"""What every object may hold beside its fields; the rest are cached properties."""

MATRIX = np.array([[2.0, 0.3], [0.3, 1.0]])
STRUCTURES = [
    Dense(MATRIX),
    Cholesky(np.linalg.cholesky(MATRIX)),
    Precision(MATRIX),
    Diagonal([1.0, 2.0]),
    LowRank([1.0, 2.0], [[1.0], [0.5]]),
    Kronecker((Dense([[2.0]]), Dense(MATRIX))),
    BlockDiagonal((Dense([[2.0]]), Dense([[1.0]]))),
]


@pytest.fixture
def made(monkeypatch):
    """All objects with parameters that were made without checks, and what they were made of."""
    found = []
    unchecked = Parametrised.unchecked.__func__

    def kept(cls, ops, **state):
        found.append(unchecked(cls, ops, **state))
        return found[-1]

    monkeypatch.setattr(Parametrised, "unchecked", classmethod(kept))
    return found


def unstated(one):
    names = {field.name for field in fields(one)} | STATED
    return {name for name in vars(one) if name not in names and not hasattr(type(one), name)}


def held_by(frozen, made):
    """What a distribution becomes by and by, as its class states."""
    one = recognise(frozen)
    with suppress(NoClosedFormError):
        entropy(frozen)
    kl(frozen, frozen)
    return [one, *made, pickle.loads(pickle.dumps(one)), one.to_arrays()]


def test_families_state_what_they_hold(made):
    for name, frozen in scipy_families().items():
        for one in held_by(frozen, made):
            assert unstated(one) == set(), name


@pytest.mark.parametrize("covariance", STRUCTURES, ids=lambda held: type(held).__name__)
def test_structures_state_what_they_hold(covariance, made):
    mean = np.zeros(covariance.dimension)
    first, second = (MultivariateNormal(mean + i, covariance) for i in range(2))
    for other in STRUCTURES:
        if other.dimension == covariance.dimension:
            kl(first, MultivariateNormal(mean, other))
    pairwise_kl([first, second])
    for one in [first, covariance, *made, pickle.loads(pickle.dumps(covariance))]:
        assert unstated(one) == set()
