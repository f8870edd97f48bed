"""A model's log density, and approximations as Gaussians over its variables."""
