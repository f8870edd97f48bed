"""The functions of a side, with errors that say which side they are of and what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from kl_plugins.errors import NoClosedFormError
from kl_plugins.estimate.density import Density, density_of
from kl_plugins.interrupts import answer_interrupt
from kl_plugins.mistakes import traced
from kl_plugins.ops.protocol import FloatArray

_PLAIN = (ArithmeticError, NotImplementedError, TypeError, ValueError)
"""Errors whose text says enough without their class."""


def named_density(obj: object, side: str) -> Density:
    """The density of an object, with functions whose errors say which side they are of."""
    density = _asked(obj)
    if not isinstance(density, Density):
        made = type(density).__qualname__
        raise TypeError(
            f"density_of({type(obj).__qualname__}) returned {made}, which is no Density "
            "(return Density(name=..., measure=..., log_density=...))"
        )
    if density.support is not None and getattr(density.support, "__len__", int)() != 2:
        raise ValueError(f"the support of {density.name} has to be its two ends, got {density.support!r}")
    events = len(density.event_shape)
    # What is written for one number fails in words that say nothing of how it is called.
    hint = " (it is called with arrays of points)"
    log_density = _named(density.log_density, f"{side}: the log density of {density.name}", hint)
    sample = density.sample and _named(density.sample, f"{side}: the sampler of {density.name}")
    quantile = density.quantile and _named(density.quantile, f"{side}: the quantiles of {density.name}")

    def checked_log_density(x: FloatArray) -> FloatArray:
        return _one_each(log_density(x), np.shape(x)[: np.ndim(x) - events], f"{side}: {density.name}")

    def checked_sample(count: int, rng: np.random.Generator) -> FloatArray:
        assert sample is not None
        drawn = np.asarray(sample(count, rng))
        if drawn.shape[:1] != (count,):
            raise ValueError(
                f"{side}: the sampler of {density.name} returned {_shape(drawn)} for {count} draws: "
                "they have to lie along the first axis"
            )
        return drawn

    return replace(
        density, log_density=checked_log_density, sample=sample and checked_sample, quantile=quantile
    )


def _asked(obj: object) -> Any:
    """What `density_of` returns; an object's own method may fail in it, such as ``support``."""
    try:
        return density_of(obj)
    except (TypeError, ValueError, NotImplementedError, NoClosedFormError, MemoryError):
        raise
    except Exception as error:
        told = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ValueError(f"{type(obj).__qualname__} fails when asked what it is like: {told}") from error


def _named(function: Callable[..., Any], what: str, hint: str = "") -> Callable[..., Any]:
    """The function with its name, and how it is called, in what it raises."""

    def call(*args: Any) -> Any:
        answer_interrupt()
        try:
            return function(*args)
        except MemoryError:
            raise
        except Exception as error:
            kind = type(error).__name__
            first = (str(error) or kind).splitlines()[0]
            told = traced(error) or (first if isinstance(error, _PLAIN) else f"{kind}: {first}")
            raise ValueError(f"{what} fails: {told}{hint}") from error

    return call


def _one_each(found: Any, shape: tuple[int, ...], who: str) -> FloatArray:
    """Log densities, if there is one for each point; a single point may have a bare number."""
    values = np.asarray(found, np.float64)
    if values.shape == shape:
        return values
    if shape[0] == 1 and values.shape == shape[1:]:
        return values[None]
    if values.shape[:1] != shape[:1] or values.ndim != len(shape):
        raise ValueError(
            f"{who} has a log density that returned {_shape(values)} for {shape[0]} points: it is called "
            f"with arrays of points and has to return one number for each, here an array of shape {shape}"
        )
    return values  # of a batch, to be broadcast


def _shape(values: Any) -> str:
    """What came instead of an array of the right shape."""
    return "a single number" if np.ndim(values) == 0 else f"an array of shape {np.shape(values)}"
