"""Which names are acted on: one hello each (Xue et al., IMC 2021, section 6.3, did so with the Alexa top 100,000)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.quantities import Written
from testbed.traffic.evasion.names import in_one_packet
from testbed.traffic.hello import client_hello
from testbed.traffic.options import SERVER_NAME, option, server_name

if TYPE_CHECKING:
    from testbed.records.probes import DomainsFound
    from testbed.traffic.probes.trials import Trials

__all__ = ["KNOWN_NAMES", "MOST_NAMES", "Domains"]

MOST_NAMES = 10_000

# Named in the sources as throttled at some time, or as free: Censored Planet report, IMC 2021 appendix A.1,
# net4people/bbs issue 65.
KNOWN_NAMES = (
    "twitter.com", "www.twitter.com", "api.twitter.com", "mobile.twitter.com", "throttletwitter.com",
    "twitter.com.", "twitter.com.example.org", "t.co", "www.t.co", "t.co.example.org", "twimg.com", "abs.twimg.com",
    "pbs.twimg.com", "garbage.twimg.com", "pbs.twimg.com.example.org", "reddit.com", "microsoft.com", "rt.com",
    "githubusercontent.com", "championat.com", "rknsoset.com", "facebook.com", "vk.com", "kremlin.ru", "example.org",
)  # fmt: skip


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= MOST_NAMES:
        raise ValueError(f"expected a list of 1 to {MOST_NAMES} server names")
    return tuple(server_name(each) for each in value)


_NAMES = Written(_names, {"type": "array", "items": SERVER_NAME.schema, "minItems": 1, "maxItems": MOST_NAMES})


@dataclass(frozen=True, slots=True)
class Domains:
    """A sweep over a list."""

    names: tuple[str, ...] = option(KNOWN_NAMES, _NAMES, "the names to try")

    def run(self, trials: Trials) -> DomainsFound:
        """Send one hello for each name."""
        return {
            "names": [
                {"name": name, "held_back": trials.held_back(in_one_packet(client_hello(name)))} for name in self.names
            ]
        }
