"""One Gaussian in every structure of covariance, each with the oracle's reading of the same numbers."""

from __future__ import annotations

import numpy as np

import oracle
from kl_plugins import Cholesky, Dense, Diagonal, Isotropic, LowRank, MultivariateNormal, Precision
from kl_plugins.covariance.axis_aligned import DiagonalScales
from kl_plugins.covariance.block_diagonal import BlockDiagonal
from kl_plugins.covariance.eigendecomposition import Eigendecomposition

# How general the covariances are that a structure can hold: a multiple of the identity, diagonal, two
# blocks, anything.
MULTIPLE, AXES, BLOCKS, ANY = range(4)

LEVELS = {
    "Isotropic": MULTIPLE,
    "Diagonal": AXES,
    "DiagonalScales": AXES,
    "BlockDiagonal": BLOCKS,
    "Dense": ANY,
    "Cholesky": ANY,
    "Precision": ANY,
    "Eigendecomposition": ANY,
    "LowRank": ANY,
}
STRUCTURES = tuple(LEVELS)
PAIRS = [(p, q) for p in STRUCTURES for q in STRUCTURES]


def make(structure, mean, covariance):
    """The library's distribution and the oracle's, from one matrix that the structure can hold."""
    mean, covariance = np.asarray(mean), np.asarray(covariance)
    variances = np.diagonal(covariance)
    match structure:
        case "Isotropic":
            held = Isotropic(variances[0], dim=len(mean))
            exact = oracle.from_variances(mean, np.full(len(mean), variances[0]))
        case "Diagonal":
            held = Diagonal(variances)
            exact = oracle.from_variances(mean, variances)
        case "DiagonalScales":
            scales = np.sqrt(variances)
            held = DiagonalScales(scales)
            exact = oracle.from_scales(mean, scales)
        case "BlockDiagonal":
            held, exact = _two_blocks(mean, covariance)
        case "Dense":
            held = Dense(covariance)
            exact = oracle.from_covariance(mean, covariance)
        case "Cholesky":
            factor = np.linalg.cholesky(covariance)
            held = Cholesky(factor)
            exact = oracle.from_factor(mean, factor)
        case "Precision":
            inverse = np.linalg.inv(covariance.astype(np.float64)).astype(covariance.dtype)
            inverse = (inverse + inverse.T) / 2
            held = Precision(inverse)
            exact = oracle.from_precision(mean, inverse)
        case "Eigendecomposition":
            eigenvalues, eigenvectors = np.linalg.eigh(covariance)
            held = Eigendecomposition(eigenvalues, eigenvectors)
            exact = oracle.from_eigendecomposition(mean, eigenvalues, eigenvectors)
        case "LowRank":
            # A tenth of every variance is its own; the rest needs as many columns as there are variables.
            diagonal = variances / 10
            factor = np.linalg.cholesky(covariance - np.diag(diagonal))
            held = LowRank(diagonal, factor)
            exact = oracle.from_low_rank(mean, diagonal, factor)
    return MultivariateNormal(mean, held), exact


def _two_blocks(mean, covariance):
    half = (len(mean) + 1) // 2
    if half == len(mean):
        return BlockDiagonal((Dense(covariance),)), oracle.from_covariance(mean, covariance)
    first, second = covariance[:half, :half], covariance[half:, half:]
    factor = np.linalg.cholesky(second)
    parts = [oracle.from_covariance(mean[:half], first), oracle.from_factor(mean[half:], factor)]
    return BlockDiagonal((Dense(first), Cholesky(factor))), oracle.joined(parts)


def symmetric(rng, dimension, level):
    """A random symmetric matrix with entries of order one, as general as `level` allows."""
    full = rng.uniform(-1.0, 1.0, (dimension, dimension))
    full = (full + full.T) / 2
    half = (dimension + 1) // 2
    first = np.arange(dimension) < half
    masks = {
        MULTIPLE: np.eye(dimension),
        AXES: np.eye(dimension),
        BLOCKS: np.equal.outer(first, first),
        ANY: np.ones((dimension, dimension)),
    }
    return (full[0, 0] if level == MULTIPLE else full) * masks[level]


def well_conditioned(rng, dimension, level):
    """A random covariance with eigenvalues between about 1/2 and 5/2."""
    return 1.5 * np.eye(dimension) + symmetric(rng, dimension, level) / np.sqrt(dimension)
