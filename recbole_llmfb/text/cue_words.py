"""The words by which grammar is recognised, in English and Chinese; `cues` says what each of them means for a clause."""

import re

# What stands for something said before or for nothing at all: "instead of this", "more than ever".
POINTER = (
    r"(?:this|that|these|those|it|them|him|her|all|any\w*|ever|usual|before|expected|most|what|i|you|we|they|"
    r"the (?:last|first|rest)|\d|ones?|enough|just|life|sleep|ready|half)\b"
)
INSTEAD = rf"(?:instead of|rather than|in place of)\s+(?!{POINTER})"
EXCEPT = r"(?<!nothing )(?<!none )(?<!no one )(?:except|apart from|aside from|other than)\b(?!\s+that\b)"
TURNING = rf"(?:{INSTEAD}|{EXCEPT})"
BARE = (
    r"(?:(?:anything|something|everything|all|any|some|films?|movies?|genres?|ones?|stuff|an?|the|please|show|me|give|"
    r"(?:i['’]?d|i would|we['’]?d)(?: like)?|i|want|to|see|watch|kinds?|of|and|rather|just|maybe)\s+)"
)


def _any(*english: str, zh: str = "") -> re.Pattern[str]:
    """English words by their edges; Chinese has none."""
    words = rf"\b(?:{'|'.join(english)})(?!\w)"
    return re.compile(f"{words}|{zh}" if zh else words, re.I)


TURNS = re.compile(rf"{BARE}*{TURNING}|而不是|除了.+(?:都|什么|其他|别的)|与其|既不.+[也又]不", re.I)
NEITHER = re.compile(r"(?<!was )(?<!were )(?<!is )(?<!are )\bneither\b.+\bnor\b", re.I)
THAN = re.compile(r"than\s", re.I)
MORE = re.compile(r"\bmore\s+(?!like\b)[^,.;!?]*$", re.I)
THAN_BEHIND, OVER_BEHIND = re.compile(r"\s*than\s", re.I), re.compile(r"\s*(?:to|over)\s", re.I)
OVER = re.compile(r"(?:to|over)\s", re.I)
RATHER = re.compile(r"\brather\b[^,.;!?]*$", re.I)
PREFERS = re.compile(r"\bprefer\w*\b[^,.;!?]*$", re.I)
MOST_OF_TWO = re.compile(r"比起[^更还]+$|相比")
LIKE_BUT = re.compile(r"\s*,?\s*but\s+(?:a bit |a little |much |way |far |slightly )?\w{2,}er\b", re.I)
LIKE = re.compile(rf"{BARE}*(?:like|similar to)\s", re.I)

