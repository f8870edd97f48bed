"""Somebody's library of waiting times, which knows nothing of kl_plugins."""


class Lindley:
    """A mixture of an exponential variable and the sum of two, of rate theta."""

    def __init__(self, theta):
        self.theta = theta


class Queue:
    """The time until so many customers, each served at the same rate, are gone."""

    def __init__(self, customers, rate):
        self.customers, self.rate = customers, rate
