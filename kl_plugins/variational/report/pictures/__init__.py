"""Pictures of a diagnosis; every function returns the Axes that it drew on."""
