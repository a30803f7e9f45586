"""Words of grammar, in three sets that the teachability rubric counts by. All in `spoken_key` form, contractions by their host."""

from __future__ import annotations

_ARTICLES = "a an the some any no every each either neither both all half such what which whose this that these those"
_PRONOUNS = "i me my mine myself you your yours yourself we us our ours ourselves one ones someone anyone everyone nobody somebody who whom"
_THIRD = "he him his himself she her hers herself it its itself they them their theirs themselves"
_VERBS = (
    "be am is are was were been being have has had having do does did done doing can could will would shall should may might must ought"
)
_PREPOSITIONS = (
    "of in on at by for with about against between into through during before after above below to from up down out off over under again "
    "as than near since until upon within without toward towards across along around behind beside beyond like"
)
_CONJUNCTIONS = "and but or nor so yet if because although though while when where why how whether unless"
_ADVERBS = (
    "not never always now then here there just only very too also well still even ever once more most much many few little less "
    "quite really"
)
_SPOKEN = (
    "yes no yeah oh ah uh um hey hello hi please thank thanks okay ok right sir madam mr mrs ms dr let get got go going gonna wanna come"
)

FUNCTION_WORDS = frozenset(" ".join((_ARTICLES, _PRONOUNS, _THIRD, _VERBS, _PREPOSITIONS, _CONJUNCTIONS, _ADVERBS, _SPOKEN)).split())
"""Closed-class words and empty phrases of talk: they carry no picture of what is meant."""

POINTING_BACK = frozenset([*_THIRD.split(), "this", "that", "these", "those", "there", "then", "such", "one", "ones"])
"""Words that stand for something said before; in the first place of a clip nobody knows for what."""

OPENING_JOINS = frozenset(["and", "but", "so", "or", "nor", "because", "which", "who", "whom", "whose", "than"])
"""A clip that opens with one of these continues something."""

EXPLAINING = (
    "mean", "means", "meant", "called", "named", "because", "such as", "for example", "that is", "in other words", "known as",
    "so that", "in order to", "therefore", "which is", "instead of", "kind of", "sort of", "the opposite",
)  # fmt: skip
"""Words that define, give a cause or an example."""

RELATING = ("so", "but", "if", "when", "although", "though", "while", "until", "unless", "since", "than", "without")
"""Words that set one thing against another, from which a meaning can be guessed."""
