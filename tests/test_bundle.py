"""A bundle comes back exactly as it was written, or not at all."""

import json
import math
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
from checkerboard import ATTRIBUTES, STONES, histories, stones, write

from recbole_llmfb import files as whole_files
from recbole_llmfb.bundle import Histories, derive_bundle, load_bundle, promote
from recbole_llmfb.errors import BundleError, UsageError


@pytest.fixture
def version(tmp_path: Path, tiny_parts: dict[str, object]) -> Path:
    return write(tmp_path / "bundles", **tiny_parts)


def test_round_trip_is_exact(version: Path, tiny_parts: dict[str, object]) -> None:
    bundle = load_bundle(version)
    for part, state in (("scorer", bundle.scorer_state), ("head", bundle.head_state)):
        written = tiny_parts[part].state_dict()
        assert written.keys() == state.keys()
        assert all(torch.equal(written[name], state[name]) for name in written)
    assert bundle.items.to_dict("list") == stones().to_dict("list")
    assert {user: list(bundle.histories.rows(user)) for user in bundle.histories.users} == histories()
    assert bundle.attributes == ATTRIBUTES
    assert bundle.manifest.metrics == {"ndcg@10": 0.25}
    assert bundle.half_life == 30 * 86_400


def test_parts_built_from_a_bundle_compute_the_same(version: Path, tiny_parts: dict[str, object]) -> None:
    bundle = load_bundle(version)
    row = torch.zeros(1, STONES)
    row[0, :3] = 1
    assert torch.equal(bundle.scorer().eval()(row), tiny_parts["scorer"](row))
    encoder = bundle.encoder()
    assert encoder.fingerprint() == tiny_parts["encoder"].fingerprint() == bundle.manifest.encoder_fingerprint
    assert encoder.max_tokens == 24
    text = ["the stone 3 ."]
    assert torch.equal(encoder.embed(text), tiny_parts["encoder"].embed(text))
    vector = encoder.embed(text)
    assert torch.equal(bundle.head().eval()(vector)[0], tiny_parts["head"](vector)[0])


def test_there_is_no_pickle_in_it(version: Path) -> None:
    kinds = {path.suffix for path in version.rglob("*") if path.is_file()}
    assert kinds <= {".json", ".safetensors", ".parquet", ".npz", ".txt"}


def test_root_leads_to_its_champion(tmp_path: Path, tiny_parts: dict[str, object]) -> None:
    first = write(tmp_path, **tiny_parts)
    second = write(tmp_path, **tiny_parts, parent=first.name)
    third = write(tmp_path, **tiny_parts, champion=False)
    assert [first.name, second.name, third.name] == sorted(path.name for path in tmp_path.iterdir() if path.is_dir())
    assert load_bundle(tmp_path).version == second.name
    assert load_bundle(tmp_path).manifest.parent == first.name
    promote(tmp_path, first.name)
    assert load_bundle(tmp_path).version == first.name
    assert {path.name for path in tmp_path.iterdir()} == {first.name, second.name, third.name, "champion"}


def test_successor_of_what_is_not_served_is_not_served_either(tmp_path: Path, tiny_parts: dict[str, object]) -> None:
    """It has its parent's files and one more, and says what differs."""
    older, champion = write(tmp_path, **tiny_parts), write(tmp_path, **tiny_parts)
    more = tmp_path / "more.txt"
    more.write_text("one", encoding="utf-8")
    parent = load_bundle(older)
    derived = load_bundle(derive_bundle(parent, {"encoder/more.txt": more}, configuration={"a": 1}, metrics={"b": 2.0}))
    assert load_bundle(tmp_path).version == champion.name
    assert derived.manifest.parent == older.name
    assert derived.manifest.files.keys() - parent.manifest.files.keys() == {"encoder/more.txt"}
    assert derived.manifest.configuration == parent.manifest.configuration | {"a": 1}
    assert derived.manifest.metrics == parent.manifest.metrics | {"b": 2.0}
    promote(tmp_path, derived.version)
    last = derive_bundle(derived, {}, configuration={}, metrics={})
    assert load_bundle(tmp_path).version == last.name


def test_a_version_is_written_once(tmp_path: Path, tiny_parts: dict[str, object]) -> None:
    created = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    version = write(tmp_path, **tiny_parts, created=created)
    assert version.name.startswith("20260102T030405678Z-")
    with pytest.raises(BundleError, match="exists.*immutable"):
        write(tmp_path, **tiny_parts, created=created)


