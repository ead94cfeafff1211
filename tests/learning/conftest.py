"""The small world of these tests."""

from learning_world import first_model, log, world

__all__ = ["first_model", "log", "world"]
