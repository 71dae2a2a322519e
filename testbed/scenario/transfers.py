"""The transfers of a plan: what is recorded, measured, replayed and brought past the box, on each line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict

from testbed.records.plan import CLIENT_MIB, COPIES_IN_FLIGHT
from testbed.scenario.model import IPV6, Evade, Fetch, Replay, Upload
from testbed.scenario.options import OptionError, read_options
from testbed.scenario.protocols import MOST_KEPT_BYTES, check_fetch, check_origin, check_upload
from testbed.traffic.evasion import EVASIONS
from testbed.traffic.options import known_options

if TYPE_CHECKING:
    from testbed.guest.network.topology import RoutedTopo
    from testbed.records.plan import (
        CurlTransfer,
        EvadeTransfer,
        FetchTransfer,
        LinePlan,
        NewerProtocol,
        OriginPlan,
        RecordTransfer,
        ReplayTransfer,
        TransferPlan,
        UploadTransfer,
    )
    from testbed.scenario.model import Origin, Recording, Scenario
    from testbed.scenario.place import Key, Places

__all__ = ["Transfers"]

# Keys of a fetch that curl has no option for, or is not given one.
_MEASURING_CLIENT = ("address_of", "receive_buffer", "reading", "objects", "parallel")
_MOST_PARALLEL_MIB = 512  # what connections of one measurement may take of the guest's memory
_WHO_CAN = "the client 'measure', which is the default, can"
_RECORDING_TIMEOUT_S = 120.0  # a recording is made on an unthrottled line: only a broken one takes longer


class _Timing(TypedDict):
    at_s: float
    timeout_s: float
    line: str
    role: str
    pause_s: NotRequired[float]
    ip: NotRequired[Literal[6]]


class _Object(TypedDict):
    id: str
    name: str
    sni: str
    direction: Literal["download"]
    path: str
    size: int


class _Spoken(TypedDict, total=False):
    protocol: NewerProtocol


class _Connection(TypedDict, total=False):
    address_of: str
    receive_buffer: int
    reading_bps: int
    objects: int
    group: str
    in_place_of: Literal["curl"]


class Transfers:
    """What the clients and the servers of a scenario do.

    Args:
        scenario: With its measurements, recordings and origins.
        topology: With its clients.
        names: DNS name to address: what origins serve.
        places: For errors.
    """

    def __init__(self, scenario: Scenario, topology: RoutedTopo, names: dict[str, str], places: Places) -> None:
        self._scenario = scenario
        self._topology = topology
        self._names = names
        self._places = places

    def origins(self) -> dict[str, OriginPlan]:
        """Return the servers, each with an object of every size that is asked for.

        Raises:
            ScenarioError: A recording is larger than the guest's memory has room for.
        """
        sizes: dict[Key, int] = {
            ("measurements", index, "size"): each.size
            for index, each in enumerate(self._scenario.measurements)
            if isinstance(each, Fetch)
        }
        sizes |= {("recordings", index, "size"): each.size for index, each in enumerate(self._scenario.recordings)}
        # Every origin has every object: a name may move from one origin to another with --set, and its size need not.
        objects = {_object_path(size): size for size in sorted(set(sizes.values()))}
        for index, recording in enumerate(self._scenario.recordings):
            if recording.size > MOST_KEPT_BYTES:
                raise self._places.error(
                    ("recordings", index, "size"),
                    "too large: a recording is kept in the guest's memory, which has room for "
                    f"{MOST_KEPT_BYTES // 1_000_000} MB of it",
                )
        return {
            node: _origin(origin, objects, self._checked(node, origin))
            for node, origin in self._scenario.origins.items()
        }

    def _checked(self, node: str, origin: Origin) -> dict[str, str]:
        uploads = self._uploads(origin)
        check_origin(node, origin, self._places)
        return uploads

    def _uploads(self, origin: Origin) -> dict[str, str]:
        """Return where the uploads to an origin go: path to the transfer's id."""
        ids = [
            _upload_id(_head(line.name, index), measurement)
            for line in self._scenario.lines
            for index, measurement in enumerate(self._scenario.measurements)
            if isinstance(measurement, Upload)
            and measurement.upload in origin.serves
            and (measurement.lines is None or line.name in measurement.lines)
        ]
        return {_upload_path(each): each for each in ids}

    def recordings(self) -> list[LinePlan]:
        """Return the sessions that are recorded, by line.

        Raises:
            ScenarioError: A name twice, a server name that no origin serves, or a line that is not there.
        """
        plans: dict[str, LinePlan] = {}
        recordings = self._scenario.recordings
        for index, recording in enumerate(recordings):
            key = ("recordings", index)
            if recording.name in {each.name for each in recordings[:index]}:
                raise self._places.error((*key, "name"), f"another recording is called {recording.name!r} already")
            self._check_name((*key, "sni"), recording.sni)
            node = self._client((*key, "line"), recording.line)
            plan = plans.setdefault(recording.line, {"name": recording.line, "node": node, "transfers": []})
            transfer = _recorded(recording)
            if self._scenario.ip == IPV6:
                transfer["ip"] = IPV6
            plan["transfers"].append(transfer)
        return list(plans.values())

    def measurements(self) -> list[LinePlan]:
        """Return the measurements of each line that has any, one after the other.

        Raises:
            ScenarioError: A server name, a recording, an evasion, an option or a line that is not there.
        """
        plans: list[LinePlan] = []
        for line in self._scenario.lines:
            transfers = [
                transfer
                for index, measurement in enumerate(self._scenario.measurements)
                if measurement.lines is None or line.name in measurement.lines
                for transfer in self._side_by_side(index, line.name, measurement)
            ]
            if transfers:
                plans.append({"name": line.name, "node": self._client(("lines",), line.name), "transfers": transfers})
        # A line that no measurement uses was never asked for above: a name that is wrong would be left out in silence.
        for index, measurement in enumerate(self._scenario.measurements):
            for name in measurement.lines or []:
                self._client(("measurements", index, "lines"), name)
        return plans

    def _side_by_side(self, index: int, line: str, measurement: Fetch | Upload | Replay | Evade) -> list[TransferPlan]:
        """Return the transfers of a measurement: one, or as many as it has connections at once."""
        transfer = self._transfer(index, line, measurement)
        if "ip" in transfer:
            transfer["name"] += ", IPv6"
        if transfer["kind"] != "fetch" or not isinstance(measurement, Fetch) or (measurement.parallel or 1) == 1:
            return [transfer]
        count = measurement.parallel or 1
        each_mib = connection_mib(transfer["size"])
        if count * each_mib > _MOST_PARALLEL_MIB:
            raise self._places.error(
                ("measurements", index, "parallel"),
                f"{count} connections at once need {count * each_mib:.0f} MiB of the guest, which has "
                f"{_MOST_PARALLEL_MIB} MiB for them: at most {_MOST_PARALLEL_MIB // each_mib:.0f} of "
                f"{transfer['size']} bytes each",
            )
        together: list[TransferPlan] = []
        for number in range(1, count + 1):
            each = transfer.copy()
            each["id"] = f"{transfer['id']}-{number}of{count}"
            each["name"] = f"{transfer['name']}, {number} of {count}"
            each["group"] = transfer["id"]
            together.append(each)
        return together

    def _transfer(self, index: int, line: str, measurement: Fetch | Upload | Replay | Evade) -> TransferPlan:
        timing: _Timing = {
            "at_s": measurement.at, "timeout_s": measurement.timeout, "line": line, "role": measurement.role,
        }  # fmt: skip
        if measurement.pause:
            timing["pause_s"] = measurement.pause
        if (measurement.ip or self._scenario.ip) == IPV6:
            timing["ip"] = IPV6
        head = _head(line, index)
        if isinstance(measurement, Fetch):
            asked = "fetch" if measurement.address_of is None else "address_of"
            self._check_name(("measurements", index, asked), measurement.address_of or measurement.fetch)
            check_fetch(index, measurement, self._scenario.origins, self._places)
            return self._fetched(head, index, measurement, timing)
        if isinstance(measurement, Upload):
            self._check_name(("measurements", index, "upload"), measurement.upload)
            check_upload(index, measurement, self._scenario.origins, self._places)
            return _uploaded(head, measurement, timing)
        if isinstance(measurement, Evade):
            return self._evaded(head, index, measurement, timing)
        return self._replayed(head, index, measurement, timing)

    def _fetched(self, head: str, index: int, measurement: Fetch, timing: _Timing) -> FetchTransfer | CurlTransfer:
        if measurement.client == "curl":
            self._check_curl(index, measurement)
            return {"kind": "curl", **_object(head, measurement), **_spoken(measurement), **timing}
        spoken, reader = _spoken(measurement), _reader(measurement)
        return {"kind": "fetch", **_object(head, measurement), **spoken, **reader, **timing}

    def _check_curl(self, index: int, measurement: Fetch) -> None:
        for key in _MEASURING_CLIENT:
            if getattr(measurement, key) is not None:
                raise self._places.error(
                    ("measurements", index, key), f"curl cannot do this; remove it, or 'client: curl' ({_WHO_CAN})"
                )

    def _replayed(self, head: str, index: int, measurement: Replay, timing: _Timing) -> ReplayTransfer:
        recording = next((each for each in self._scenario.recordings if each.name == measurement.replay), None)
        if recording is None:
            known = ", ".join(each.name for each in self._scenario.recordings) or "none"
            raise self._places.error(
                ("measurements", index, "replay"),
                f"no recording {measurement.replay!r} in this scenario (there: {known})",
            )
        variant = "inverted" if measurement.inverted else "original"
        return {
            "id": f"{head}-{recording.name}-{measurement.direction}-{variant}",
            "name": f"replay {recording.name}, {measurement.direction}, {variant}", "kind": "replay",
            # Inverted bits show no name: that is what makes the replay a control.
            "sni": None if measurement.inverted else recording.sni, "direction": measurement.direction,
            "recording": f"{recording.name}.json", "inverted": measurement.inverted, **timing,
        }  # fmt: skip

    def _evaded(self, head: str, index: int, measurement: Evade, timing: _Timing) -> EvadeTransfer:
        key = ("measurements", index)
        if measurement.evade not in EVASIONS:
            raise self._places.error(
                (*key, "evade"), f"no evasion {measurement.evade!r} (there: {', '.join(EVASIONS)})"
            )
        try:
            evasion = read_options(EVASIONS[measurement.evade], measurement.options)
        except OptionError as error:
            raise self._places.error((*key, "options", error.option), error.problem) from error
        given = ", ".join(f"{name} {value}" for name, value in measurement.options.items())
        return {
            "id": f"{head}-{measurement.evade}",
            "name": f"{measurement.evade} ({given})" if given else measurement.evade, "kind": "evade",
            "sni": measurement.sni, "direction": "download", "evasion": measurement.evade,
            "options": known_options(evasion), "size": measurement.size, "published": measurement.published, **timing,
        }  # fmt: skip

    def _check_name(self, key: Key, name: str) -> None:
        if name not in self._names:
            raise self._places.error(key, f"no origin serves {name}; add it to an origin's 'serves'")

    def _client(self, key: Key, line: str) -> str:
        try:
            return self._topology.client_of(line)
        except KeyError:
            known = ", ".join(each.name for each in self._scenario.lines)
            raise self._places.error(key, f"no line {line!r} (there: {known})") from None


