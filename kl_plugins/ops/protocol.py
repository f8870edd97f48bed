"""The contract of a backend: the operations that formulas may use."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = Any
"""Numbers, or truth values, of one backend: a Python float, a NumPy array, a variable of PyTensor's.

No type says what they have in common: arithmetic and comparisons. `Operations` are functions of them.
"""

Conditions: TypeAlias = Iterable[tuple[Array, str]]
"""What parameters must satisfy: truth values, each with the message where they are false."""

FloatArray: TypeAlias = NDArray[np.floating[Any]]
"""A NumPy array of float32 or float64."""

Operations = ModuleType
