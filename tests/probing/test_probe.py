"""Each probe finds what is configured, by what its client measures, also where that is not the default."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from testbed.cli import main
from testbed.cli.arguments import make_parser
from testbed.engine.run import run_plan
from testbed.errors import ScenarioError
from testbed.probing.check import ProbeResult, compare
from testbed.probing.probe import ProbeRequest, plan_probe, read_findings, read_names
from testbed.report.probes import probe_table
from testbed.scenario import library
from testbed.traffic.hello import hello_fields
from testbed.traffic.probes import PROBES

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.engine.kernel.cache import KernelInfo

ONE_LINE = "lines=[{name: mobile, kind: mobile, tspu: true}]"
Prober = Callable[..., ProbeResult]

# Section 6.2 of IMC 2021 and the Censored Planet report: what must not be damaged.
FIELDS_THAT_MATTER = {
    "TLS content type", "record length", "handshake type", "handshake length", "session ID length",
    "cipher suites length", "compression methods length", "extensions length", "server_name extension type",
    "server_name extension length", "name list length", "name type", "name length", "name",
}  # fmt: skip


def request(probe: str, **options: object) -> ProbeRequest:
    line, sni = options.pop("line", None), options.pop("sni", "twitter.com")
    assert line is None or isinstance(line, str)
    return ProbeRequest(probe=probe, line=line, sni=str(sni), options=options)


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory, kernel: KernelInfo) -> Prober:
    """Probe the first day with settings: ``probe("ttl", "network.parameters.hops=9", line="landline")``."""

    def run(name: str, *settings: str, **options: object) -> ProbeResult:
        lines = () if "line" in options else (ONE_LINE,)
        folder = tmp_path_factory.mktemp("probe") / "run"
        scenario = library.find("scenarios", "2021-03-10")
        plan = plan_probe(scenario, [*lines, *settings], request(name, **options), seed=None, engine="virtual")
        manifest = run_plan(plan, kernel, folder, silence_s=120, progress=lambda _: None)
        assert manifest["problems"] == []
        return compare(plan, read_findings(plan, folder))

    return run


@pytest.mark.parametrize(
    ("settings", "line", "hop"),
    [
        ([], "mobile", 3),
        (["network.parameters.box_after_hop=1"], "mobile", 1),
        (["network.parameters.box_after_hop=2"], "landline", 2),
        (["network.parameters.hops=9", "network.parameters.box_after_hop=8"], "mobile", 8),
    ],
)
def test_ttl_finds_the_hop(probe: Prober, settings: list[str], line: str, hop: int) -> None:
    result = probe("ttl", *settings, line=line)
    assert result.found["after_hop"] == hop
    assert (result.configured, result.agrees) == ({"after_hop": hop}, True)
    assert result.profiles == ("ru-tw-2021a",)


@pytest.mark.parametrize("profile", ["ru-2022-I", "ru-2022-II", "ru-2022-IV"])
def test_ttl_finds_boxes_that_block(probe: Prober, profile: str) -> None:
    result = probe("ttl", f"censors={{tspu: {profile}}}")
    assert (result.found["after_hop"], result.agrees) == (3, True)


def test_ttl_names_the_routers(probe: Prober) -> None:
    found = probe("ttl").found
    assert len(found["routers"]) == len(set(found["routers"])) == 10
    assert [each["router"] for each in found["tried"]] == found["routers"][:4]


def test_a_line_without_a_box_has_nothing_to_probe(probe: Prober) -> None:
    result = probe("ttl", line="rostelecom")
    assert not result.found["plain_held_back"]
    assert (result.configured, result.agrees) == (None, True)
    assert "nothing to probe" in probe_table(result)


@pytest.mark.parametrize(
    ("date", "free"),
    [
        ("2021-03-10T09:00Z", {"twitter.com.", "twimg.com", "facebook.com", "kremlin.ru"}),
        ("2021-03-20", {"twitter.com.", "reddit.com", "microsoft.com", "t.co.example.org", "www.t.co"}),
        ("2021-04-03", {"throttletwitter.com", "reddit.com", "t.co.example.org"}),
    ],
)
def test_domains_find_the_rules_of_the_day(probe: Prober, date: str, free: set[str]) -> None:
    result = probe("domains", f"date={date}")
    held_back = {each["name"] for each in result.found["names"] if each["held_back"]}
    assert {"twitter.com", "t.co", "abs.twimg.com", "garbage.twimg.com"} <= held_back
    assert not free & held_back
    assert result.agrees


def test_domains_take_names_of_ones_own(probe: Prober) -> None:
    result = probe("domains", names=["a.t.co.example", "example.com"])
    assert [(each["name"], each["held_back"]) for each in result.found["names"]] == [
        ("a.t.co.example", True),
        ("example.com", False),
    ]


def test_fields_are_the_published_ones(probe: Prober) -> None:
    result = probe("fields", "date=2021-03-20", sni="t.co")
    found = {each["field"] for each in result.found["fields"] if each["matters"]}
    assert found == FIELDS_THAT_MATTER
    whole = [each for each in result.found["fields"] if len(each["matters"]) == each["end"] - each["start"]]
    assert {each["field"] for each in whole} == FIELDS_THAT_MATTER
    assert result.agrees
    assert result.found["bytes"] == hello_fields("t.co", size=None)[-1].end


def test_fields_show_how_much_of_a_name_a_suffix_needs(probe: Prober) -> None:
    """*.googlevideo.com: what comes before is free to be anything."""
    name = "rr1.googlevideo.com"
    result = probe("fields", "censors={tspu: ru-yt-2024-tcp}", "date=2024-09-01", sni=name, line="landline")
    [field] = [each for each in result.found["fields"] if each["field"] == "name"]
    assert field["matters"] == list(range(field["end"] - len(".googlevideo.com"), field["end"]))
    assert result.agrees


def test_domains_find_what_another_box_of_the_line_blocks(probe: Prober, tmp_path: Path) -> None:
    own = tmp_path / "blocker.yaml"
    own.write_text(
        "name: blocker\nfamily: blocker\nbased_on: ru-2022-IV\nsummary: another list\n"
        "rules:\n  - {id: other, exact: [blocked.example], grade: assumption, source: ''}\n"
    )
    result = probe(
        "domains", f"censors={{tspu: ru-tw-2021a, blocker: {own}}}", names=["blocked.example", "free.example"]
    )
    assert [each["held_back"] for each in result.found["names"]] == [True, False]
    assert result.agrees


@pytest.mark.parametrize(("profile", "seconds"), [("ru-tw-2021a", 600), ("ru-tw-2022-III", 480), ("ru-2022-II", 420)])
def test_timeout_is_found_within_a_second(probe: Prober, profile: str, seconds: float) -> None:
    result = probe("timeout", f"censors={{tspu: {profile}}}")
    assert result.found["remembers_s"] <= seconds <= result.found["forgets_s"] + 0.1
    assert result.found["forgets_s"] - result.found["remembers_s"] <= 1
    assert result.agrees


def test_a_state_that_outlives_the_longest_wait_is_said_to(probe: Prober) -> None:
    result = probe("timeout", longest="300 s")
    assert (result.found["remembers_s"], result.found["forgets_s"]) == (300, None)
    assert result.agrees


def test_budget_is_a_range_over_many_flows(probe: Prober, tmp_path: Path) -> None:
    own = tmp_path / "narrow.yaml"
    own.write_text(
        "name: narrow\nfamily: narrow\nbased_on: ru-tw-2021a\nsummary: a narrow budget\n"
        "inspection:\n  budget_packets: {value: [2, 4], grade: assumption, source: ''}\n"
    )
    result = probe("budget", f"censors={{tspu: {own}}}", flows=5)
    assert [each["flows"] == each["read"] for each in result.found["steps"]] == [True, True, False, False, False]
    assert result.found["steps"][-1] == {"before": 5, "flows": 15, "read": 0}
    assert (result.found["always"], result.found["at_most"]) == (2, 4)
    assert (result.configured, result.agrees) == ({"budget_packets": [2, 4]}, True)


def test_symmetry_is_the_published_one(probe: Prober) -> None:
    result = probe("symmetry")
    assert {(each["opened_from"], each["hello_by"]): each["held_back"] for each in result.found["cases"]} == {
        ("inside", "client"): True,
        ("inside", "server"): True,
        ("outside", "client"): False,
        ("outside", "server"): False,
    }
    assert result.agrees


def test_symmetry_is_another_with_another_box(probe: Prober) -> None:
    """The boxes of 2022 read what the client sends."""
    result = probe("symmetry", "censors={tspu: ru-2022-I}")
    assert [each["held_back"] for each in result.found["cases"]] == [True, False, False, False]
    assert result.agrees


@pytest.mark.usefixtures("kernel")
def test_the_command_prints_the_table_or_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", "ttl", "2021-03-10", "-o", str(tmp_path / "text")]) == 0
    output = capsys.readouterr()
    assert "box between hops 3 and 4; configured: after hop 3" in output.out
    assert "running" in output.err
    assert main(["probe", "symmetry", "2021-03-10", "-o", str(tmp_path / "json"), "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert (plain["probe"], plain["line"], plain["valid"], plain["agrees"]) == ("symmetry", "mobile", True, True)
    assert len(plain["found"]["cases"]) == 4


def test_the_command_knows_every_probe() -> None:
    for name in PROBES:
        assert make_parser().parse_args(["probe", name, "2021-03-10"]).probe == name


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["ttl", "2021-03-10", "--line", "moon"], "--line moon: no such line in this scenario .there: mobile, "),
        (["ttl", "2021-03-10", "--option", "flows=3"], r"probe ttl: option flows: unknown option .known: most"),
        (["ttl", "2021-03-10", "--option", "flows"], "expected key=value"),
        (["budget", "2021-03-10", "--option", "flows=1000"], "flows: expected a whole number from 1 to 100"),
        (["timeout", "2021-03-10", "--option", "longest=600"], "longest: .*the unit is missing"),
        (["ttl", "2021-03-10", "--sni", "a b"], "--sni: expected a server name"),
        (["ttl", "2021-03-10", "--names", "x"], "takes no names"),
        (["domains", "2021-03-10", "--names", "/nowhere"], "cannot read /nowhere"),
        (["ttl", "2021-03-10", "--set", "replay_server=null"], "replay_server: "),
    ],
)
def test_bad_input_is_refused(arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", *arguments]) == 2
    assert re.search(expected, capsys.readouterr().err)


def test_names_are_read_with_comments_and_refused_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("# known\ntwitter.com\n\n t.co  # short\n")
    assert read_names(path) == ["twitter.com", "t.co"]
    for bad in ("two words", "caf\xe9.example", "x" * 254, "null\0byte"):
        path.write_text(f"twitter.com\n{bad}\n", encoding="latin-1")
        with pytest.raises(ScenarioError, match=r"names.txt:2: expected a server name"):
            read_names(path)
    path.write_bytes(b"a\n" * (1 << 20))
    with pytest.raises(ScenarioError, match="more than 1048576 bytes"):
        read_names(path)


def test_results_are_plain(probe: Prober) -> None:
    plain: dict[str, Any] = probe("symmetry").as_json()
    assert json.loads(json.dumps(plain)) == plain
