"""A YAML document that remembers where each value stands, so that an error can name file and line."""

from __future__ import annotations

import contextlib
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from testbed.errors import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from testbed.scenario.draws import Draw

__all__ = ["Document", "Key", "Source"]

Key = tuple[str | int, ...]
_MAX_BYTES = 1 << 20  # the largest scenario that makes sense, eighty lines, has 6 kB
_ASSIGNMENT = re.compile(r"([A-Za-z0-9_.-]+)=(.*)", re.DOTALL)


class Source(NamedTuple):
    """What an item of an expanded list stands for. It is kept beside the document, where no key of a user's can be it.

    Attributes:
        item: Its number in the list as it was written.
        nth: Which of its repetitions it is.
        begins_s, ends_s: The round of a schedule that it is in, seconds since the start of the run.
    """

    item: int
    nth: int = 0
    begins_s: float = 0.0
    ends_s: float = math.inf


@dataclass(slots=True)
class Document:
    """Plain data, the place of each key, and which values were drawn (`testbed.scenario.draws`)."""

    name: str
    data: dict[str, Any]
    places: dict[Key, str] = field(default_factory=dict)
    drawn: list[Draw] = field(default_factory=list)
    sources: dict[str, list[Source]] = field(default_factory=dict)  # of a list that was expanded: of each item

    @classmethod
    def load(cls, path: Path) -> Document:
        """Read a file with a safe loader.

        Raises:
            ScenarioError: Unreadable, not YAML, not a mapping, a key twice, an alias.
        """
        try:
            text = path.read_bytes()
        except OSError as error:
            raise ScenarioError(f"cannot read {path}: {error.strerror}") from error
        if len(text) > _MAX_BYTES:
            raise ScenarioError(f"{path} has {len(text)} bytes; at most {_MAX_BYTES} are read")
        return cls.parse(str(path), text)

    @classmethod
    def parse(cls, name: str, text: bytes | str) -> Document:
        """As ``load``, from text."""
        document = cls(name, {})
        with _refusals(name):
            loader = _Loader(text)
            node = loader.get_single_node()
            if not isinstance(node, yaml.MappingNode):
                raise ScenarioError(f"{name}:1: expected a mapping of keys to values")
            document._note(node, ())
            document.data = loader.construct_document(node)
        return document

    def _note(self, node: yaml.Node, key: Key) -> None:
        place = f"{self.name}:{node.start_mark.line + 1}"
        self.places[key] = place
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for name_node, value in node.value:
                name = str(name_node.value)
                if name in seen:
                    raise ScenarioError(f"{self.name}:{name_node.start_mark.line + 1}: the key {name!r} stands twice")
                seen.add(name)
                self._note(value, (*key, name))
                # A mapping or list is said to stand where its key does, not on the line below, where its first item is.
                self.places[*key, name] = f"{self.name}:{name_node.start_mark.line + 1}"
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self._note(value, (*key, index))

    def written(self, key: Sequence[str | int]) -> Key:
        """Return the key as it was written, of an item that now stands for one of several."""
        match tuple(key):
            case (str(listed), int(index), *rest) if listed in self.sources and index < len(self.sources[listed]):
                return (listed, self.sources[listed][index].item, *rest)
        return tuple(key)

    def place(self, key: Sequence[str | int]) -> str:
        """Return where a key stands, or the nearest one around it: ``file:line``. The key is as it was written."""
        known = tuple(key)
        while known and known not in self.places:
            # YAML makes a number of a key that is written as one; places go by what is written.
            spelt = (*known[:-1], str(known[-1]))
            if spelt in self.places:
                return self.places[spelt]
            known = known[:-1]
        return self.places.get(known, self.name)

    def describe(self, key: Sequence[str | int], problem: str) -> str:
        """Return what is wrong with a key, with its file, line and name, all as they were written."""
        written = self.written(key)
        named = f"{'.'.join(map(str, written))}: " if written else ""
        return f"{self.place(written)}: {named}{problem}"

    def error(self, key: Sequence[str | int], problem: str) -> ScenarioError:
        """Return the error that something is wrong with a key."""
        return ScenarioError(self.describe(key, problem))

    def set(self, assignment: str) -> None:
        """Carry out ``key.path=value``; the value is YAML.

        Raises:
            ScenarioError: Not of that form, or the path leads through something that is no mapping or list.
        """
        match = _ASSIGNMENT.fullmatch(assignment)
        if match is None:
            raise ScenarioError(f"--set {assignment!r}: expected key=value, as in date=2021-03-11T09:00Z")
        path, text = match.groups()
        with _refusals(f"--set {assignment!r}"):
            value = _Loader(text).get_single_data()
        *parents, last = path.split(".")
        target: Any = self.data
        key: Key = ()
        for name in parents:
            step = _step(target, name, assignment)
            key = (*key, step)
            if isinstance(target, dict) and target.get(step) is None:  # --set may begin a mapping that is not there
                target[step] = {}
                self.places[key] = f"--set {assignment}"
            target = target[step]
        step = _step(target, last, assignment)
        target[step] = value
        key = (*key, step)
        # Whatever stood below the key in the file stands nowhere any more: an error there is one of this setting.
        self.places = {known: place for known, place in self.places.items() if known[: len(key)] != key}
        self.places[key] = f"--set {assignment}"


