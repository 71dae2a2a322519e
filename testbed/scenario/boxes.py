"""The boxes of a plan: which censor's profile the box at each place of the topology follows, and why some have none."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from testbed.errors import ScenarioError
from testbed.quantities import parse_share
from testbed.scenario.access import base_kind, line_values
from testbed.scenario.box_course import course
from testbed.scenario.profiles import CensorProfile, profile_for, profile_within, spares, why_no_box

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from testbed.guest.network.topology import RoutedTopo
    from testbed.guest.timed_event import BoxChange, BoxSpan, RunSpan, TimedEvent
    from testbed.records.box_plan import BoxPlan, ProfileChangePlan, ProfileDocument
    from testbed.scenario.access import Line
    from testbed.scenario.model import Scenario, WrittenCensor
    from testbed.scenario.place import Key, Places

__all__ = ["Boxes"]

_KINDS = ("tspu", "blocker")
_CABLE = "none"


class Boxes:
    """See `plan`.

    Args:
        scenario: With its censors.
        topology: With its places for boxes.
        places: For errors.
        seed: Of the run.

    Attributes:
        without_box: After `plan`: line to the reason why no box stands on it although a censor is named.
    """

    def __init__(self, scenario: Scenario, topology: RoutedTopo, places: Places, seed: int) -> None:
        self._scenario = scenario
        self._topology = topology
        self._places = places
        self._seed = seed
        self._chosen: dict[tuple[str, str, datetime], tuple[CensorProfile | None, str | None]] = {}
        self.without_box: dict[str, str] = {}

    def plan(self, events: list[tuple[Key, TimedEvent]], run: RunSpan) -> dict[str, BoxPlan]:
        """Return the box of each node that has one, in the course of the run.

        Args:
            events: Of the scenario, checked, each with its key.
            run: That they happen in.

        Raises:
            ScenarioError: A kind of box, a profile or a meter that is not there.
        """
        built = dict.fromkeys(self._topology.nodeInfo(node)["kind"] for node in self._topology.with_role("box"))
        known = [*dict.fromkeys([*_KINDS, *built])]
        for kind in self._scenario.censors:
            if kind not in known:
                raise self._places.error(("censors", kind), f"unknown kind of middlebox (known: {', '.join(known)})")
        lines = {line.name: (index, line) for index, line in enumerate(self._scenario.lines)}
        changes = _by_box(self._topology, events, self._places)
        by_event = [(key, list(event.box_spans(self._topology, run))) for key, event in events]
        spans = [span for _, of_event in by_event for span in of_event]
        self._refuse_what_no_box_follows(lines.values(), changes, by_event)
        boxes: dict[str, BoxPlan] = {}
        for node in self._topology.with_role("box"):
            info = self._topology.nodeInfo(node)
            index, line = lines[info["line"]]
            key, censor = self._named(info["kind"], index, line)
            kind = str(base_kind(line, self._scenario.kinds))
            profile = None
            if censor is not None:
                profile, why = self._profile(key, censor, kind, self._scenario.date)
                profile = self._for_line(profile, info["kind"], index, line)
                if profile is None:  # told in the plan, and from there in the table: an empty place must not look
                    self.without_box[info["line"]] = str(why)  # measured
            followed = [self._change(key, change, kind) for key, change in changes.get(node, [])]
            own = [span for span in spans if span.box == node]
            profile, changed = course(profile, followed, own, is_spare="after_hop" in info)
            if profile is None and not changed:
                continue  # a place for a box that this scenario leaves empty: the box is a cable
            boxes[node] = {"line": info["line"], "profile": profile, "seed": self._seed_of(node)}
            if changed:
                boxes[node]["changes"] = changed
        return boxes

    def _refuse_what_no_box_follows(
        self,
        lines: Iterable[tuple[int, Line]],
        changes: Mapping[str, list[tuple[Key, BoxChange]]],
        spans: Iterable[tuple[Key, list[BoxSpan]]],
    ) -> None:
        """Refuse what is said of boxes that follow no censor.

        A meter, where nothing names one; a share of flows, where none is named at first; an event, where none ever is.

        A censor that has no profile at the date is named all the same: the same scenario is run on many days.
        """
        places = set(map(self._place, self._topology.with_role("box")))
        own = {line.name: (index, line) for index, line in lines}
        named = {(place, line) for place, line in places if self._named(place, *own[line])[1] is not None}
        is_named_later = any(change.censor is not None for each in changes.values() for _, change in each)
        if self._scenario.meter is not None and not named and not is_named_later:
            raise self._places.error(
                ("meter",), "no box here follows a censor that could meter; name one, or remove it"
            )
        self._refuse_events_without_boxes(named, changes, spans)
        censored = {line for place, line in named if place == "tspu"}
        without = "no TSPU that follows a censor from the beginning; name one under censors, or remove it"
        for index, line in own.values():
            if line.censor_share is not None and line.name not in censored:
                raise self._places.error(("lines", index, "censor_share"), f"on this line is {without}")
        for kind, preset in self._scenario.kinds.items():
            if preset.censor_share is not None and not any(own[name][1].kind == kind for name in censored):
                raise self._places.error(("kinds", kind, "censor_share"), f"on lines of this kind is {without}")

    def _refuse_events_without_boxes(
        self,
        named: set[tuple[str, str]],
        changes: Mapping[str, list[tuple[Key, BoxChange]]],
        spans: Iterable[tuple[Key, list[BoxSpan]]],
    ) -> None:
        later = {self._place(node) for node, each in changes.items() if any(change.censor for _, change in each)}
        for key, of_event in spans:
            if of_event and not {self._place(span.box) for span in of_event} & (named | later):
                raise self._places.error(
                    key,
                    "none of these boxes ever follows a censor, so this could change nothing; name one, or remove it",
                )

    def _place(self, node: str) -> tuple[str, str]:
        """Return the kind of box that stands at a node, and its line."""
        info = self._topology.nodeInfo(node)
        return info["kind"], info["line"]

    def _change(self, where: Key, change: BoxChange, line_kind: str) -> ProfileChangePlan:
        planned: ProfileChangePlan = {"at_s": change.at_s, "profile": None, "forgets": change.forgets}
        if change.censor is not None:
            instant = self._scenario.date + timedelta(seconds=change.at_s)
            planned["profile"], why = self._profile((*where, "censor"), change.censor, line_kind, instant)
            if why is not None:
                planned["why"] = why
            if change.share is not None:
                planned["profile"] = self._with_share((*where, "share"), planned["profile"], change.share)
        return planned

    def _for_line(self, profile: ProfileDocument | None, place: str, index: int, line: Line) -> ProfileDocument | None:
        """Return the profile with the share of flows that a line, or its kind, says of its TSPU."""
        share = line_values(line, self._scenario.kinds).get("censor_share")
        if share is None or place != "tspu":
            return profile
        return self._with_share(("lines", index, "censor_share"), profile, parse_share(share))

    def _with_share(self, key: Key, profile: ProfileDocument | None, share: float) -> ProfileDocument | None:
        """Return the profile with the share of flows that it acts on.

        Raises:
            ScenarioError: It meters whole lines, and tells no flow from another.
        """
        if profile is None:
            return None
        if profile["action"]["scope"] == "line":
            problem = f"the profile {profile['name']} meters the whole line and tells no flow from another; remove it"
            raise self._places.error(key, problem)
        return {**profile, "trigger": {**profile["trigger"], "share": share}}

    def _profile(
        self, where: Key, censor: WrittenCensor, line_kind: str, instant: datetime
    ) -> tuple[ProfileDocument | None, str | None]:
        if isinstance(censor, str):
            chosen, why = self._censor(where, self._places.beside(censor), line_kind, instant)
        else:
            written = profile_within(self._places.document, where, self._places.folder)
            why = spares(written, line_kind)
            chosen = written if why is None else None
        return (None, why) if chosen is None else (self._with_meter(cast("ProfileDocument", chosen.plain)), None)

    def _named(self, place: str, index: int, line: Line) -> tuple[Key, WrittenCensor | None]:
        """Return what is named for a place, the line's own or that of all lines, and the key at which it is.

        ``none`` names a cable, as in the event `censor`; on one line it takes the place of what all lines have.
        """
        own = line_values(line, self._scenario.kinds).get({"tspu": "censor", "blocker": "blocker"}.get(place, ""))
        if own is not None:
            return ("lines", index, "censor" if place == "tspu" else place), None if own == _CABLE else str(own)
        named = self._scenario.censors.get(place)
        return ("censors", place), None if named == _CABLE else named

    def _censor(
        self, where: Key, name: str, line_kind: str, instant: datetime
    ) -> tuple[CensorProfile | None, str | None]:
        """Return the profile of a name on a line of some kind at an instant; or None and why there is no box.

        It is read once for each kind of line: a scenario may have eighty lines.
        """
        key = (name, line_kind, instant)
        if key not in self._chosen:
            try:
                chosen = profile_for(name, instant, line_kind)
                why = None if chosen else why_no_box(name, instant, line_kind)
            except ScenarioError as error:
                raise self._places.error(where, str(error)) from error
            self._chosen[key] = (chosen, why)
        return self._chosen[key]

    def _with_meter(self, profile: ProfileDocument) -> ProfileDocument:
        """Return the profile with the meter that the scenario asks for."""
        meter, described = self._scenario.meter, profile.get("meter")
        if meter is None:
            return profile
        if described is None or meter not in described:
            raise self._places.error(("meter",), f"the profile {profile['name']} describes no {meter}")
        return {**profile, "meter": {**described, "kind": meter}}

    def _seed_of(self, node: str) -> int:
        """Return a seed of its own for each box, from the run's seed and the box's name."""
        # Not a draw from one generator: then a box more on one line would change what the boxes of the others draw.
        return int.from_bytes(hashlib.sha256(f"{self._seed} {node}".encode()).digest()[:8], "big")


def _by_box(
    topology: RoutedTopo, events: list[tuple[Key, TimedEvent]], places: Places
) -> dict[str, list[tuple[Key, BoxChange]]]:
    """Return what events change at each box, in the order of time, each with the key of its event.

    Raises:
        ScenarioError: Two events give one box a profile at one instant.
    """
    found: dict[str, list[tuple[Key, BoxChange]]] = {}
    for key, event in events:
        for change in event.box_changes(topology):
            own = found.setdefault(change.box, [])
            if any(other.at_s == change.at_s for _, other in own):
                problem = f"another event gives {change.box} a profile at this instant already; move or remove one"
                raise places.error(key, problem)
            own.append((key, change))
    return {box: sorted(own, key=lambda each: each[1].at_s) for box, own in found.items()}
