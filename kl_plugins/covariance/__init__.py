"""Structures of a covariance matrix, one module each."""