def test_writing_that_fails_leaves_nothing(
    tmp_path: Path, tiny_parts: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    version = write(tmp_path, **tiny_parts)

    def full(_: Path) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(whole_files, "flush", full)
    with pytest.raises(OSError, match="no space"):
        write(tmp_path, **tiny_parts)
    assert {path.name for path in tmp_path.iterdir()} == {version.name, "champion"}
    assert load_bundle(tmp_path).version == version.name


@pytest.mark.parametrize("name", ["weights.safetensors", "items.parquet", "interactions.npz", "encoder/config.json"])
def test_missing_or_changed_file_is_named(version: Path, name: str) -> None:
    content = (version / name).read_bytes()
    (version / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(BundleError, match=f"{name} was changed"):
        load_bundle(version)
    (version / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing"):
        load_bundle(version)


def test_file_that_the_encoder_would_read_too_is_refused(version: Path) -> None:
    (version / "encoder" / "added_tokens.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BundleError, match=r"added_tokens\.json does not belong"):
        load_bundle(version)


def test_newer_format_is_refused_before_anything_else(version: Path) -> None:
    content = json.loads((version / "bundle.json").read_text(encoding="utf-8"))
    (version / "bundle.json").write_text(json.dumps({"format": 2, "news": content}), encoding="utf-8")
    with pytest.raises(BundleError, match="format 2 is newer than 1; install a newer"):
        load_bundle(version)


@pytest.mark.parametrize(
    ("content", "problem"), [("{", "no JSON"), ("[]", "bundle.json"), ('{"format": 1}', "version: Field required")]
)
def test_damaged_manifest_is_named(version: Path, content: str, problem: str) -> None:
    (version / "bundle.json").write_text(content, encoding="utf-8")
    with pytest.raises(BundleError, match=problem):
        load_bundle(version)


def test_half_written_bundle_is_no_bundle(version: Path) -> None:
    (version / "bundle.json").unlink()
    with pytest.raises(BundleError, match="neither bundle.json nor a champion file"):
        load_bundle(version)
    with pytest.raises(BundleError, match="champion .* is not there"):
        load_bundle(version.parent)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such folder"):
        load_bundle(tmp_path / "saved")
    with pytest.raises(BundleError, match="no such version"):
        promote(tmp_path, "../elsewhere")


@pytest.mark.parametrize("pointer", ["../bundles", "", "."])
def test_champion_that_leads_elsewhere_is_refused(version: Path, pointer: str) -> None:
    (version.parent / "champion").write_text(pointer, encoding="utf-8")
    with pytest.raises(BundleError, match="is not there"):
        load_bundle(version.parent)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"items": stones().drop(columns="popularity")}, "lack the column popularity"),
        ({"items": stones().head(3)}, "3 items"),
        ({"attributes": ["even"]}, "1 attributes"),
        ({"items": stones().assign(item="same")}, "'same' is there twice"),
        ({"histories": {"u": [STONES]}}, "rows outside 0 to 19"),
        ({"configuration": {"device": {1, 2}}}, "configuration.device"),
    ],
)
def test_parts_that_do_not_fit_are_refused(
    tmp_path: Path, tiny_parts: dict[str, object], changes: dict[str, object], problem: str
) -> None:
    with pytest.raises(UsageError, match=problem):
        write(tmp_path, **tiny_parts, **changes)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("days", [None, 0, "30"])
def test_configuration_without_half_life_is_named(tmp_path: Path, tiny_parts: dict[str, object], days: object) -> None:
    bundle = load_bundle(write(tmp_path, **tiny_parts, configuration={"feedback_half_life_days": days}))
    with pytest.raises(BundleError, match="feedback_half_life_days"):
        _ = bundle.half_life


def test_number_that_is_none_in_metrics_does_not_break_the_manifest(tmp_path: Path, tiny_parts: dict[str, object]) -> None:
    assert load_bundle(write(tmp_path, **tiny_parts, metrics={"ndcg": math.nan})).manifest.metrics == {"ndcg": None}


def test_histories_keep_any_id_and_any_order(tmp_path: Path) -> None:
    strange = {"a\tb\n": [3, 1, 2], "zero\0": [], "": [5], "用户": [1], "a" * 5000: [0]}
    Histories.of_users(strange).save(tmp_path / "histories.npz")
    loaded = Histories.load(tmp_path / "histories.npz")
    assert {user: list(loaded.rows(user)) for user in loaded.users} == strange
    assert loaded.rows("zero") == ()
    assert "用户" in loaded and "zero" not in loaded
    assert len(Histories.of_users({})) == 0


def test_champion_file_of_other_bytes_names_what_it_holds(tmp_path: Path, tiny_parts: dict[str, object]) -> None:
    write(tmp_path, **tiny_parts)
    (tmp_path / "champion").write_bytes(b"\xff\xfe")
    with pytest.raises(BundleError, match="champion .* is not there"):
        load_bundle(tmp_path)


@pytest.mark.parametrize("change", [{"attributes": ["1980s"]}, {"shape": {"n_items": 1, "n_attributes": 4}}])
def test_manifest_that_does_not_fit_its_weights_is_refused(
    tmp_path: Path, tiny_parts: dict[str, object], change: dict[str, object]
) -> None:
    """An attribute less, and every later name would stand for its neighbour's items."""
    manifest = write(tmp_path, **tiny_parts) / "bundle.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | change))
    with pytest.raises(BundleError, match="its weights have"):
        load_bundle(tmp_path)


def test_weights_of_another_version_of_the_package_are_told_so(version: Path) -> None:
    bundle = load_bundle(version)
    for state, build in ((bundle.head_state, bundle.head), (bundle.scorer_state, bundle.scorer)):
        state.pop(next(iter(state)))
        with pytest.raises(BundleError, match="another version of this package wrote it"):
            build()


def test_whoever_may_read_the_folder_may_read_every_file(tmp_path: Path, tiny_parts: dict[str, object]) -> None:
    folder = write(tmp_path, **tiny_parts)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o666 for path in files} == {folder.stat().st_mode & 0o666}
