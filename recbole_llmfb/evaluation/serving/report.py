"""The benchmark's figures, the bars that they are held to, and the table of both."""

from dataclasses import asdict, dataclass, replace
from statistics import median

from pydantic import BaseModel, ConfigDict

from recbole_llmfb.evaluation.rendering import table
from recbole_llmfb.evaluation.serving.answers import CANDIDATES, Answers, Times
from recbole_llmfb.evaluation.serving.load import Kills, Load
from recbole_llmfb.evaluation.serving.machine import Machine

SIZES = (100_000, 1_000_000)  # items of the catalogues that have bars
COMMAND = "recbole-llmfb benchmark-serving BUNDLE"


@dataclass(frozen=True, slots=True)
class Row:
    """A figure. met: whether it holds its bar, None without one."""

    figure: str
    measured: str
    bar: str = ""
    met: bool | None = None


class ServingReport(BaseModel):
    """own: answers over the bundle's own catalogue. answers: over random catalogues. start_seconds: from the start of the
    service's process to its first `ready`."""

    model_config = ConfigDict(frozen=True)

    bundle: str
    machine: Machine
    own: Answers
    answers: tuple[Answers, ...]
    cross_encoder: Times
    start_seconds: tuple[float, ...]
    http: Load
    kills: tuple[Kills, ...]
    left_out: tuple[str, ...] = ()

    @property
    def rows(self) -> list[Row]:
        return [
            *(row for one in (self.own, *self.answers) for row in _of_answers(one)),
            _of_cross_encoder(self.cross_encoder, (*self.answers, self.own)[0]),
            _of_starts(self.start_seconds),
            *_of_load(self.http, self.own),
            *(_of_kills(one) for one in self.kills),
            *(Row(one, "left out", "all", False) for one in self.left_out),
        ]

    def as_dict(self) -> dict[str, object]:
        return self.model_dump(mode="json") | {"rows": [asdict(row) for row in self.rows]}

    def markdown(self) -> str:
        rows = self.rows
        held = [row.met for row in rows if row.met is not None]
        cells = [[row.figure, row.measured, row.bar, {True: "yes", False: "**no**", None: ""}[row.met]] for row in rows]
        told = f"Bundle {self.bundle}. {self.machine.text()} {sum(held)} of {len(held)} bars are met."
        how = (
            "Every figure has a process of its own. The encoder is timed in turn with the answers, on the same words; ratios of "
            "medians have their 95 % bootstrap interval."
        )
        return f"# Serving\n\n`{COMMAND}`\n\n{told}\n\n{how}\n\n{table(['figure', 'measured', 'bar', 'met'], cells)}\n"


def _of_answers(one: Answers) -> list[Row]:
    what = f"`respond` in process, {one.items:,} items, 20 words, {one.backend}, commit included"
    respond, small, large = one.respond, one.items == SIZES[0], one.items == SIZES[1]
    times, ratio = Row(what, respond.spread()), _over(one)
    memory = Row("memory of its process at most", f"{one.memory_gib:.2f} GiB")
    if small:
        times = replace(times, bar="p50 ≤ 10 ms, p99 ≤ 30 ms", met=respond.p50 <= 10 and respond.p99 <= 30)
        ratio = replace(ratio, bar="≤ 3.5 ×", met=one.over_encoder.value <= 3.5)
    elif large:
        times = replace(times, bar="p50 ≤ 50 ms", met=respond.p50 <= 50)
        memory = replace(memory, bar="≤ 2.5 GiB", met=one.memory_gib <= 2.5)
    return [times, ratio, memory]


def _over(one: Answers) -> Row:
    return Row("its p50 over the bare encoder", f"{one.over_encoder} × the encoder's {one.encoder.spread()}")


def _of_cross_encoder(cross: Times, ours: Answers) -> Row:
    what = f"a cross-encoder of the same size (random weights) that re-ranks {CANDIDATES} candidates"
    ratio = cross.p50 / ours.respond.p50
    return Row(what, f"{cross.spread()}: `respond` over {ours.items:,} items is {ratio:.0f} × faster", "≥ 50 ×", ratio >= 50)


def _of_starts(seconds: tuple[float, ...]) -> Row:
    middle = median(seconds)
    measured = f"median {middle:.1f} s, {min(seconds):.1f} to {max(seconds):.1f} s in {len(seconds)} starts"
    return Row("start of the service to ready", measured, "≤ 8 s", middle <= 8)


def _of_load(load: Load, own: Answers) -> list[Row]:
    what = f"HTTP `POST /v1/feedback` with the new slate, {load.clients} clients on the same cores, SQLite, one worker"
    rounds = f"{min(load.rounds):.0f} to {max(load.rounds):.0f} in {len(load.rounds)} rounds"
    over = f"a request takes {1000 / load.per_second / own.respond.p50:.2f} × `respond` in process"
    measured = f"median {load.per_second:.0f} requests/s, {rounds}; {load.errors} errors; {over}"
    return [
        Row(what, measured, "≥ 120 requests/s, 0 errors", load.per_second >= 120 and load.errors == 0),
        Row("its times", load.answers.spread(), "p99 ≤ 250 ms", load.answers.p99 <= 250),
    ]


def _of_kills(one: Kills) -> Row:
    in_log = f"{one.kept} of {one.acknowledged} acknowledged feedbacks are in the log"
    met = one.acknowledged == one.kept == one.refolded
    what = f"SIGKILL under load, {one.kills} times, {one.database}"
    return Row(what, f"{in_log}, {one.refolded} slates are made again alike", "all", met)
