"""float32 in, float32 out: every closed form of every pair of univariate families, and every entropy."""

from __future__ import annotations

import numpy as np
import pytest

from kl_plugins import NoClosedFormError, entropy, extend, kl
from univariate import NAMES


def members(name, i, dtype):
    """A vector of the i-th typical member of a family, of a float type; whole numbers stay what they are."""
    family = getattr(extend, name)
    made = {}
    for field, stated in family.parameters.items():
        value = stated.typical[i % len(stated.typical)]
        whole = stated.domain.whole or (stated.static and len(stated.typical) == 1)
        made[field] = value if whole else np.array([value, value], dtype)
    return family(**made)


def arrays(*sides):
    return any(isinstance(value, np.ndarray) for side in sides for value in side.values())


@pytest.mark.parametrize("name", NAMES)
def test_every_pair(name):
    for other in NAMES:
        found = []
        for dtype in (np.float32, np.float64):
            p, q = members(name, 0, dtype), members(other, 1, dtype)
            try:
                found.append(kl(p, q))
            except NoClosedFormError:
                break
            assert found[-1].dtype == (dtype if arrays(p, q) else np.float64), other
        if found:
            np.testing.assert_allclose(*found, rtol=2e-3, atol=1e-5, err_msg=other)


@pytest.mark.parametrize("name", NAMES)
def test_every_entropy(name):
    p = members(name, 0, np.float32)
    try:
        found = entropy(p)
    except NoClosedFormError:
        return
    assert found.dtype == (np.float32 if arrays(p) else np.float64)
    np.testing.assert_allclose(found, entropy(members(name, 0, np.float64)), rtol=1e-4, atol=1e-5)
