"""The gate: from a connection to whoever asks."""

from starlette.requests import HTTPConnection

from recbole_llmfb.errors import AccessError
from recbole_llmfb.serving.access.principal import Principal

_LOOPBACK = frozenset(("127.0.0.1", "::1", "testclient"))


class Gate:
    """Loopback is open as `operator`."""

    def admit(self, connection: HTTPConnection) -> Principal:
        """Who asks.

        Raises:
            AccessError: 401, from another machine.
        """
        if connection.client is None or connection.client.host not in _LOOPBACK:
            raise AccessError(401, "give a key (Authorization: Bearer ...)", {"WWW-Authenticate": "Bearer"})
        return Principal("loopback", "operator")