def connection_mib(size: int) -> float:
    """Return what a connection beside others takes of the guest's memory: a process, and what came over the wire."""
    return CLIENT_MIB + COPIES_IN_FLIGHT * size / (1 << 20)


def _origin(origin: Origin, objects: dict[str, int], uploads: dict[str, str]) -> OriginPlan:
    plan: OriginPlan = {"names": origin.serves, "objects": objects}
    # What is not said has no key: nginx serves an origin of which nothing is.
    if origin.rate is not None:
        plan["rate_bps"] = origin.rate
    if origin.think is not None:
        plan["think_s"] = origin.think
    if origin.send_buffer is not None:
        plan["send_buffer"] = origin.send_buffer
    if origin.pacing is not None:
        plan["pacing_bps"] = origin.pacing
    if uploads:
        plan["uploads"] = uploads
    if newer := [each for each in origin.protocols if each != "http/1.1"]:
        plan["protocols"] = newer
    return plan


def _object(head: str, measurement: Fetch) -> _Object:
    return {
        "id": f"{head}-{measurement.fetch}", "name": _name(measurement.fetch, measurement), "sni": measurement.fetch,
        "direction": "download", "path": _object_path(measurement.size),
        "size": measurement.size * (measurement.objects or 1),
    }  # fmt: skip