_WHOLE = re.compile(r"[-+]?(0b[0-1_]+|0[0-7_]+|0|[1-9][0-9_]{0,30}|0x[0-9a-fA-F_]+)")
_FRACTION = re.compile(
    r"[-+]?([0-9][0-9_]{0,30}\.[0-9_]{0,30}([eE][-+][0-9]{1,3})?|\.[0-9]{1,30}|\.(inf|Inf|INF))|\.(nan|NaN|NAN)"
)


def _without_base_60(tag: str, pattern: re.Pattern[str]) -> re.Pattern[str]:
    """PyYAML's pattern for a kind of scalar, or ours for numbers."""
    ours = {"tag:yaml.org,2002:int": _WHOLE, "tag:yaml.org,2002:float": _FRACTION}
    return re.compile(rf"(?:{ours[tag].pattern})$") if tag in ours else pattern


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader; every refusal names its line."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            problem = "an alias (*name) is not supported here; write the value out"
            raise yaml.MarkedYAMLError(None, None, problem, self.peek_event().start_mark)  # type: ignore[no-untyped-call]
        return super().compose_node(parent, index)

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> str:
        """As PyYAML's; half a surrogate pair is no text that could be written down again."""
        value: str = super().construct_scalar(node)
        if any("\ud800" <= character <= "\udfff" for character in value):
            problem = "half of a surrogate pair stands here; write the character itself"
            raise yaml.MarkedYAMLError(None, None, problem, node.start_mark)
        return value

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:  # noqa: FBT001, FBT002 - PyYAML's signature
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, LookupError, AttributeError) as error:  # whatever comes of a value that is not of its tag
            problem = f"{node.value!r} is no {node.tag.split(':')[-1]}: {error}"
            raise yaml.MarkedYAMLError(None, None, problem, node.start_mark) from error


# YAML 1.1 reads 1:30 as a number to the base of 60, and a long enough one for ever. Here it is text.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, _without_base_60(tag, pattern)) for tag, pattern in resolvers]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@contextlib.contextmanager
def _refusals(name: str) -> Iterator[None]:
    """Turn what the loader says into an error with its place."""
    try:
        yield
    except yaml.reader.ReaderError as error:
        character = error.character if isinstance(error.character, int) else ord(error.character)
        problem = f"unacceptable character #x{character:04x} at offset {error.position}: {error.reason}"
        raise ScenarioError(f"{name}: not YAML: {problem}; expected text in UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        raise ScenarioError(f"{where}: not YAML: {getattr(error, 'problem', None) or error}") from error
    except RecursionError as error:
        raise ScenarioError(f"{name}: nested too deeply") from error


def _step(target: object, name: str, assignment: str) -> str | int:
    if isinstance(target, dict):
        return name
    if isinstance(target, list) and name.isdecimal() and int(name) < len(target):
        return int(name)
    size = f"a list of {len(target)}" if isinstance(target, list) else f"the value {target!r}"
    raise ScenarioError(f"--set {assignment!r}: {name!r} does not lead anywhere in {size}")
