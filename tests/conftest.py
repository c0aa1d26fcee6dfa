"""No property has a deadline: what a machine that others use as well takes longer for is no failure."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "patient", parent=settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")
