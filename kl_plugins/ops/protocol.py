"""The contract of a backend: the operations that formulas may use."""

from __future__ import annotations

from types import ModuleType

Operations = ModuleType
