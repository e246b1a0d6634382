"""What checks cost: ``python -m tests.benchmarks`` from the root of a checkout.

Every figure is a ratio of two times that were measured in turn in one run: on a noisy machine
nothing else can be believed.
"""
