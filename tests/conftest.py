"""What every test module shares: 8 virtual devices, a deterministic hypothesis profile."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Read when JAX first looks for devices, which no import does.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")

settings.register_profile(
    "typedstate",
    deadline=None,
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("typedstate")
