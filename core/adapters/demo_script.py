"""The six made-up films of the demo: who speaks, what is said, what is seen. Written for this project."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DemoLine:
    """One spoken line, the scene that is drawn to it, and the words that it makes plain."""

    text: str
    scene: str
    """A key of `demo_scenes.SCENES`."""
    words: tuple[str, ...]
    is_mirrored: bool = False
    zoom: float = 1.0
    """More than 1 moves the camera in, so that a scene can be seen again as another shot."""


@dataclass(frozen=True, slots=True)
class DemoStory:
    """One film before it is made."""

    title: str
    year: int
    voice: str
    rate_wpm: int
    pitch: int
    lines: tuple[DemoLine, ...]


STORIES = (
    DemoStory(
        "Harbour Point",
        1994,
        "en-gb-x-rp",
        140,
        42,
        (
            DemoLine(
                "Coast Guard, this is Harbour Point. What is the nature of your emergency? How many people are on board?",
                "radio_room",
                ("emergency",),
            ),
            DemoLine("The engine is dead and water is coming in. We must abandon the ship before it sinks.", "boat", ("abandon",)),
            DemoLine("Please acknowledge this message. Say yes, so that I know you heard me.", "radio_room", ("acknowledge",), zoom=1.3),
            DemoLine(
                "The rescue boat cannot come yet. It has to wait for the storm to pass, and that delay may cost lives.",
                "boat",
                ("rescue", "delay"),
                True,
                1.35,
            ),
        ),
    ),
    DemoStory(
        "Northbound",
        2006,
        "en-us+f3",
        145,
        52,
        (
            DemoLine(
                "I was reluctant to come at all. I wanted to stay at home, and you had to ask me three times.", "train", ("reluctant",)
            ),
            DemoLine(
                "Our destination is the last station on the line. When the train gets there, we get off.",
                "train",
                ("destination",),
                True,
                1.3,
            ),
            DemoLine(
                "We have climbed for nine hours without a rest. I am exhausted, and I cannot take another step.", "mountain", ("exhausted",)
            ),
            DemoLine(
                "If we cooperate, we can carry the tent together. If each of us works alone, nobody will get there.",
                "mountain",
                ("cooperate",),
                True,
                1.5,
            ),
            DemoLine(
                "Slow down, please. The road is icy, and you should not hesitate to stop if you are not sure.", "night_road", ("hesitate",)
            ),
        ),
    ),
    DemoStory(
        "Rooftops",
        2009,
        "en-us",
        145,
        45,
        (
            DemoLine(
                "There was a misunderstanding. You said seven in the morning, and I thought you meant seven at night.",
                "rooftops",
                ("misunderstanding",),
            ),
            DemoLine("I am sorry, but there is no table available tonight. Every seat is taken.", "diner", ("available",)),
            DemoLine(
                "We can negotiate. You ask for ten, I offer six, and in the end we agree on eight.", "diner", ("negotiate",), True, 1.4
            ),
            DemoLine(
                "This room is only temporary. I will stay for two weeks, until my own flat is ready.", "rooftops", ("temporary",), True, 1.5
            ),
        ),
    ),
    DemoStory(
        "Control Group",
        2015,
        "en-gb-x-rp+f4",
        145,
        48,
        (
            DemoLine(
                "My hypothesis is that the light makes them grow. It is only an idea, so now we have to test it.",
                "laboratory",
                ("hypothesis",),
            ),
            DemoLine("We have no evidence yet. Nobody saw it, and there is nothing here that proves it.", "desk", ("evidence",)),
            DemoLine(
                "Look at the numbers again, and analyze them one by one. Then tell me what they mean.",
                "laboratory",
                ("analyze",),
                True,
                1.4,
            ),
            DemoLine("It is quite straightforward. You turn the key, you push the button, and it works.", "corridor", ("straightforward",)),
        ),
    ),
    DemoStory(
        "The Lantern Keeper",
        1988,
        "en-gb-scotland",
        140,
        40,
        (
            DemoLine(
                "We need shelter for the night. Find a cave or an old barn, anything that keeps the rain off.", "forest", ("shelter",)
            ),
            DemoLine(
                "Keep the lantern burning. It is your responsibility now, and if it goes out, nobody else is to blame.",
                "forest",
                ("responsibility", "blame"),
                True,
                1.4,
            ),
            DemoLine("Water is essential here. Without it, nobody lives longer than three days.", "desert", ("essential",)),
            DemoLine(
                "I estimate that we have forty miles to go. I cannot be exact, but it must be about that.",
                "desert",
                ("estimate", "exact"),
                True,
                1.5,
            ),
        ),
    ),
    DemoStory(
        "Curtain Call",
        2001,
        "en-us+f2",
        140,
        50,
        (
            DemoLine("Under what circumstances would you leave the stage? What would have to happen first?", "stage", ("circumstances",)),
            DemoLine(
                "The audience is waiting. Two hundred people have bought a ticket, and they want to see you.",
                "stage",
                ("audience",),
                True,
                1.45,
            ),
            DemoLine("You need a permit to take photographs here. Without that paper, nobody may bring a camera in.", "court", ("permit",)),
            DemoLine("He forgot his lines, and consequently the whole play came to a stop.", "desk", ("consequently",), True, 1.35),
            DemoLine(
                "It is a rare opportunity. A chance like this comes once in your life, so take it.",
                "court",
                ("opportunity", "rare"),
                True,
                1.4,
            ),
        ),
    ),
)

DEMO_WORDS = tuple(dict.fromkeys(word for story in STORIES for line in story.lines for word in line.words))
"""The words that the demo's lines make plain, in the order in which they are said; each belongs on a starter list."""
