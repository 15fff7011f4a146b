"""Measures the figures of docs/benchmarks.md, each beside its limit in the same run."""
