"""The contract of a backend: the operations that formulas may use."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any, TypeAlias

Array: TypeAlias = Any
"""Numbers, or truth values, of one backend: a Python float, a NumPy array, a variable of PyTensor's.

No type says what they have in common: arithmetic and comparisons. `Operations` are functions of them.
"""

Conditions: TypeAlias = Iterator[tuple[Array, str]]
"""What parameters must satisfy: truth values, each with the message where they are false."""

Operations = ModuleType
