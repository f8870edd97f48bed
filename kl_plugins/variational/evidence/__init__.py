"""What tells a good approximation from a bad one: importance, references, modes, bounds."""
