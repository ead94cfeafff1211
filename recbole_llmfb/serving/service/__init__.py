"""The HTTP service: `create_app` makes it of a bundle, a database and a gate; `run` serves it."""

from recbole_llmfb.serving.service.app import create_app

__all__ = ["create_app"]
