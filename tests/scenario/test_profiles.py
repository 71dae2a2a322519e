"""Censor profiles by name, by family and date, and from the user's own file."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from testbed.errors import ScenarioError
from testbed.middlebox.meters.token_bucket import TokenBucketSpec
from testbed.scenario import library, profiles
from testbed.scenario.document import Document
from testbed.scenario.profiles import load_family, load_profile, profile_for, read_graded, why_no_box

if TYPE_CHECKING:
    from pathlib import Path

FIRST_DAY = datetime(2021, 3, 10, 9, tzinfo=UTC)


@pytest.mark.parametrize("name", library.names("profiles"))
def test_every_packaged_profile_loads_with_its_evidence(name: str) -> None:
    loaded = load_profile(name)
    assert loaded.profile.name == name
    assert loaded.evidence


@pytest.mark.parametrize(
    ("instant", "line", "expected"),
    [
        ("2021-03-10T06:59Z", "mobile", None),
        ("2021-03-10T09:00Z", "mobile", "ru-tw-2021a"),
        ("2021-03-10T09:00Z", "landline", "ru-tw-2021a"),
        ("2021-03-11T09:00Z", "landline", "ru-tw-2021b"),
        ("2021-04-03T00:00Z", "landline", "ru-tw-2021c"),
        ("2021-05-18T00:00Z", "mobile", "ru-tw-2021d"),
        ("2021-05-18T00:00Z", "landline", None),
    ],
)
def test_date_and_line_select_the_profile_of_a_family(instant: str, line: str, expected: str | None) -> None:
    chosen = profile_for("ru-tw-2021", datetime.fromisoformat(instant), line)
    assert (chosen.profile.name if chosen else None) == expected


@pytest.mark.parametrize("name", ["ru-tw-2021c", "ru-tw-2021c.yaml"])
@pytest.mark.parametrize(
    ("instant", "is_there"),
    [
        ("1999-01-01T00:00Z", True),
        ("2021-05-17T13:39:59Z", True),
        ("2021-05-17T13:40Z", False),
        ("2030-01-01T00:00Z", False),
    ],
)
def test_a_profile_by_name_is_taken_whatever_the_date_until_its_end(name: str, instant: str, *, is_there: bool) -> None:
    chosen = profile_for(name, datetime.fromisoformat(instant), "mobile")
    assert (chosen is not None) is is_there
    assert chosen is None or chosen.profile.name == "ru-tw-2021c"


def test_the_end_of_a_users_own_profile_holds_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("based_on: ru-tw-2021a\n")
    assert profile_for(str(path), FIRST_DAY, "mobile") is not None
    later = datetime(2021, 3, 12, tzinfo=UTC)
    assert profile_for(str(path), later, "mobile") is None
    path.write_text("based_on: ru-tw-2021a\nvalid_until: null\n")
    assert profile_for(str(path), later, "mobile") is not None


@pytest.mark.parametrize(
    ("name", "instant", "line", "why"),
    [
        ("ru-tw-2021a", "2021-03-10T09:00Z", "mobile", None),
        ("ru-tw-2021a", "2021-03-12T09:00Z", "mobile", "the profile ru-tw-2021a ended at 2021-03-11T08:00:00Z"),
        (
            "ru-tw-2021",
            "2021-03-10T06:00Z",
            "mobile",
            "no profile of family ru-tw-2021 is valid at 2021-03-10T06:00:00",
        ),
        ("ru-tw-2021", "2021-06-01T00:00Z", "landline", "the profile ru-tw-2021d spares landline lines"),
        ("ru-yt-2024-tcp", "2024-09-01T00:00Z", "mobile", "the profile ru-yt-2024-tcp spares mobile lines"),
    ],
)
def test_a_line_without_a_box_says_why(name: str, instant: str, line: str, why: str | None) -> None:
    found = why_no_box(name, datetime.fromisoformat(instant), line)
    assert found is None if why is None else str(found).startswith(why)
    assert (profile_for(name, datetime.fromisoformat(instant), line) is None) is (found is not None)


def test_a_users_profile_has_its_own_name_and_family(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("based_on: ru-tw-2021b\n")
    assert (load_profile(str(path)).profile.name, load_profile(str(path)).profile.family) == ("mine", "mine")
    path.write_text("based_on: ru-tw-2021b\nname: theirs\n")
    assert (load_profile(str(path)).profile.name, load_profile(str(path)).profile.family) == ("theirs", "theirs")


def test_what_a_users_profile_is_based_on_counts_from_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deeper").mkdir()
    (tmp_path / "base.yaml").write_text("based_on: ru-tw-2021a\nsummary: the base\n")
    (tmp_path / "deeper/mine.yaml").write_text("based_on: ../base.yaml\n")
    monkeypatch.chdir("/")
    assert load_profile(str(tmp_path / "deeper/mine.yaml")).profile.summary == "the base"


@pytest.mark.parametrize(
    "address", ["10.0.0.1/8", "300.0.0.1", "twitter.com", "192.0.2.1/33", "2001:db8::/129", "010.0.0.1"]
)
def test_an_address_that_is_none_is_refused_with_its_line(tmp_path: Path, address: str) -> None:
    path = tmp_path / "mine.yaml"
    rule = f"{{id: a, address: ['192.0.2.1', '2001:db8::/32', '{address}'], grade: assumption}}"
    path.write_text(f"based_on: ru-tw-2021a\nrules:\n- {rule}\n")
    with pytest.raises(ScenarioError, match=re.escape(f"{path}:3: rules.0.address: ") + f".*{address}"):
        load_profile(str(path))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("ru-tw-2020", "no censor profile or family 'ru-tw-2020'; did you mean ru-tw-2021.*There are: .*ru-tw-2021a"),
        ("nosuch.yaml", "no profile 'nosuch.yaml'; there are: .*ru-tw-2021a"),
    ],
)
def test_an_unknown_profile_is_refused_with_those_that_there_are(name: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=problem):
        profile_for(name, FIRST_DAY, "mobile")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("colour: red\n", "{path}:2: colour: a value needs its grade and source"),
        ("meter:\n  token_bucket:\n    rate: {value: 140 kbit/s, grade: guess}\n", "rate: unknown grade 'guess'"),
        ("meter:\n  token_bucket:\n    rate: {value: fast, grade: assumption}\n", "{path}:4: meter.token_bucket."),
        ("placement:\n  hops: {value: 3, grade: assumption}\n", "{path}:3: placement.hops: unknown key"),
        ("rules:\n- 5\n", "{path}:3: rules.0"),
    ],
)  # fmt: skip
def test_an_error_in_the_users_own_profile_has_file_line_and_key(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("based_on: ru-tw-2021a\n" + text)
    with pytest.raises(ScenarioError, match=re.escape(problem.format(path=path))):
        load_profile(str(path))


def test_a_users_profile_changes_what_it_is_based_on(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("based_on: ru-tw-2021a\nmeter: {token_bucket: {rate: {value: 280 kbit/s, grade: assumption}}}\n")
    base, mine = load_profile("ru-tw-2021a").profile, load_profile(str(path)).profile
    assert mine.meter is not None
    assert mine.meter.spec == TokenBucketSpec(rate_bps=280_000, burst_bytes=16384)
    assert mine.rules == base.rules


def test_profiles_based_on_each_other_are_refused(tmp_path: Path) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text(f"based_on: {other}\n")
    other.write_text(f"based_on: {one}\n")
    with pytest.raises(ScenarioError, match="based on each other in a circle"):
        load_profile(str(one))


def test_an_unknown_basis_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nbased_on: nosuch\n")
    with pytest.raises(
        ScenarioError, match=re.escape(f"{path}:2: based_on: no profile 'nosuch'; there are: cn-line-2025, eco-degrade")
    ):
        load_profile(str(path))
    path.write_text("name: mine\nbased_on: [a, b]\n")
    with pytest.raises(ScenarioError, match=re.escape(f"{path}:2: based_on: expected the name or path of a profile")):
        load_profile(str(path))


def test_an_error_in_a_basis_has_the_line_of_its_own_file(tmp_path: Path) -> None:
    base, mine = tmp_path / "base.yaml", tmp_path / "mine.yaml"
    base.write_text("based_on: ru-tw-2021a\nflows:\n  table_size: {value: 0, grade: assumption}\n")
    mine.write_text("based_on: base.yaml\n\n\nflows:\n  idle_timeout: {value: soon, grade: assumption}\n")
    with pytest.raises(ScenarioError) as caught:
        load_profile(str(mine))
    assert str(caught.value).splitlines() == [
        f"{mine}:5: flows.idle_timeout: expected a duration such as '95 ms', got 'soon'",
        f"{base}:3: flows.table_size: expected a whole number from 1 to 10000000, got 0",
    ]


def test_what_replaces_a_section_has_its_own_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("based_on: ru-tw-2021a\nrules:\n- {id: a, exact: t.co, grade: assumption}\n- 5\n")
    with pytest.raises(ScenarioError, match=re.escape(f"{path}:4: rules.1: ")):
        load_profile(str(path))


def test_all_errors_of_a_file_are_told_at_once_but_no_endless_list(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("based_on: ru-tw-2021a\ngrade: assumption\n" + "".join(f"key{n}: 5\n" for n in range(20)))
    with pytest.raises(ScenarioError) as caught:
        load_profile(str(path))
    lines = str(caught.value).splitlines()
    assert lines[0].startswith(f"{path}:3: key0: unknown key")
    assert (len(lines), lines[-1]) == (9, "… and 12 more")


def test_a_file_with_a_grade_needs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "based_on: ru-tw-2021a\ngrade: assumption\nvalid_from: 2021-03-10T07:00:00Z\nvalid_until: null\n"
        "action: {kind: drop, after_packets: [0, 2]}\nmeter: null\n"
    )
    mine = load_profile(str(path))
    assert (mine.profile.action.kind, mine.profile.valid_from) == ("drop", "2021-03-10T07:00:00Z")
    graded = {each.key: each.grade for each in mine.evidence}
    assert (graded["action.after_packets"], graded["flows.idle_timeout"]) == ("assumption", "published")


def test_every_packaged_profile_is_found_in_the_family_that_it_says_when_it_is_read() -> None:
    read = {name: load_profile(name).profile.family for name in library.names("profiles")}
    assert {each.profile.name: family for family in set(read.values()) for each in load_family(family)} == read


def test_the_members_of_a_family_come_in_the_order_of_their_dates() -> None:
    names = [each.profile.name for each in load_family("ru-tw-2021")]
    assert names == ["ru-tw-2021a", "ru-tw-2021b", "ru-tw-2021c", "ru-tw-2021d"]
    assert load_family("ru-tw-2020") == []


def test_the_profile_in_the_how_to_can_be_used(tmp_path: Path) -> None:
    text = (library.folder("scenarios").parent / "docs/how-to/write-a-scenario.md").read_text()
    path = tmp_path / "my-censor.yaml"
    path.write_text(text.partition("```yaml\n")[2].partition("```")[0])
    mine = load_profile(str(path))
    assert (mine.profile.name, mine.profile.flows.idle_timeout_s) == ("my-censor", 120.0)
    assert mine.profile.meter is not None
    assert mine.profile.meter.spec == TokenBucketSpec(rate_bps=64_000, burst_bytes=16384)
    assert {each.key: each.grade for each in mine.evidence}["meter.token_bucket.rate"] == "assumption"


HOSTILE: list[tuple[str, bytes, str]] = [
    ("not text", b"summary: caf\xe9\n", "not YAML: unacceptable character #x00e9 at offset 52: "),
    ("binary", bytes(range(128, 256)), "not YAML: unacceptable character"),
    ("bomb", b"a: &a [x, x]\nb: [*a, *a]\n", "{path}:4: not YAML: an alias (*name) is not supported here"),
    ("a key twice", b"flows: {table_size: 1, table_size: 2}\n", "{path}:3: the key 'table_size' stands twice"),
    ("two documents", b"---\nsummary: x\n", "{path}:3: not YAML: but found another document"),
    ("deep", b"flows: " + b"{a: " * 500 + b"1" + b"}" * 500 + b"\n", "nested too deeply"),
    ("code", b"summary: !!python/object/apply:os.system ['id']\n", "{path}:3: not YAML: could not determine"),
    ("a key that is a number", b"443: x\n", "{path}:3: 443: unknown key"),
    ("a key that is a list", b"? [a, b]\n: x\n", "{path}:3: not YAML: found unhashable key"),
    ("a kind that is a list", b"action: {kind: [drop]}\n", "{path}:3: action.kind: unknown value ['drop']; expected"),
    (
        "a kind that is true",
        b"action: {kind: yes}\n",
        "{path}:3: action.kind: unknown value True; expected one of block",
    ),
    ("a huge number", b"flows: {table_size: 0x" + b"f" * 5000 + b"}\n", "{path}:3: flows.table_size: expected a whole"),
    ("an exponent", b"flows: {idle_timeout: 1e5 s}\n", "{path}:3: flows.idle_timeout: expected a duration such as"),
    ("base 60", b"flows: {idle_timeout: 1:30}\n", "{path}:3: flows.idle_timeout: expected a duration such as '95 ms'"),
    ("no value", b"flows: {idle_timeout: {note: x}}\n", "{path}:3: flows.idle_timeout: expected a duration"),
    (
        "a grade alone",
        b"flows: {idle_timeout: {grade: assumption}}\n",
        "{path}:3: flows.idle_timeout: its value is miss",
    ),
    (
        "a value of a value",
        b"flows: {idle_timeout: {value: {value: 5 s}}}\n",
        "{path}:3: flows.idle_timeout: expected a ",
    ),
    ("a day", b"valid_from: 2021-03-10\n", "{path}:3: valid_from: '2021-03-10' has no time zone; write Z for UTC"),
    ("a name that is a number", b"name: 5\n", "{path}:3: name: expected text, got 5"),
    ("rules that are one", b"rules: {id: a, exact: t.co}\n", "{path}:3: rules: expected a list, got"),
    ("a rule that is null", b"rules: [null]\n", "{path}:3: rules.0: expected a mapping, got None"),
    ("a long address", b"rules: [{id: a, address: '" + b"1" * 999 + b"'}]\n", "{path}:3: rules.0.address: '11111"),
    (
        "a deep expression",
        b"rules: [{id: a, regex: '" + b"(" * 2000 + b")" * 2000 + b"'}]\n",
        "{path}:3: rules.0.regex: ",
    ),
    (
        "all meters gone",
        b"meter: {token_bucket: null, coarse_refill: null}\n",
        "{path}:3: meter.token_bucket: missing:",
    ),
    ("the meter gone", b"meter: {token_bucket: null}\n", "ru-tw-2021a.yaml:50: meter.kind: token_bucket is not descr"),
    ("a set", b"trigger: {ports: !!set {443, 80}}\n", "{path}:3: trigger.ports: expected a list, whole numbers"),
    ("half a character", b'action: {page: "\\ud800"}\n', "{path}:3: not YAML: half of a surrogate pair stands here"),
]


@pytest.mark.parametrize(
    ("text", "problem"), [(text, said) for _, text, said in HOSTILE], ids=[each[0] for each in HOSTILE]
)
def test_hostile_files_are_refused_precisely(tmp_path: Path, text: bytes, problem: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"based_on: ru-tw-2021a\ngrade: assumption\n" + text)
    with pytest.raises(ScenarioError, match=re.escape(problem.format(path=path))) as caught:
        load_profile(str(path))
    assert len(str(caught.value)) < 1000


def test_a_basis_of_a_name_too_long_for_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"based_on: {'x' * 5000}.yaml\n")
    with pytest.raises(ScenarioError, match=re.escape(f"{path}:1: based_on: no profile 'xxx")):
        load_profile(str(path))


def test_an_old_key_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "based_on: tele2-3g-up\ngrade: assumption\nmeter:\n  shaper: null\n  token_bucket: {rate_bps: 8, burst: 9 B}\n"
    )
    with pytest.raises(ScenarioError) as caught:
        load_profile(str(path))
    told = str(caught.value)
    assert told.count("\n") == 0
    assert told.endswith(
        "meter.token_bucket.rate_bps: it is called rate now, and its value has a unit: rate: {value: 140 kbit/s, …}"
    )


def test_what_profiles_are_based_on_is_read_once_and_shared_by_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    read: list[str] = []
    load = Document.load.__func__  # type: ignore[attr-defined]

    def noted(cls: type[Document], path: Path) -> Document:
        read.append(path.name)
        found: Document = load(cls, path)
        return found

    profiles._packaged_basis.cache_clear()
    monkeypatch.setattr(Document, "load", classmethod(noted))
    for number in range(3):
        (tmp_path / f"{number}.yaml").write_text(
            f"based_on: ru-tw-2021c\ngrade: assumption\nsource: none\nsummary: number {number}\n"
        )
    found = [load_profile(str(tmp_path / f"{number}.yaml")).plain for number in range(3)]
    assert [name for name in read if name.startswith("ru-tw")] == sorted(
        {name for name in read if name.startswith("ru-tw")}, key=read.index
    )
    assert [each["summary"] for each in found] == ["number 0", "number 1", "number 2"]
    first, second = (read_graded("ru-tw-2021c").data for _ in range(2))
    first["rules"].clear()
    assert second["rules"]
    assert read_graded("ru-tw-2021d").data["rules"]
