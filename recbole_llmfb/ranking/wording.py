"""Evidence and understanding in words: every sentence that a user reads about a slate, in English and Chinese.

Words of the user are quoted as they were said. Attributes and titles are the catalogue's own and are not translated.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from recbole_llmfb.schema import Evidence, Language, Signal

_DECADE = re.compile(r"\d{3}0s")
_LONGEST_QUOTE = 80
_REMEMBERED = 3  # earlier wishes that a slate without new words names

_TEMPLATES: dict[Language, dict[str, str]] = {
    "en": {
        "words": "You said “{text}”.",
        "words aspect": "You said “{text}”, and this is {aspect}.",
        "rated item": "You rated “{title}” well, and this is like it.",
        "rated slate": "You rated a list well that this is like.",
        "collaborative item": "People who chose “{title}” chose this too.",
        "collaborative": "It fits what you usually choose.",
        "text item": "It reads much like “{title}”, which you chose.",
        "text": "It reads like what you usually choose.",
        "bias": "Many people choose it.",
        "rest": "One of the best of what is left.",
        "explored": "Here to learn: what you say about it would teach most.",
        "decade": "from the {aspect}",
        "more": "more {what}",
        "less": "less {what}",
        "more like": "more like “{title}”",
        "less like": "less like “{title}”",
        "towards": "towards “{text}”",
        "away": "away from “{text}”",
        "change": " ({before} → {after} of {shown})",
        "same": " (still {after} of {shown})",
        "clicked": "you chose “{title}”",
        "rated": "you gave “{title}” {rating:g} of 5",
        "rated list": "you gave the list {rating:g} of 5",
        "not understood": "no wish was found in “{text}” ({reason})",
        "not counted": "nothing of “{text}” counts",
        "fresh": "{fresh} of {shown} are new here.",
        "unchanged": "The list stays as it was.",
        "nothing left": "Nothing is left to show.",
        "history": "Chosen from your history of {count}.",
        "remembered": "You said {quotes}.",
        "stranger": "Nothing is known about you yet: what many people choose comes first.",
        "comma": ", ",
        "stop": ".",
        "space": " ",
    },
    "zh": {
        "words": "您说过“{text}”。",
        "words aspect": "您说过“{text}”，而它属于{aspect}。",
        "rated item": "您给“{title}”打了高分，它与之相似。",
        "rated slate": "它与您打过高分的列表相似。",
        "collaborative item": "选过“{title}”的人也选了它。",
        "collaborative": "它符合您一贯的选择。",
        "text item": "它的内容与您选过的“{title}”很相近。",
        "text": "它的内容与您一贯的选择相近。",
        "bias": "很多人都选它。",
        "rest": "它是其余之中较好的选择。",
        "explored": "放在这里是为了更了解您：您对它的看法最有帮助。",
        "decade": "{aspect}年代",
        "more": "更多{what}",
        "less": "更少{what}",
        "more like": "更多类似“{title}”",
        "less like": "更少类似“{title}”",
        "towards": "更接近“{text}”",
        "away": "远离“{text}”",
        "change": "（{shown} 个中由 {before} 个变为 {after} 个）",
        "same": "（{shown} 个中仍为 {after} 个）",
        "clicked": "您选了“{title}”",
        "rated": "您给“{title}”打了 {rating:g} 分（满分 5 分）",
        "rated list": "您给列表打了 {rating:g} 分（满分 5 分）",
        "not understood": "没有从“{text}”中读出愿望（{reason}）",
        "not counted": "“{text}”不计入",
        "fresh": "{shown} 个中有 {fresh} 个是新的。",
        "unchanged": "列表保持不变。",
        "nothing left": "没有可以推荐的了。",
        "history": "根据您选过的 {count} 个来推荐。",
        "remembered": "您说过{quotes}。",
        "stranger": "对您还一无所知：先推荐很多人选的。",
        "comma": "，",
        "stop": "。",
        "space": "",
    },
}
_READERS_REASONS_ZH = {
    "nothing was said": "什么也没有说",
    "the encoder's vocabulary lacks most of this text's characters": "编码器的词表缺少这段文字的大部分字符",
    "no wish was understood in this": "没有听懂其中的愿望",
}


@dataclass(frozen=True, slots=True)
class Told:
    """One feedback as it was understood.

    signals: those that count. reason: why the text has none. title: of the item that it is about, None for a slate.
    """

    text: str | None = None
    signals: tuple[Signal, ...] = ()
    reason: str | None = None
    rating: float | None = None
    click: bool = False
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What feedback did to a list of `shown` items.

    fresh: how many were not on it before. aspects: how many of the list have the aspect, before and after.
    """

    shown: int
    fresh: int
    aspects: Mapping[str, tuple[int, int]]


