"""A bundle that was loaded: checked against its own checksums, and ready to be built into a scorer and a reader."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from safetensors.torch import load_file
from torch import Tensor, nn

from recbole_llmfb.bundle.histories import Histories
from recbole_llmfb.errors import BundleError
from recbole_llmfb.files import digest, files_below
from recbole_llmfb.ranking.fusion import Scorer, Shape
from recbole_llmfb.schema import Time
from recbole_llmfb.text.encoder import ONNX_FILES, Backend, Encoder, checked_backend
from recbole_llmfb.text.lexicon import Lexicon
from recbole_llmfb.text.signals import Reader, ReadingHead

FORMAT = 1
MANIFEST, WEIGHTS, ENCODER = "bundle.json", "weights.safetensors", "encoder"
ITEMS, INTERACTIONS = "items.parquet", "interactions.npz"
CHAMPION = "champion"
_DAY = 86_400.0
ITEM_COLUMNS = ("item", "title", "text", "attributes", "popularity")


class Manifest(BaseModel):
    """`bundle.json`: what a bundle is, where it comes from, and the checksums of its files.

    format: of the folder; a newer one is refused. parent: the version that training began from. fingerprints: of the data and
    of its split. shape, factor_ridge: what a `Scorer` is built with. attributes: names, in the row order of the scorer's
    membership. watermark: user -> sequence number of the last feedback that training has seen. files: name -> SHA-256.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int
    version: str
    parent: str | None
    created: Time
    configuration: dict[str, JsonValue]
    metrics: dict[str, JsonValue]
    fingerprints: dict[str, str]
    encoder_fingerprint: str
    encoder_max_tokens: int
    shape: dict[str, int]
    factor_ridge: float
    attributes: list[str]
    watermark: dict[str, int]
    files: dict[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A loaded bundle. items: one row per item of the catalogue, in the scorer's order, with the columns `ITEM_COLUMNS`."""

    path: Path
    manifest: Manifest
    scorer_state: dict[str, Tensor]
    head_state: dict[str, Tensor]
    items: pd.DataFrame
    histories: Histories

    @property
    def version(self) -> str:
        return self.manifest.version

    @property
    def attributes(self) -> list[str]:
        return self.manifest.attributes

    @property
    def encoder_folder(self) -> Path:
        return self.path / ENCODER

    @property
    def half_life(self) -> float:
        """Seconds after which a wish weighs half.

        Raises:
            BundleError: the configuration does not say it.
        """
        days = self.manifest.configuration.get("feedback_half_life_days")
        if not isinstance(days, int | float) or days <= 0:
            problem = f"its configuration says feedback_half_life_days={days!r}"
            raise BundleError(self.path, problem, remedy="train it with a number of days above 0")
        return days * _DAY

    def scorer(self) -> Scorer:
        """The scorer, on the CPU. It shares its tensors with this bundle: copy it before training it on.

        Raises:
            BundleError: it was written by another version of this package, whose scorer has other parts.
        """
        with torch.device("meta"):
            scorer = Scorer(Shape(**self.manifest.shape), factor_ridge=self.manifest.factor_ridge)
        self._fill(scorer, self.scorer_state)
        return scorer

    def head(self) -> ReadingHead:
        """The reading head, on the CPU; shares its tensors, and raises, as `scorer` does."""
        n_attributes, hidden = self.head_state["residual"].shape
        with torch.device("meta"):
            stance = any(name.startswith("stance.") for name in self.head_state)
            head = ReadingHead(n_attributes, self.head_state["names"].shape[1], hidden=hidden, stance=stance)
        self._fill(head, self.head_state)
        return head

    def _fill(self, module: nn.Module, state: dict[str, Tensor]) -> None:
        try:
            module.load_state_dict(state, assign=True)
        except RuntimeError as error:
            problem = f"another version of this package wrote it ({' '.join(str(error).split())[:200]})"
            raise BundleError(self.path, problem, remedy="train it again, or serve it with the version that wrote it") from error

    @property
    def encoder_backend(self) -> Backend:
        """What runs the encoder unless a caller names something else: its configuration's `encoder_backend`, or torch.

        Raises:
            UsageError: the configuration names no backend.
        """
        return checked_backend(str(self.manifest.configuration.get("encoder_backend") or "torch"))

    def encoder(self, backend: Backend | None = None) -> Encoder:
        """backend: the bundle's own, unless named. Raises as `encoder_fingerprint` does."""
        self.encoder_fingerprint(backend)
        chosen = backend or self.encoder_backend
        return Encoder.load(self.encoder_folder, max_tokens=self.manifest.encoder_max_tokens, backend=chosen)

    def encoder_fingerprint(self, backend: Backend | None = None) -> str:
        """Tells vectors of one encoder and backend from those of another; a SHA-256.

        Raises:
            UsageError: an unknown backend.
            BundleError: one that this bundle has no file for.
        """
        chosen = checked_backend(backend or self.encoder_backend)
        if chosen == "torch":
            return self.manifest.encoder_fingerprint
        found = self.manifest.files.get(f"{ENCODER}/{ONNX_FILES[chosen]}")
        if found is None:
            remedy = f"write a version that has it: recbole-llmfb export-encoder {self.path} --backend {chosen}"
            raise BundleError(self.path, f"it has no encoder for encoder_backend={chosen!r}", remedy=remedy)
        return found

    def reader(self, *, device: str = "cpu", backend: Backend | None = None) -> Reader:
        """A reader for serving: no gradients, encoder and head on the device, or on the CPU where a backend knows no other.

        backend: as in `encoder`.
        """
        return self.reader_of(self.encoder(backend).to(device))

    def reader_of(self, encoder: Encoder) -> Reader:
        """A reader for serving with an encoder that its caller has, wherever that is."""
        head = self.head().to(encoder.device)
        encoder.eval().requires_grad_(False)
        head.eval().requires_grad_(False)
        return Reader(encoder, head, self.lexicon(), self.items["item"].tolist())

    def lexicon(self) -> Lexicon:
        """Names of its attributes and items."""
        return Lexicon(self.attributes, self.items["title"].tolist(), self.items["text"].tolist())


def load_bundle(path: str | Path) -> Bundle:
    """Load a bundle, and check that it is whole.

    Args:
        path: a version's folder, or a folder of versions with a `champion` file.

    Raises:
        BundleError: nothing there, a half-written bundle, a newer format, a file that is missing, unexpected or changed.
    """
    folder = _version_folder(Path(path))
    manifest = _manifest(folder)
    _check_files(folder, manifest)
    weights = load_file(folder / WEIGHTS)
    states = {part: _state(weights, f"{part}.") for part in ("scorer", "head")}
    items = pd.read_parquet(folder / ITEMS)
    one = {name: name for name in manifest.attributes}  # a large catalogue repeats few names
    items["attributes"] = [[one.get(name, name) for name in of_item] for of_item in items["attributes"]]
    _check_sizes(folder, manifest, states["scorer"], len(items))
    return Bundle(
        path=folder,
        manifest=manifest,
        scorer_state=states["scorer"],
        head_state=states["head"],
        items=items,
        histories=Histories.load(folder / INTERACTIONS),
    )


def _check_sizes(folder: Path, manifest: Manifest, weights: dict[str, Tensor], n_items: int) -> None:
    """Rows are what ties names to weights: one attribute less, and every later one would mean its neighbour."""
    said = {"items": manifest.shape.get("n_items"), "attributes": manifest.shape.get("n_attributes")}
    membership = tuple(weights["membership"].shape) if "membership" in weights else None
    if (said["attributes"], said["items"]) != membership or (len(manifest.attributes), n_items) != membership:
        problem = f"{MANIFEST} names {len(manifest.attributes)} attributes of {n_items} items, its weights have {membership}"
        raise BundleError(folder, problem, remedy="bundles are immutable: copy it again, or write a new one")


def _state(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The weights of one part. They are copied, because products of unaligned tensors are rounded differently."""
    return {name.removeprefix(prefix): value.clone() for name, value in weights.items() if name.startswith(prefix)}


def _version_folder(path: Path) -> Path:
    if not path.is_dir():
        raise BundleError(path, "there is no such folder", remedy="name a bundle, or a folder of bundles")
    if (path / MANIFEST).is_file():
        return path
    pointer = path / CHAMPION
    if not pointer.is_file():
        problem = f"it holds neither {MANIFEST} nor a {CHAMPION} file"
        raise BundleError(path, problem, remedy="name a bundle; one whose writing was cut off must be written again")
    version = pointer.read_text(encoding="utf-8", errors="replace").strip()
    if not version or Path(version).name != version or not (path / version / MANIFEST).is_file():
        raise BundleError(path, f"its champion {version!r} is not there", remedy="promote a version that is")
    return path / version


def _manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BundleError(folder, f"{MANIFEST} is no JSON ({error})", remedy="write the bundle again") from error
    found = content.get("format") if isinstance(content, dict) else None
    if isinstance(found, int) and found > FORMAT:
        raise BundleError(folder, f"its format {found} is newer than {FORMAT}", remedy="install a newer recbole-llmfb")
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        problem = f"{MANIFEST}: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
        raise BundleError(folder, problem, remedy="write the bundle again") from error


def _check_files(folder: Path, manifest: Manifest) -> None:
    missing = {WEIGHTS, ITEMS, INTERACTIONS, f"{ENCODER}/config.json"} - manifest.files.keys()
    if missing:
        raise BundleError(folder, f"{MANIFEST} does not list {', '.join(sorted(missing))}", remedy="write the bundle again")
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise BundleError(folder, f"{name} is missing", remedy="copy the bundle again, as a whole")
        if digest(path) != expected:
            raise BundleError(folder, f"{name} was changed", remedy="bundles are immutable: copy it again, or write a new one")
    unexpected = {f"{ENCODER}/{name}" for name in files_below(folder / ENCODER)} - manifest.files.keys()
    if unexpected:
        raise BundleError(folder, f"{sorted(unexpected)[0]} does not belong to it", remedy="remove it: the encoder would read it")