def _name(name: str, measurement: Fetch | Upload) -> str:
    """Return what a transfer is called in tables: by server and protocol, too, where these are not the usual ones."""
    usual = measurement.protocol == "http/1.1"
    if isinstance(measurement, Fetch) and measurement.address_of is not None:
        name = f"{name} at {measurement.address_of}"
    return name if usual else f"{name}, {measurement.protocol.upper()}"


def _head(line: str, index: int) -> str:
    return f"{line}/{index + 1:02}"


def _upload_id(head: str, measurement: Upload) -> str:
    return f"{head}-upload-{measurement.upload}"


def _upload_path(transfer: str) -> str:
    return f"/upload/{transfer}"


def _uploaded(head: str, measurement: Upload, timing: _Timing) -> UploadTransfer:
    own = _upload_id(head, measurement)
    return {
        "kind": "upload", "id": own, "name": f"upload {_name(measurement.upload, measurement)}",
        "sni": measurement.upload, "direction": "upload", "path": _upload_path(own), "size": measurement.size,
        **_spoken(measurement), **timing,
    }  # fmt: skip


def _reader(measurement: Fetch) -> _Connection:
    reader: _Connection = {} if measurement.address_of is None else {"address_of": measurement.address_of}
    if measurement.receive_buffer is not None:
        reader["receive_buffer"] = measurement.receive_buffer
    if measurement.reading is not None:
        reader["reading_bps"] = measurement.reading
    if measurement.objects is not None and measurement.objects > 1:
        reader["objects"] = measurement.objects
    return reader


def _spoken(measurement: Fetch | Upload) -> _Spoken:
    return {} if measurement.protocol == "http/1.1" else {"protocol": measurement.protocol}


def _recorded(recording: Recording) -> RecordTransfer:
    return {
        "id": f"{recording.line}/record-{recording.name}", "line": recording.line, "kind": "record",
        "sni": recording.sni, "name": f"record {recording.name}", "role": "recording", "direction": "download",
        "path": _object_path(recording.size), "size": recording.size, "recording": f"{recording.name}.json",
        "inverted": False, "at_s": 0.0, "timeout_s": _RECORDING_TIMEOUT_S,
    }  # fmt: skip


def _object_path(size: int) -> str:
    return f"/{size}.bin"
