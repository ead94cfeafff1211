"""The bundle: a trained model as a folder of plain files, the only thing that training and serving share."""

from recbole_llmfb.bundle.artifact import Bundle, Manifest, load_bundle
from recbole_llmfb.bundle.histories import Histories
from recbole_llmfb.bundle.writing import derive_bundle, promote, write_bundle

__all__ = ["Bundle", "Histories", "Manifest", "derive_bundle", "load_bundle", "promote", "write_bundle"]
