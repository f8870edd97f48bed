"""The search for the Gaussian of a family with the largest ELBO, and how well it is known."""
