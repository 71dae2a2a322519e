"""What a scenario file may say, key by key. Unknown keys are refused; quantities carry their units."""

from __future__ import annotations

import copy
import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    StrictBool,
    StrictInt,
    Tag,
    ValidationError,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from testbed.guest.events.outage import Outage
from testbed.guest.timed_event import TimedEvent, parse_run_time
from testbed.quantities import parse_duration, parse_rate, parse_size, shown
from testbed.records.plan import LAST_SEED
from testbed.scenario.access import CongestionControl, Line, LineKind, LineName, Strict, text_like
from testbed.scenario.background import IPV6, Background
from testbed.scenario.calendar import resolve_dates
from testbed.scenario.document import Document, Key
from testbed.scenario.draws import draw_values
from testbed.scenario.events import OneOfTheKinds
from testbed.scenario.expand import PAIRED, REPEATED, expand_pairs, expand_repetitions
from testbed.scenario.instant import parse_instant
from testbed.scenario.links import Link
from testbed.scenario.refusal import in_words, refusal
from testbed.scenario.schedule import SCHEDULE, expand_schedule, place_rounds
from testbed.scenario.variation import Variation
from testbed.traffic.evasion import EVASIONS

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "IPV6", "Evade", "Fetch", "Line", "Recording", "Replay", "Scenario", "Upload", "WrittenCensor",
    "load_scenario", "scenario_schema",
]  # fmt: skip

_LONGEST_NAME = 253  # without the final dot (RFC 1035, section 2.3.4)
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
_ADDRESS = re.compile(r"[0-9]+(\.[0-9]+){3}")
_MOST_OBJECTS = 1000  # nginx closes a connection after so many requests
_LONGEST_THOUGHT_S = 3600.0
PUBLISHED_OBJECT = "383 kB"  # the image from abs.twimg.com, Xue et al., IMC 2021, section 5


def _whole_number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"expected a whole number, got {value!r}")  # noqa: TRY004 - one error for all bad input
    return value


def _dns_name(name: str) -> str:
    """A DNS name in its shortest form: without final dot, labels of 1 to 63 letters, digits, hyphens (RFC 1035)."""
    plain = name.removesuffix(".")
    if _ADDRESS.fullmatch(plain):
        raise ValueError(f"expected a DNS name, got the address {name!r}; an origin answers at its address as it is")
    labels = plain.split(".")
    if len(plain) > _LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(
            f"expected a DNS name of at most {_LONGEST_NAME} characters, with labels of 1 to 63 letters, digits and "
            f"hyphens, got {shown(name)}"
        )
    return plain


def _name_or_profile(value: object) -> object:
    is_mapping = isinstance(value, dict) and all(isinstance(key, str) for key in value)
    if not (value is None or isinstance(value, str) or is_mapping):
        raise ValueError(
            f"expected a profile, a family, a path, none, or a mapping of a profile's keys, got {shown(value)}"
        )
    return value


def _clients_hello(value: object) -> object:
    """YAML reads a year as a number. Hellos of browsers are made where no handshake follows."""
    if value in ("firefox", "chrome"):
        raise ValueError(
            f"expected '2021', '2024' or 'system', got {value!r}: OpenSSL orders the extensions of a fetch's hello; "
            f"for a hello like {value}'s use 'evade: plain' with 'options: {{hello: {value}}}'"
        )
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Instant = Annotated[
    datetime,
    BeforeValidator(parse_instant),
    WithJsonSchema({"type": "string", "description": "an instant such as 2021-03-10T09:00Z; without a zone UTC"}),
]
Seconds = Annotated[
    float,
    BeforeValidator(parse_run_time),
    WithJsonSchema({"type": ["string", "integer"], "description": "a duration with its unit, such as 95 ms; or 0"}),
]
LONGEST_WAIT_S = 20 * 86_400  # poll(2), by which sockets wait, counts 2**31 ms at most: 24 days


def _parse_wait(text: object) -> float:
    seconds = parse_duration(text)
    if seconds > LONGEST_WAIT_S:
        raise ValueError(f"expected at most {LONGEST_WAIT_S // 86_400} d, got {text!r}")
    return seconds


Wait = Annotated[
    float,
    BeforeValidator(_parse_wait),
    WithJsonSchema({"type": ["string", "integer"], "description": "a duration with its unit, such as 95 ms; or 0"}),
]
Bytes = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema({"type": "string", "description": "a size with its unit, such as 383 kB"}),
]
Buffer = Annotated[Bytes, Field(ge=4_000, le=64_000_000)]  # below, Linux takes sizes of its own choice
BodyRate = Annotated[
    int,
    BeforeValidator(parse_rate),
    Field(ge=1_000, le=1_000_000_000),
    WithJsonSchema({"type": "string", "description": "a rate with its unit, such as 400 kbit/s"}),
]
ThinkTime = Annotated[Seconds, Field(lt=_LONGEST_THOUGHT_S)]
Name = Annotated[str, AfterValidator(_dns_name)]
Identifier = Annotated[
    str, *text_like("[A-Za-z0-9][A-Za-z0-9-]{0,31}", "a name of 1 to 32 letters, digits and hyphens, no hyphen first")
]
Role = Literal["target", "control", "collateral"]
IpVersion = Literal[4, 6]
Outcome = Literal["throttled", "not throttled"]
Protocol = Literal["http/1.1", "http/2", "http/3"]
WrittenCensor = str | dict[str, object]
"""A profile by its name, family or path, or written in place."""

