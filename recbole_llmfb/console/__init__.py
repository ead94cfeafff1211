"""The service and the operators' console in one process: pages under /console, behind the service's own gate."""

from recbole_llmfb.console.mounting import run

__all__ = ["run"]