REQUEST = _any(
    "(?:something|anything|nothing) (?!happened|else happened|to (?:do|declare|add|say)|came|went|is|was)\\w+",
    "(?:show|give|find|get) (?:me|us)", "(?:recommend|suggest)", "in the mood for", "looking for",
    "i (?:want|would (?:like|love|prefer|rather)) (?!to\\b)", "i['’]?d (?:like|love|prefer|rather) (?!to\\b)",
    zh="想看|来[点部个]|推荐|给我|换[个部]",
)  # fmt: skip
# The same in Chinese: "多一点浪漫", "不要太血腥", "太长了", but not "不要这个", "不要了".
_THING_ZH = r"(?![这那它他她了吧吗呢啊就再紧急忘]|别的|其[他它]|什么|时间|客气|担心)[一-鿿]{2}"
_OWN_WISH_ZH = (
    rf"(?:更[多少]|[多少][来看放]?一?[点些])[儿的]?{_THING_ZH}|(?:不要|不想看|别再?(?:推荐|[来放看]))(?:太|那么)?{_THING_ZH}|"
    r"^\W*太(?!晚|早|快|好|棒|巧|谢|感谢|可惜)[一-鿿]"
)
# A direction with a thing of its own ("more romance", "no gore", but not "no more of that", "less so"), or a bare "too violent".
OWN_WISH = re.compile(
    r"\b(?:more|less|fewer|no more|no|without(?: any)?|too (?:much|many)|not so much)(?: of)? "
    rf"(?!{POINTER}|(?:of|than|and|or|so|for|in|at|to|now|tonight|today|please|thanks?|longer|more|less|again|often|others?|like|"
    r"likely|interest|appeal|way|idea|need|doubt|matter|reason|problem|wonder|time|patience|sir|kind|kinds|my|me|the|an?)\b)\w{3,}"
    r"|^\W*(?:way |far |much |a bit |all )?too (?!late|early|soon|bad|much|many)\w+|" + _OWN_WISH_ZH,
    re.I,
)
VERDICT = _any(
    "fan of", "i(?:['’]ve)? (?:really |quite |also |never |always )?(?:loved?|liked?|enjoy(?:ed)?|hated?|disliked?|adored?)",
    "i (?:do|did|would)(?:n['’]?t| not) (?:really )?(?:love|like|enjoy|hate|dislike|want)", "too (?!late|early|soon|bad)\\w+",
    "(?:without|less|fewer|enough) (?!than)\\w+", "no more \\w+",
    "not (?:so |as |too |very )?(?!sure|now|yet|here|my|me|a|at|today|tomorrow|working)\\w+",
    "(?:was|were|is|are|was['’]?nt) (?:so |very |really |a bit |a little |quite |rather )?"
    "(?:great|good|superb|wonderful|fantastic|catchy|brilliant|fun|funny|boring|dull|bad|awful|terrible|slow|long|scary|excellent)",
    "(?:darker|lighter|funnier|scarier|shorter|longer|gentler|slower|faster|happier|sadder|weirder|smarter|sillier|newer|older)",
    zh="喜欢|讨厌|不要|更|太|少一?点|多一?点",
)  # fmt: skip
HEDGE = _any(
    "maybe", "perhaps", "possibly", "probably", "somewhat", "slightly", "might", "kinda", "sorta", "dunno", "more or less",
    "i guess", "i suppose", "i don['’]?t know", "not (?:so |too |really |entirely |quite |all that )?(?:sure|certain)",
    r"(?<!that )(?<!this )(?<!what )(?<!any )(?<!some )(?<!same )(?<!the )(?<!another )(?<!every )(?<!my )(?:kind|sort) of",
    "a (?:little|bit|tad)(?! (?:sister|brother|girl|boy|kid|child|one|bird|birdie|dog|cat|while|help))",
    "i think (?:i(?:['’]?d)?|we)", "not really(?! sure)", "(?:do|does|did|is|are|was|were)n['’]?t really",
    zh="也许|或许|可能|大概|有点|有些|稍微|略微|好像|不太|不确定|吧(?=$|[，。！])",
)  # fmt: skip
# Negations in form that are none in meaning.
NO_NEGATION = _any(
    "(?:can['’]?t|cannot|can never|never|couldn['’]?t) (?:get |have |see )?(?:too much|too many|enough)",
    "not (?:nearly )?enough", "couldn['’]?t care less",
    "who (?:does(?:n['’]?t| not) (?:love|enjoy)|would(?:n['’]?t| not) (?:love|like|want|enjoy))",
    "(?:isn|aren|wasn|weren|don|doesn|didn|hasn|haven)['’]?t (?:\\w+ ){0,3}?enough",
    "nothing (?:beats?|tops?|compares?|better|but|except|other than|against)",
    "(?:can['’]?t|cannot) (?:wait|resist|go wrong|live without|beat|fault)", "no (?:problem|objections?|issues?) (?:with|to)",
    "no such thing as", "(?:do|does|did|would)(?:n['’]?t| not) (?:really )?(?:mind|object)", "not (?:only|just|merely|simply)",
    "no doubt", "no matter", "no idea", "no wonder", "not bad", "not to mention", "why not", "why (?:is|are)(?: there)? no",
    "not (?:so |too |really |entirely |quite |all that )?(?:sure|certain)", "don['’]?t know", "never (?:heard|seen|knew)",
    "(?:is|are|do|does|have|can|could|would|was|were|wo|should)n['’]?t (?:there|you|we|it|that|this|they|he|she)(?= )",
    zh="不介意|不反感|不讨厌|不仅|不但|不只|不错|不过|不太确定|不确定|百看不厌|看不够|是不是|有没有|能不能|要不要|可不可以|不如|不得不|忍不住|不是不",
)  # fmt: skip
NEGATOR = _any(
    "no", "not", "never", "none", "nothing", "neither", "without", "cannot", "hardly", "barely", "rarely", "seldom",
    "nobody",
    "(?:do|does|did|is|are|was|were|wo|ca|could|would|should|have|has|had|must|need|ai)n['’]?t",
    zh="不(?!错|过|如)|别(?!的|人)|没有?|勿|无(?!论)|从不",
)  # fmt: skip
REJECTING = _any(
    "disliked?",
    "hated?",
    "sick",
    "stop",
    "had enough",
    "mind",
    "object",
    "skip",
    "avoid",
    "miss out",
    "leave out",
    "say no",
    "tired",
    "bored",
    "care less",
)
SCOPE_END = re.compile(r"\b(?:but|because|since|unless|until|if|when|while|then|instead)\b|[;:.!?。；！？，]", re.I)
NEAR = 16  # characters between a negation and a word of rejection that it takes back
PAIRED = re.compile(r"^\W*(?:[\w'’]+\W+){0,4}?(?:or|nor|and|,)\W+$|[也又、]", re.I)

