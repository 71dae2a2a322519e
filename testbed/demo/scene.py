"""What a class can choose on the page, as settings of the scenario `classroom/two-phones`.

Each choice is words for `testbed run --set`, so that whatever the page shows can be repeated on a command line.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from testbed.errors import InputError
from testbed.traffic.evasion import EVASIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CAUSES", "EVASION_NAMES", "SCENARIO", "STOPS", "SURPRISE", "VOTES", "Cause", "Choice", "Stop", "settings"]

SCENARIO = "classroom/two-phones"
SURPRISE = "surprise"


class Stop(NamedTuple):
    """A stop of the date slider: from then on these rules held."""

    date: str
    censor: str
    about: str


STOPS = (
    Stop("2021-03-09", "none", "the day before: no rule yet"),
    Stop("2021-03-10", "ru-tw-2021", "Twitter is slowed down; every name with t.co in it is, too"),
    Stop("2021-03-11", "ru-tw-2021", "t.co has to be the whole name; Twitter stays slow"),
    Stop("2021-04-02", "ru-tw-2021", "only Twitter's own names"),
    Stop("2021-05-17", "ru-tw-2021", "mobile lines alone"),
    Stop("2022-02-26", "ru-tw-2022-III", "slowed down again, to 650 bytes per second"),
    Stop("2022-03-04", "ru-2022-II", "blocked: silence after a few packets"),
    Stop("2024-08-01", "ru-yt-2024-tcp", "YouTube is slowed down on landlines; mobile lines are spared"),
    Stop("2025-06-09", "ru-16k-2025", "whatever comes from abroad freezes after 16 kB"),
    Stop("2026-01-01", "ru-l4-25", "whatever comes from abroad freezes after 25 packets, four connections of five"),
)  # fmt: skip


class Cause(NamedTuple):
    """Why twitter.com may be slow: the name on the page, what a vote for it says, and its settings."""

    title: str
    vote: str
    changes: Mapping[str, object]


# The confounders of scenarios/confounders, on this scenario's network: in each of them the box is a cable.
_CABLE = {"censors.tspu": "none"}
_OWN_SERVER = {
    "origins.origin.serves": ["example.com"],
    "replay_server": None,
}
CAUSES: dict[str, Cause] = {
    "box": Cause("the box, with the rules of the date", "throttled", {}),
    "reset": Cause("a box that resets the connection", "blocked", {
        "date": "2021-03-12T09:00Z",
        "censors.tspu": {
            "based_on": "ru-tw-2021b", "meter": None, "action": {"kind": "reset", "reset_to": ["inside", "outside"]},
        },
    }),
    "lossy": Cause("a bad line that loses packets", "congested", {
        **_CABLE, "links": [{"between": ["phone", "phone-r1"], "toward": "phone", "loss": "8 %"}],
    }),
    "busy": Cause("a line that others fill", "congested", {
        **_CABLE, "background": [{"bulk": ["university", "phone"], "flows": 8, "from": "0 s", "until": "25 s"}],
    }),
    "slow": Cause("a slow server", "slow server", {
        **_CABLE, **_OWN_SERVER, "origins.university": {"serves": ["twitter.com"], "rate": "150 kbit/s"},
    }),
    "broken": Cause("a server that cannot be reached", "broken", {
        **_CABLE, **_OWN_SERVER, "origins.university": {"serves": ["twitter.com"]},
        "measurements.0.timeout": "20 s",  # a class waits no longer
        "outages": [{"link": ["transit", "university"], "from": "0 s", "until": "60 s", "about": "a cable is cut"}],
    }),
    "nothing": Cause("nothing: all is well", "nothing", {**_CABLE}),
}  # fmt: skip
VOTES = ("throttled", "blocked", "congested", "slow server", "broken", "nothing")
# `idle` waits ten minutes before it transfers: too long for a class.
EVASION_NAMES = tuple(name for name in EVASIONS if name not in {"plain", "idle"})
_OUTAGE = {"link": ["gateway", "state"], "from": "0 s", "until": "60 s", "about": "Rostelecom's router failure"}
_TARGET = {"role": "target", "size": "383 kB", "lines": ["phone"], "timeout": "60 s"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was chosen on the page.

    Attributes:
        stop: Index into `STOPS`.
        cause: A key of `CAUSES`.
        evasion: A name of `EVASION_NAMES`, or none.
        state_outage: Whether the state's sites cannot be reached, as on 10 March 2021.
        is_guess: Whether the box stays hidden until it is revealed.
    """

    stop: int = 2
    cause: str = "box"
    evasion: str = ""
    state_outage: bool = False
    is_guess: bool = False

    @classmethod
    def of(cls, fields: Mapping[str, object]) -> Choice:
        """Return the choice that a browser sent; a surprise is drawn here, so that no browser knows it.

        Raises:
            InputError: A field is not one of those on offer.
        """
        stop, cause, evasion = fields.get("stop", 2), fields.get("cause", "box"), fields.get("evasion", "")
        if isinstance(stop, bool) or not isinstance(stop, int) or not 0 <= stop < len(STOPS):
            raise InputError(f"stop: expected 0 to {len(STOPS) - 1}, got {stop!r}")
        if cause == SURPRISE:
            # not seeded: nobody who looks on may foresee it
            cause = secrets.choice(list(CAUSES))
            stop, evasion = 2, ""
        if not isinstance(cause, str) or cause not in CAUSES:
            raise InputError(f"cause: expected one of {', '.join(CAUSES)}, got {cause!r}")
        if evasion and evasion not in EVASION_NAMES:
            raise InputError(f"evasion: expected one of {', '.join(EVASION_NAMES)}, got {evasion!r}")
        if evasion and CAUSES[cause].changes.get("replay_server", "") is None:
            raise InputError(f"evasion {evasion}: needs the replay server, which is twitter.com's own server here; "
                             "choose no evasion, or another cause")  # fmt: skip
        return cls(
            stop=stop, cause=cause, evasion=str(evasion),
            state_outage=fields.get("state_outage") is True, is_guess=fields.get("is_guess") is True,
        )  # fmt: skip


def settings(choice: Choice) -> list[str]:
    """Return the choice as words for ``testbed run --set``."""
    stop, cause = STOPS[choice.stop], CAUSES[choice.cause]
    # an instant on that day at which its rules hold already: the last of them began at 13:40
    changes: dict[str, object] = {"date": f"{stop.date}T14:00Z", "censors.tspu": stop.censor, **cause.changes}
    if choice.evasion:
        changes["measurements.0"] = {"evade": choice.evasion, "sni": "twitter.com", **_TARGET}
    if choice.state_outage:
        outages = cause.changes.get("outages")
        changes["outages"] = [*(outages if isinstance(outages, list) else ()), _OUTAGE]
    return [f"{key}={json.dumps(value) if not isinstance(value, str) else value}" for key, value in changes.items()]
