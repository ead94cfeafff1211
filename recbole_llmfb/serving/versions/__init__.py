"""Which version of a model is served, was served, and why: aliases, promotion and the way back, lineage, and what is removed.

With a database its alias is the truth, and the pointer file in the folder follows it; without one the pointer files are.
"""

from recbole_llmfb.serving.versions.aliases import Served, current, history
from recbole_llmfb.serving.versions.lineage import Lineage, lineage
from recbole_llmfb.serving.versions.promoting import nominate, promote, rollback
from recbole_llmfb.serving.versions.pruning import prune

__all__ = ["Lineage", "Served", "current", "history", "lineage", "nominate", "promote", "prune", "rollback"]
