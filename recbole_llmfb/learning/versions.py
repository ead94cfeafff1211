"""What a training does with the versions of its model; see `serving.versions`."""

from recbole_llmfb.serving.versions import nominate, promote

__all__ = ["nominate", "promote"]
