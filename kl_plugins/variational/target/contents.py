"""What a model's data are now: containers (``pm.Data``, shared variables) may be given others in a fit."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np
from pymc.model import Model
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.traversal import ancestors
from pytensor.tensor.random.type import RandomType


def contents(model: Model) -> tuple[bytes, ...]:
    """Digests of all that the model's containers hold, which are equal where their values are.

    Generators of random numbers, such as those that draw minibatches, are left out.
    """
    graphs = [*model.basic_RVs, *model.rvs_to_values.values(), *model.potentials]
    return tuple(
        _digest(node.get_value(borrow=True))
        for node in ancestors(graphs)
        if isinstance(node, SharedVariable) and not isinstance(node.type, RandomType)
    )


def _digest(value: Any) -> bytes:
    array = np.asarray(value)
    return blake2b(array.tobytes(), key=str(array.shape).encode()[:64]).digest()