CAPTURE_PLACES: Final = ("client", "server", "box")
CapturePlace = Literal["client", "server", "box"]
CaptureKeep = Literal["whole", "headers", "compared"]


def _all_whole(value: object) -> object:
    """A list of places keeps all of what is captured there."""
    return dict.fromkeys(value, "whole") if isinstance(value, list) and _are_places(value) else value


def _are_places(value: list[object]) -> bool:
    unknown = [each for each in value if each not in CAPTURE_PLACES]
    if unknown:
        raise ValueError(f"expected client, server or box, got {shown(unknown[0])}")
    return True


class Network(Strict):
    """``topology``: a packaged one or a Mininet custom file; ``parameters``: see `testbed show TOPOLOGY`."""

    topology: str
    parameters: dict[str, object] = Field(default={})
    links: Literal["netlink", "stock"] = "netlink"


class Origin(Strict):
    """A server and the names that resolve to it; how fast it answers, from how large a buffer, by which protocols."""

    serves: list[Name] = Field(min_length=1)
    protocols: list[Protocol] = Field(default=["http/1.1"], json_schema_extra={"contains": {"const": "http/1.1"}})
    rate: BodyRate | None = None
    think: ThinkTime | None = None
    send_buffer: Buffer | None = None
    pacing: BodyRate | None = None

    @field_validator("protocols")
    @classmethod
    def _each_once(cls, protocols: list[Protocol]) -> list[Protocol]:
        if "http/1.1" not in protocols or len(set(protocols)) < len(protocols):
            raise ValueError(f"expected http/1.1, which every origin speaks, and others, each once, got {protocols}")
        return protocols


class Programs(Strict):
    """Which programs serve and fetch; without a word those that the machine has, else the testbed's own."""

    origin: Literal["nginx", "builtin"] | None = None
    client: Literal["curl", "builtin"] | None = None


class Recording(Strict):
    """A session recorded on a line before the measurements, to be replayed."""

    name: Identifier
    line: LineName
    sni: Name
    size: Bytes = parse_size(PUBLISHED_OBJECT)


class _Measurement(Strict):
    role: Role
    lines: list[LineName] | None = Field(default=None, min_length=1)
    at: Seconds = 0.0
    pause: Seconds = 0.0
    timeout: Wait = Field(default=120.0, gt=0)
    ip: IpVersion | None = None


class Fetch(_Measurement):
    """One HTTPS download by our client or by curl."""

    fetch: Name
    client: Literal["measure", "curl"] = "measure"
    protocol: Protocol = "http/1.1"
    address_of: Name | None = None
    size: Bytes = parse_size(PUBLISHED_OBJECT)
    receive_buffer: Buffer | None = None
    reading: BodyRate | None = None
    objects: StrictInt | None = Field(default=None, ge=1, le=_MOST_OBJECTS)
    parallel: StrictInt | None = Field(default=None, ge=1)


class Upload(_Measurement):
    """One HTTPS upload by our client, counted by the origin."""

    upload: Name
    protocol: Protocol = "http/1.1"
    size: Bytes = Field(default=parse_size(PUBLISHED_OBJECT), gt=0)


class Replay(_Measurement):
    """One replay of a recording, original or bit-inverted, as it was or turned into an upload."""

    replay: Identifier
    direction: Literal["download", "upload"] = "download"
    inverted: StrictBool = False

    @model_validator(mode="after")
    def _inverted_is_control(self) -> Replay:
        if self.inverted != (self.role == "control"):
            raise ValueError("a replay is the control if and only if it is inverted")
        return self


class Evade(_Measurement):
    """One hello brought past the box in a way of `testbed.traffic.evasion`, and a download over the same flow."""

    evade: Annotated[str, WithJsonSchema({"type": "string", "enum": list(EVASIONS)})]
    sni: Name = "twitter.com"
    size: Bytes = Field(default=parse_size("100 kB"), gt=0)
    options: dict[str, object] = Field(default={})
    published: Outcome | None = None


_KINDS_OF_MEASUREMENT = ("fetch", "upload", "replay", "evade")


def _kind_of_measurement(value: object) -> str | None:
    if isinstance(value, dict):
        kinds = [kind for kind in _KINDS_OF_MEASUREMENT if kind in value]
        return kinds[0] if len(kinds) == 1 else None
    return None


Measurement = Annotated[
    Annotated[Fetch, Tag("fetch")]
    | Annotated[Upload, Tag("upload")]
    | Annotated[Replay, Tag("replay")]
    | Annotated[Evade, Tag("evade")],
    Discriminator(
        _kind_of_measurement,
        custom_error_type="measurement_kind",
        custom_error_message="expected a mapping with exactly one of the keys 'fetch', 'upload', 'replay' and 'evade'",
    ),
]