def reason(evidence: Evidence, titles: Mapping[str, str], lang: Language) -> str:
    """One sentence for the first evidence of a recommendation. titles: external id -> title."""
    say = _TEMPLATES[lang]
    title = titles[evidence.item] if evidence.item else ""
    if evidence.amount <= 0:
        return say["rest"]
    if evidence.part != "feedback":
        cited = f"{evidence.part} item"
        return say[cited].format(title=title) if title else say[evidence.part]
    if evidence.text is None:
        return say["rated item" if title else "rated slate"].format(title=title)
    what = _aspect(evidence.aspect, lang) if evidence.aspect else ""
    return say["words aspect" if what else "words"].format(text=quote(evidence.text), aspect=what)


def exploring(why: str, lang: Language) -> str:
    """The reason of an item that is there because feedback about it would teach most. why: what else speaks for it."""
    say = _TEMPLATES[lang]
    return say["explored"] + say["space"] + why


def answer(told: Sequence[Told], change: Change, titles: Mapping[str, str], lang: Language) -> str:
    """What was understood of new feedback, and what it did to the list."""
    say = _TEMPLATES[lang]
    clauses = list(dict.fromkeys(clause for one in told for clause in _clauses(one, change, titles, lang)))
    understood = say["comma"].join(clauses)
    if not change.shown:
        effect = say["nothing left"]
    else:
        effect = say["fresh" if change.fresh else "unchanged"].format(fresh=change.fresh, shown=change.shown)
    return f"{understood[:1].upper()}{understood[1:]}{say['stop']}{say['space']}{effect}" if understood else effect


def standing(said: Sequence[Signal], history: int, lang: Language) -> str:
    """What a slate without new feedback rests on. said: signals of earlier feedback, oldest first. history: number of items."""
    say = _TEMPLATES[lang]
    latest = dict.fromkeys(quote(signal.text) for signal in said[-_REMEMBERED:])
    sentences = [say["history"].format(count=history)] if history else []
    if latest:
        sentences.append(say["remembered"].format(quotes=say["comma"].join(f"“{text}”" for text in latest)))
    return say["space"].join(sentences) or say["stranger"]


def quote(text: str) -> str:
    """Words to stand between quotation marks: in one line, cut where they are long."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_QUOTE else f"{line[: _LONGEST_QUOTE - 1]}…"


def _clauses(told: Told, change: Change, titles: Mapping[str, str], lang: Language) -> Iterable[str]:
    say = _TEMPLATES[lang]
    if told.click and told.title is not None:
        yield say["clicked"].format(title=told.title)
    if told.rating is not None:
        yield say["rated" if told.title is not None else "rated list"].format(title=told.title, rating=told.rating)
    for signal in told.signals:
        yield _signal(signal, change, titles, lang)
    if told.text is not None and not told.signals:
        yield _nothing(told.text, told.reason, lang)


def _nothing(text: str, reason: str | None, lang: Language) -> str:
    """Why a text has no signal that counts; a blank one leaves nothing to quote."""
    say = _TEMPLATES[lang]
    if reason is None:
        return say["not counted"].format(text=quote(text))
    why = _READERS_REASONS_ZH.get(reason, reason) if lang == "zh" else reason
    return say["not understood"].format(text=quote(text), reason=why) if text.strip() else why


def _signal(signal: Signal, change: Change, titles: Mapping[str, str], lang: Language) -> str:
    say, wanted = _TEMPLATES[lang], signal.polarity > 0
    if signal.aspect:
        before, after = change.aspects.get(signal.aspect, (0, 0))
        count = say["same" if before == after else "change"].format(before=before, after=after, shown=change.shown)
        return say["more" if wanted else "less"].format(what=_aspect(signal.aspect, lang)) + (count if change.shown else "")
    if signal.item:
        return say["more like" if wanted else "less like"].format(title=titles[signal.item])
    return say["towards" if wanted else "away"].format(text=quote(signal.text))


def _aspect(name: str, lang: Language) -> str:
    if not _DECADE.fullmatch(name):
        return name
    return _TEMPLATES[lang]["decade"].format(aspect=name if lang == "en" else name[:-1])
