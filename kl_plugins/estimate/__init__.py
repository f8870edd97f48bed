"""Divergences by summation, quadrature and Monte Carlo, with their errors, of anything that has a density."""
