"""What data have taught: how far a posterior is from its prior, variable by variable, and jointly."""
