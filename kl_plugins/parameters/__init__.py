"""Immutable objects with parameters: domains, shapes, checks."""
