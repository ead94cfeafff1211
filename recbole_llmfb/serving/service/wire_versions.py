"""What travels about versions of the model: which there are, which were served, and changes of that."""

from datetime import datetime

from pydantic import Field, JsonValue

from recbole_llmfb.bundle.gate_record import GateRecord
from recbole_llmfb.serving.service.wire import Id, Wire
from recbole_llmfb.serving.versions import Served
from recbole_llmfb.serving.versions.promoting import LONGEST_REASON


class BundleVersion(Wire):
    """A version of the model, and where it comes from.

    served: it makes the answers now. champion: it should. challenger: the gate judged it last. gate: what the gate found.
    """

    version: str
    parent: str | None
    created: datetime
    metrics: dict[str, JsonValue]
    fingerprints: dict[str, str]
    served: bool
    champion: bool
    challenger: bool = False
    gate: GateRecord | None = None


class Versions(Wire):
    """The versions in the bundle's folder, and who was champion from when to when; both newest first."""

    bundles: tuple[BundleVersion, ...]
    history: tuple[Served, ...] = ()


class _Change(Wire):
    reason: str = Field("", max_length=LONGEST_REASON, description="Why; the audit keeps it. No words of users.")


class Promotion(_Change):
    """version: its name, the beginning of it, or `challenger`. A reason is needed where the gate found against it."""

    version: Id


class Rollback(_Change):
    """Back to what was served before the champion. champion: the one to go back from; nothing changes where another is."""

    champion: Id | None = None
