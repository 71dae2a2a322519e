"""All detectors by name: those of the testbed, those of other packages, and programs.

Another package registers one by an entry point of the group ``testbed.detectors``: its name is the detector's, its
value a class or function that takes no arguments and returns a detector. ``exec:PROGRAM`` names a program; see
`ExecDetector`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final

from testbed.detectors.detector import Detector
from testbed.detectors.foreign import foreign
from testbed.detectors.program import TIMEOUT_S, ExecDetector
from testbed.errors import InputError
from testbed.plain_text import choices

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "BUILT_IN",
    "ENTRY_POINTS",
    "PROGRAM_PREFIX",
    "detector_names",
    "is_packaged",
    "load_detector",
    "shadowed_packages",
]

ENTRY_POINTS: Final = "testbed.detectors"
PROGRAM_PREFIX: Final = "exec:"
# In the order of the literature, which is that of `testbed list detectors`. The names are all there is to register:
# `wehe-server` is the class `WeheServerDetector` in methods/wehe_server.py. A module is imported only when it is asked
# for, because scipy takes long to load.
BUILT_IN: Final = (
    "pd",
    "shaperprobe",
    "wehe",
    "wehe-server",
    "wehe-research",
    "wehe-2015",
    "wehe-population",
    "wehey",
    "glasnost",
    "diffprobe",
    "bbr-lt",
    "replay",
    "crowd",
    "ooni",
    "ooni-cusum",
    "anderson",
    "tcp-info",
    "signatures",
    "token-bucket",
    "cusum",
    "pelt",
    "bocpd",
    "joint",
)


def detector_names() -> tuple[str, ...]:
    """Return the names of all registered detectors: the testbed's in the order of the literature, then others'."""
    others = sorted({point.name for point in entry_points(group=ENTRY_POINTS)} - set(BUILT_IN))
    return (*BUILT_IN, *others)


def is_packaged(name: str) -> bool:
    """Return whether a detector of that name comes with the testbed."""
    return name in BUILT_IN


def shadowed_packages() -> list[str]:
    """Say which detectors of other packages are left out, for their names are taken."""
    return [
        f"the detector {point.name!r} of another package ({point.value}) is left out: that is a detector of the "
        "testbed's; register it under another name"
        for point in entry_points(group=ENTRY_POINTS)
        if point.name in BUILT_IN or point.name.startswith(PROGRAM_PREFIX)
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
    if name in BUILT_IN:
        return _load_built_in(name)
    for point in entry_points(group=ENTRY_POINTS, name=name):  # of two packages with one name, the first installed
        return _load_foreign(point.name, point.load)
    if name.startswith("run:"):
        raise InputError(
            f"{name}: a program that measures by itself needs a network to measure; testbed validate has one"
        )
    raise InputError(
        f"no detector is called {name!r}; {choices(name, detector_names())}; a program is given as exec:PROGRAM"
    )


def _load_built_in(name: str) -> Detector:
    words = name.split("-")
    module = import_module(f"testbed.detectors.methods.{'_'.join(words)}")
    found: object = getattr(module, f"{''.join(word.capitalize() for word in words)}Detector")()
    if not isinstance(found, Detector):
        raise TypeError(f"{module.__name__} holds no detector")
    return found


def _load_foreign(name: str, load: Callable[[], object]) -> Detector:
    try:
        with foreign():
            make = load()
            found = make() if callable(make) else make
    except Exception as error:  # whatever somebody else's code raises
        raise InputError(
            f"detector {name!r} of another package cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(found, Detector):
        raise InputError(f"detector {name!r} of another package has no name, summary and detect(observation)")
    return found
