"""IARD: dialogues of ReDial whose utterances carry the intents of their speakers, one JSON object of dialogue id ->

    {"dialogue_info": {"S4": {"utterance_pos", "worker_id", "role", "utterance_text", "sub-intent/action": ["CRI-F", ...]}}}

Each utterance of a seeker becomes a labelled text: `reject` where one of its intents is REJ or a critique (CRI-F, CRI-A, CRI-C),
`accept` where one is ACC otherwise, `neither` for the rest. The group is the seeker's worker id.

Source: https://github.com/wanlingcai1997/umap_2020_IARD (Cai and Chen, UMAP 2020)
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from recbole_llmfb.convert.labels.tables import label_row, label_tables, plain_titles
from recbole_llmfb.convert.options import Options
from recbole_llmfb.convert.reading import Record, document_entries, first_names, parse
from recbole_llmfb.convert.report import Tally
from recbole_llmfb.convert.sources import by_format
from recbole_llmfb.convert.writing import Row, Tables

_UNIT, _UTTERANCES = "dialogues", "utterances of seekers"


class _Utterance(Record):
    utterance_pos: int
    worker_id: str = Field(min_length=1)
    role: Literal["seeker", "recommender"]
    utterance_text: str
    intents: tuple[str, ...] = Field(alias="sub-intent/action")


class _Dialogue(Record):
    dialogue_info: dict[str, _Utterance]


def iard(source: Path, options: Options, tally: Tally) -> Tables:  # noqa: ARG001  (every kind is called alike)
    """See the module. Raises DataError for a source without dialogues, or a malformed one."""
    return label_tables(_rows(source, tally))


def stance(intents: Sequence[str]) -> str:
    """The stance that intents have towards what was shown; one that criticises it does not accept it."""
    if any(intent == "REJ" or intent.startswith("CRI") for intent in intents):
        return "reject"
    return "accept" if "ACC" in intents else "neither"


def _rows(source: Path, tally: Tally) -> Iterator[Row]:
    def known(path: Path) -> str | None:
        return "dialogues" if path.suffixes[:1] == [".json"] and not first_names(path) & {"context", "id"} else None

    for path in by_format(source, known, tally, needs="IARD's dialogues (.json)")["dialogues"]:
        for _, dialogue in document_entries(path, lambda value: parse(value, _Dialogue), tally, _UNIT):
            for one in sorted(dialogue.dialogue_info.values(), key=lambda said: said.utterance_pos):
                if one.role == "seeker":
                    tally.read(_UTTERANCES)
                    text = plain_titles(one.utterance_text)
                    if text:
                        yield label_row(text, stance(one.intents), one.worker_id, "iard")
                    else:
                        tally.leave_out(_UTTERANCES, "without words")