TOLERATES = _any(
    "(?:do|does|did)(?:n['’]?t| not) (?:really )?(?:mind|object to|dislike|hate)", "(?:nothing|no objections?) (?:against|to)",
    zh="不介意|不反感|不讨厌|不是不喜欢",
)  # fmt: skip
WOULD = _any("would(?:n['’]?t| not) (?:really )?(?:mind|object|say no)", "(?:can['’]?t|never) get enough", zh="百看不厌|看不够")

SUBJECT = r"(?:it|this|that|he|she|they|these|those|the \w+|[A-Z]\w+)"
ASKING = re.compile(
    r"\W*(?:(?:so|and|but|hey|hi|well|wait|oh|um|ok)\W+)*(?:"
    r"(?:is|was|are|were)\s+(?!there\b|any|not\b|you\b|we\b|(?:that|this|these|those) (?:all|too|the)\b|"
    r"it (?:possible|too much|ok|okay|time|asking|me|just)\b)\w|"
    r"who(?:['’]s| is| was)? (?:plays?|played|direct(?:s|ed)|stars?|starred|wrote|made|acts?|acted|in|the|it|that)\b|"
    r"when (?:was|were|did)\b|how (?:old|scary|violent|sad|funny|good|bad|is|was|are|did)\b|how long (?:is|was|does|are)\b|"
    r"where (?:is it|was it|does it|did (?:it|they|he|she))\b|"
    r"where can (?:i|we) (?:watch|stream|rent|buy) (?:it|this|that)\b|what can you do\b|do you know (?-i:[A-Z])|"
    r"what(?:['’]s| is| was) [^,.;!?]+ about\s*(?:\?|$)|"
    r"(?:what|which) (?:year|language|country|actors?)\b|what happens\b|whose\b|"
    r"what(?:['’]s| is| was| are)\s+(?:it|this|that|the (?:plot|story|rating|runtime|ending|title|name))\b|"
    r"(?:have|had) you (?:\w+ )?(?:seen|watched|heard|read|ever)\b|has (?:it|he|she|anyone|anybody)\b|"
    rf"(?:did|do) you (?:\w+ )?(?:like|love|hate|enjoy|think|remember|watch|see|prefer|feel)\b|(?:does|did) (?-i:{SUBJECT})\s)",
    re.I,
)  # fmt: skip
ASKING_ZH = re.compile(r"谁|哪一?[年部个国位]|什么时候|多长|多久|讲的?是?什么|怎么样|吗[？?]?$|[吗呢][？?]")
REQUEST_ZH = re.compile(r"有没有|有什么|有.*吗|推荐|能不能|能.*吗|可以|可否|来[点部个]|给我|想看|想要|我要|换[个部]")
COURTESY = re.compile(
    r"(?:(?:hi|hiya|hello|hey|there|thanks?|thx|you|so|very|much|a|lot|ok|okay|bye|goodbye|good|morning|evening|afternoon|night|"
    r"see|later|soon|haha+|hehe+|lol|cheers|welcome|again|got|it)[\W_]*)+|(?:你好|您好|谢谢|多谢|好的|再见|拜拜|哈+|嗯+|早上好|晚安|[您你啊呀了吗]|\W)+",
    re.I,
)

_NAME = r"(?-i:[A-Z0-9][\w'’]*(?:\s+(?:(?:of|and|the|in)\s+)*[A-Z0-9][\w'’]*)*)"
COMPARED = re.compile(
    r"\b(?!other|rather|never|over|further)(?:\w{2,}er|(?:more|less|fewer) (?!like\b)(?:\w+ ){0,2}?\w+)\s+"
    r"(?P<than>than\s+(?!(?:i|you|we|they|he|she|anyone|my|enough|necessary|needed)\b).+?)(?=\s+(?:and|but|or)\s+(?:\w+er|more|less)\b|\s+please\b|[,;.!?]|$)|"
    r"\b(?:as|so)\s+(?!good|great|much|well|many|soon|long as|far)(?:\w+\s+){1,3}?(?P<as>as\s+.+?)(?=\s+please\b|[,;.!?]|$)|"
    r"\b(?:not|n['’]?t) as long (?P<long>as\s+.+?)(?=\s+please\b|[,;.!?]|$)|"
    rf"(?P<unlike>\b(?:compared (?:to|with)|unlike)\s+(?:the\s+)?{_NAME})|"
    r"(?P<bi>比(?!起)[^更还再要]+)(?=[更还再要])|(?P<bititle>比《[^》]+》)|(?:没有|不像)(?P<mei>[^那这]+)(?=[那这]么)|"
    r"像(?P<namo>[^那这]+)(?=[那这](?:么|样(?!的)))|"
    r"(?P<yiyang>[像跟和].+?一样)(?!的)",
    re.I,
)
SUPERLATIVE = re.compile(r"\b(?:nothing|hardly|few|nobody|no one|what could be)\b", re.I)
KIND_WANTED = re.compile(r"\bbetter\s+than\b", re.I)
