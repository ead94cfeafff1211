"""How fast a bundle is served: the benchmark `recbole-llmfb benchmark-serving`, whose figures are ratios beside times."""

from recbole_llmfb.evaluation.serving.benchmark import benchmark_serving

__all__ = ["benchmark_serving"]
