"""One access line at work: its transfers one after the other, each in the words of the plan.

Runs in a child process inside the client's network namespace. What it measures goes to measurements.jsonl; a transfer
that fails is a result, not an error.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from testbed.errors import GuestError
from testbed.guest import on_demand
from testbed.guest.child import fork
from testbed.guest.stage import IPV4, IPV6
from testbed.records.jsonl import LineWriter
from testbed.traffic.connection import TransferError
from testbed.traffic.curl import curl
from testbed.traffic.evasion import EVASIONS
from testbed.traffic.fetch import fetch, upload
from testbed.traffic.log import FOR_EVER, TransferLog
from testbed.traffic.near_end import NearEnd
from testbed.traffic.options import with_options
from testbed.traffic.probes import PROBES, Trials
from testbed.traffic.replay import announce_to, load_variant, replay
from testbed.traffic.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from testbed.guest.background import Cues
    from testbed.records.messages import TransferMessage
    from testbed.records.plan import (
        EvadeTransfer,
        FetchTransfer,
        ProbeTransfer,
        RecordTransfer,
        ReplayTransfer,
        TransferPlan,
        UploadTransfer,
    )

__all__ = ["LineClient", "load_ahead"]

_CLIENT_PORT = 20_000  # below the range that Linux takes ports from (32768 on): no other connection has one of these
HTTPS = 443
_UPLOADS = {None: upload, "http/2": on_demand.upload_http2, "http/3": on_demand.upload_http3}


def load_ahead(transfers: Iterable[TransferPlan]) -> None:
    """Load what some transfers will need. To read a file moves the clock on: later, it would move their packets too."""
    for transfer in transfers:
        if transfer["kind"] == "evade":
            EVASIONS[transfer["evasion"]]
        elif transfer["kind"] == "probe":
            PROBES[transfer["probe"]]
        elif transfer["kind"] in {"fetch", "upload"} and "protocol" in transfer:
            on_demand.load_client(transfer["protocol"])


@dataclass(frozen=True, slots=True)
class LineClient:
    """What a line's transfers need to know.

    Attributes:
        address: Of the client, by IP version.
        names: DNS name to address, by IP version.
        start_ns: Start of the run.
        output: The run directory as the guest sees it.
        ca: Certificate authority, PEM.
        replay_server: Address by IP version (none where the scenario has none), and the Unix socket that takes
            announcements.
        progress: File descriptor that a line of JSON is written to before and after each transfer.
        patience_s: Byte counts are written when they are so old: somebody may watch a run in real time.
        cues: By which background traffic that stands beside a transfer is told of it; None: there is none.
    """

    address: dict[int, str]
    names: dict[int, dict[str, str]]
    start_ns: int
    output: Path
    ca: Path
    replay_server: tuple[dict[int, str], Path]
    progress: int
    patience_s: float = FOR_EVER
    cues: Cues | None = None

    def run(self, transfers: list[TransferPlan]) -> int:
        """Do the transfers in order; return 0."""
        writer = LineWriter(self.output / "measurements.jsonl")
        number = 0
        for _, group in groupby(transfers, lambda each: each.get("group", each["id"])):
            together = list(group)
            pause_s = together[0].get("pause_s", 0.0)
            if number and pause_s:  # even a sleep of no time costs virtual time
                time.sleep(pause_s)
            self._wait_until(together[0]["at_s"] - self._lead_s(together[0]))
            if self.cues is not None:
                self.cues.begin(each["id"] for each in together)
            if len(together) == 1:
                self._measure(together[0], number, writer)
            else:
                self._measure_side_by_side(together, number, writer)
            number += len(together)
        writer.close()
        return 0

    def _measure_side_by_side(self, transfers: list[TransferPlan], number: int, writer: LineWriter) -> None:
        """Make each transfer in a process of its own, and wait for all of them."""

        def body(nth: int, transfer: TransferPlan) -> Callable[[], int]:
            def measure() -> int:
                self._measure(transfer, number + nth, writer)
                return 0

            return measure

        children = [fork(body(nth, transfer)) for nth, transfer in enumerate(transfers)]
        for child in children:
            _, status = os.waitpid(child, 0)
            if status:
                raise GuestError(f"one of {len(children)} connections ended with wait status {status}")

    def _measure(self, transfer: TransferPlan, number: int, writer: LineWriter) -> None:
        self._report("begins", transfer["id"])
        log = TransferLog(
            writer, transfer=transfer["id"], side="client", start_ns=self.start_ns, patience_s=self.patience_s
        )
        error = None
        try:
            self._do(transfer, number, log, writer)
        except TransferError as failure:  # a result: a censor may well be the cause
            error = str(failure)
        log.event("finished", ok=error is None, error=error)
        if self.cues is not None:
            self.cues.end(transfer["id"])
        self._report("ends", transfer["id"])

    def _lead_s(self, transfer: TransferPlan) -> float:
        return 0.0 if self.cues is None else self.cues.lead_s.get(transfer["id"], 0.0)

    def _do(self, transfer: TransferPlan, number: int, log: TransferLog, writer: LineWriter) -> None:
        # The kinds are compared one by one, not matched: so a type checker knows which keys a transfer has.
        if transfer["kind"] == "fetch":
            self._fetch(transfer, log)
        elif transfer["kind"] == "upload":
            send = _UPLOADS[transfer.get("protocol")]
            send(self._request(transfer), log, size=transfer["size"])
        elif transfer["kind"] == "record":
            fetch(self._request(transfer), log).save(self.output / "recordings" / transfer["recording"])
        elif transfer["kind"] == "curl":
            url = f"https://{transfer['sni']}{transfer['path']}"
            # Where there is IPv4 alone, curl need not be told.
            ip = _ip(transfer) if IPV6 in self.names else None
            curl(
                url, ca=self.ca, key_log=self._key_log, timeout_s=transfer["timeout_s"], log=log, ip=ip,
                is_http2="protocol" in transfer,
            )  # fmt: skip
        elif transfer["kind"] == "replay":
            self._replay(transfer, number, log)
        elif transfer["kind"] == "evade":
            self._evade(transfer, number, log)
        elif transfer["kind"] == "probe":
            self._probe(transfer, log, writer)

    @property
    def _key_log(self) -> Path:
        return self.output / "tls-secrets.txt"

    def _request(self, transfer: FetchTransfer | RecordTransfer | UploadTransfer, *, at: str | None = None) -> Request:
        return Request(
            host=transfer["sni"],
            address=(self._resolve(at or transfer["sni"], transfer), HTTPS),
            path=transfer["path"],
            ca=self.ca,
            key_log=self._key_log,
            timeout_s=transfer["timeout_s"],
        )

    def _fetch(self, transfer: FetchTransfer, log: TransferLog) -> None:
        request = replace(
            self._request(transfer, at=transfer.get("address_of")),
            receive_buffer=transfer.get("receive_buffer"),
            reading_bps=transfer.get("reading_bps"),
            objects=transfer.get("objects", 1),
        )
        if "protocol" not in transfer:
            fetch(request, log, keeps=False)
        elif transfer["protocol"] == "http/3":
            on_demand.fetch_http3(request, log)
        else:
            on_demand.fetch_http2(request, log)

    def _evade(self, transfer: EvadeTransfer, number: int, log: TransferLog) -> None:
        self._near_end(_ip(transfer)).hold(
            with_options(EVASIONS[transfer["evasion"]], transfer["options"]).passage(transfer["sni"]),
            transfer=transfer["id"],
            port=_CLIENT_PORT + number,
            size=transfer["size"],
            timeout_s=transfer["timeout_s"],
            log=log,
        )

    def _probe(self, transfer: ProbeTransfer, log: TransferLog, writer: LineWriter) -> None:
        """Hold a probe's conversations, each logged as a transfer of its own, and log what was found."""

        def begin(number: int) -> tuple[str, TransferLog]:
            own = f"{transfer['id']}#{number + 1}"
            self._report("begins", own)
            return own, TransferLog(
                writer, transfer=own, side="client", start_ns=self.start_ns, patience_s=self.patience_s
            )

        trials = Trials(
            self._near_end(_ip(transfer)),
            name=transfer["sni"],
            size=transfer["size"],
            timeout_s=transfer["timeout_s"],
            first_port=_CLIENT_PORT,
            begin=begin,
        )
        log.event("started")
        calibration = trials.calibrate()
        found: Mapping[str, object] = {}
        if calibration["plain_held_back"]:
            found = with_options(PROBES[transfer["probe"]], transfer["options"]).run(trials)
        log.event("found", conversations=trials.count, **calibration, **found)

    def _near_end(self, ip: int) -> NearEnd:
        server, control = self._far_end(ip)
        return NearEnd(
            address=self.address[ip],
            far=server,
            announce=lambda port, order: announce_to(control, self.address[ip], order)(port),
        )

    def _far_end(self, ip: int) -> tuple[str, Path]:
        server, control = self.replay_server
        if ip not in server:
            raise TransferError("the scenario has no replay server")
        return server[ip], control

    def _replay(self, transfer: ReplayTransfer, number: int, log: TransferLog) -> None:
        path = self.output / "recordings" / transfer["recording"]
        if not path.exists():
            raise TransferError(f"the recording {transfer['recording']} was not made")
        variant = load_variant(path, direction=transfer["direction"], inverted=transfer["inverted"])
        server, control = self._far_end(_ip(transfer))
        replay(
            variant,
            server,
            announce=announce_to(control, self.address[_ip(transfer)], transfer),
            local_port=_CLIENT_PORT + number,
            timeout_s=transfer["timeout_s"],
            log=log,
            count="down" if transfer["direction"] == "download" else "none",
        )

    def _resolve(self, name: str, transfer: TransferPlan) -> str:
        names = self.names[_ip(transfer)]
        if name not in names:
            raise TransferError(f"{name} has no address in this scenario")
        return names[name]

    def _wait_until(self, at_s: float) -> None:
        remaining = at_s - (time.time_ns() - self.start_ns) / 1e9
        if remaining > 0:
            time.sleep(remaining)

    def _report(self, state: Literal["begins", "ends"], transfer: str) -> None:
        t = (time.time_ns() - self.start_ns) / 1e9
        message: TransferMessage = {"kind": "transfer", "state": state, "transfer": transfer, "t": t}
        os.write(self.progress, json.dumps(message).encode() + b"\n")


def _ip(transfer: TransferPlan) -> int:
    """Return over which IP a transfer goes."""
    return transfer.get("ip", IPV4)
