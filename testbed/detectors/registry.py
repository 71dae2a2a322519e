"""All detectors by name: those of the testbed, those of other packages, and programs.

Another package registers one by an entry point of the group ``testbed.detectors``: its name is the detector's, its
value a class or function that takes no arguments and returns a detector. ``exec:PROGRAM`` names a program; see
`ExecDetector`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final, cast

from testbed.detectors.detector import Detector
from testbed.detectors.program import TIMEOUT_S, ExecDetector
from testbed.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ENTRY_POINTS", "PROGRAM_PREFIX", "detector_names", "is_packaged", "load_detector", "shadowed_packages"]

ENTRY_POINTS: Final = "testbed.detectors"
PROGRAM_PREFIX: Final = "exec:"
# imported when asked for: scipy and ruptures take long to load
_BUILT_IN: Final = {
    "pd": "pd:PolicingDetector",
    "shaperprobe": "shaperprobe:ShaperProbeDetector",
    "wehe": "wehe:client_detector",
    "wehe-server": "wehe:server_detector",
    "wehe-research": "wehe:research_detector",
    "wehe-2015": "wehe_2015:AreaDetector",
    "wehe-population": "wehe_population:PopulationDetector",
    "wehey": "wehey:WeheyDetector",
    "glasnost": "glasnost:GlasnostDetector",
    "diffprobe": "diffprobe:DiffProbeDetector",
    "bbr-lt": "bbr_lt:BbrDetector",
    "replay": "replay:ReplayDetector",
    "crowd": "crowd:CrowdDetector",
    "ooni": "ooni:OoniDetector",
    "ooni-cusum": "cusum:OoniCusumDetector",
    "anderson": "anderson:AndersonDetector",
    "tcp-info": "tcp_info:TcpInfoDetector",
    "signatures": "signatures:SignatureDetector",
    "token-bucket": "token_bucket:ConformanceDetector",
    "cusum": "cusum:CusumDetector",
    "pelt": "pelt:PeltDetector",
    "bocpd": "bocpd:BocpdDetector",
    "joint": "joint:JointDetector",
}


def detector_names() -> tuple[str, ...]:
    """Return the names of all registered detectors: the testbed's in the order of the literature, then others'."""
    others = sorted({point.name for point in entry_points(group=ENTRY_POINTS)} - set(_BUILT_IN))
    return (*_BUILT_IN, *others)


def is_packaged(name: str) -> bool:
    """Whether a detector of that name comes with the testbed."""
    return name in _BUILT_IN


def shadowed_packages() -> list[str]:
    """Say which detectors of other packages are left out, for their names are taken."""
    return [
        f"the detector {point.name!r} of another package ({point.value}) is left out: that is a detector of the "
        "testbed's; register it under another name"
        for point in entry_points(group=ENTRY_POINTS)
        if point.name in _BUILT_IN or point.name.startswith(PROGRAM_PREFIX)
    ]


def load_detector(name: str, *, timeout_s: float = TIMEOUT_S) -> Detector:
    """Return a detector by name, or a program given as ``exec:PROGRAM``.

    Args:
        name: Of the detector.
        timeout_s: Seconds that a program may take for one observation.

    Raises:
        InputError: There is none of that name, or it cannot be loaded, or it is no detector.
    """
    if name.startswith(PROGRAM_PREFIX):
        return ExecDetector(name.removeprefix(PROGRAM_PREFIX), timeout_s=timeout_s)
    if name in _BUILT_IN:
        module, _, attribute = _BUILT_IN[name].partition(":")
        make = cast("Callable[[], Detector]", getattr(import_module(f"testbed.detectors.methods.{module}"), attribute))
        return make()
    for point in entry_points(group=ENTRY_POINTS, name=name):
        return _load_foreign(point.name, point.load)
    raise InputError(
        f"no detector is called {name!r}; there are: {', '.join(detector_names())}; a program is given as exec:PROGRAM"
    )


def _load_foreign(name: str, load: Callable[[], object]) -> Detector:
    try:
        make = load()
        found = make() if callable(make) else make
    except Exception as error:  # whatever somebody else's code raises
        raise InputError(
            f"detector {name!r} of another package cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(found, Detector):
        raise InputError(f"detector {name!r} of another package has no name, summary and detect(observation)")
    return found
