"""What learning from feedback is worth, on a public data set in slices of time: `recbole-llmfb benchmark-learning`."""

from recbole_llmfb.learning.benchmark.benchmark import PARTS, benchmark_learning

__all__ = ["PARTS", "benchmark_learning"]
