"""The plugin of `waiting`: a family of its own, and a family of kl_plugins."""

from kl_plugins import extend as kl_extend
from toys import waiting


class LindleyFamily(kl_extend.Continuous):
    """Lindley distributions, https://en.wikipedia.org/wiki/Lindley_distribution."""

    theta: float = kl_extend.parameter(kl_extend.POSITIVE, typical=(2.0, 3.0))
    ends = (0.0, float("inf"))

    def log_density(self):
        constant = 2.0 * self.ops.log(self.theta) - self.ops.log1p(self.theta)
        return kl_extend.LogDensity(constant, ((1.0, kl_extend.Log1p()), (-self.theta, kl_extend.Identity())))

    def standard_mean(self):
        return (self.theta + 2.0) / (self.theta * (self.theta + 1.0))

    def standard_variance(self):
        return 2.0 / self.theta**2 - 1.0 / (self.theta + 1.0) ** 2


@kl_extend.recognise.register(waiting.Lindley)
def _(obj):
    return LindleyFamily(obj.theta)


@kl_extend.recognise.register(waiting.Queue)
def _(obj):
    return kl_extend.GeneralizedGamma(obj.customers, 1.0 / obj.rate)