class Scenario(Strict):
    """One experiment."""

    format: Literal[1]
    title: str
    about: str
    date: Instant
    seed: Annotated[int, BeforeValidator(_whole_number)] = Field(default=1, ge=1, le=LAST_SEED)
    network: Network
    kinds: dict[LineName, LineKind] = Field(default={})
    lines: list[Line] = Field(min_length=1)
    links: list[Link] = Field(default=[])
    censors: dict[str, Annotated[WrittenCensor | None, BeforeValidator(_name_or_profile)]] = Field(default={})
    meter: Literal["token_bucket", "coarse_refill"] | None = None
    congestion_control: CongestionControl = "cubic"
    variation: Variation = "none"
    hello: Annotated[Literal["2021", "2024", "system"], BeforeValidator(_clients_hello)] = "2021"
    ip: IpVersion = 4
    origins: dict[str, Origin]
    programs: Programs = Programs()
    replay_server: str | None = None
    recordings: list[Recording] = Field(default=[])
    measurements: list[Measurement] = Field(min_length=1)
    background: list[Background] = Field(default=[])
    outages: list[Outage] = Field(default=[])
    events: list[Annotated[TimedEvent, OneOfTheKinds()]] = Field(default=[])
    captures: Annotated[dict[CapturePlace, CaptureKeep], BeforeValidator(_all_whole)] = Field(
        default=dict.fromkeys(CAPTURE_PLACES, "whole"),
        json_schema_extra={"anyOf": [{"type": "array", "items": {"enum": list(CAPTURE_PLACES)}}, {"type": "object"}]},
    )

    @property
    def has_ipv6(self) -> bool:
        """Whether anything goes over IPv6: the network has both then."""
        return IPV6 in {self.ip, *(each.ip for each in self.measurements), *(each.ip for each in self.background)}

    @field_validator("captures")
    @classmethod
    def _only_boxes_are_compared(cls, captures: dict[CapturePlace, CaptureKeep]) -> dict[CapturePlace, CaptureKeep]:
        for place, keep in captures.items():
            if keep == "compared" and place != "box":
                raise ValueError(
                    f"a capture at a {place} is compared with nothing: expected whole or headers, or no {place} at all"
                )
        return captures


def load_scenario(path: Path, settings: list[str], *, seed: int | None = None) -> tuple[Scenario, Document]:
    """Read a scenario, apply ``key=value`` settings, and draw what is to be drawn.

    Args:
        path: The file.
        settings: ``key=value`` each.
        seed: To draw from; None: the scenario's own.

    Returns:
        The scenario, and the document for errors that are found later.

    Raises:
        ScenarioError: File, line, key and what was expected.
    """
    document = Document.load(path)
    for setting in settings:
        document.set(setting)
    # Drawn before anything is checked: what comes of a draw is checked like everything that somebody wrote.
    seed = seed or _own_seed(document)
    expand_repetitions(document)
    expand_schedule(document)
    document.drawn = draw_values(document, seed)
    expand_pairs(document, seed)
    place_rounds(document)
    resolve_dates(document)
    try:
        return Scenario.model_validate(document.data), document
    except ValidationError as error:
        problems = [(_data_key(each["loc"]), in_words(each, "docs/reference/scenario.md")) for each in error.errors()]
        raise refusal(document, problems) from error


def scenario_schema() -> dict[str, object]:
    """Return the JSON Schema of scenario files, with what is expanded before a scenario is checked."""
    schema: dict[str, Any] = Scenario.model_json_schema()
    kinds = schema["$defs"]
    schema["properties"]["schedule"] = SCHEDULE
    for name in ("Fetch", "Upload", "Replay", "Evade"):
        kinds[name]["properties"] |= REPEATED
    pair = copy.deepcopy(kinds["Fetch"])
    for key in ("fetch", "role"):
        del pair["properties"][key]
    pair["properties"] |= PAIRED
    kinds["Pair"] = pair | {"title": "Pair", "required": ["pair"], "description": "A target and its control."}
    # A pair is no model: it is expanded before there is one. Editors are to know it all the same.
    schema["properties"]["measurements"]["items"]["oneOf"].append({"$ref": "#/$defs/Pair"})
    return schema


def _own_seed(document: Document) -> int:
    """Return the seed that a scenario says, or the default; one that is none is refused later, with everything else."""
    seed = document.data.get("seed", Scenario.model_fields["seed"].default)
    return seed if isinstance(seed, int) else 1


_TAG_AT = 2  # in ("measurements", index, tag, key, …)


def _data_key(location: tuple[str | int, ...]) -> Key:
    """Pydantic's location without the tag that it inserts after the index of a measurement or of background traffic."""
    if location[:1] in {("measurements",), ("background",)} and len(location) > _TAG_AT:
        return location[:2] + location[3:]
    return location
