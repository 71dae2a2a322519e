"""Values that are drawn: ``uniform(5 ms, 80 ms)`` in place of a value, one draw a run, from the run's seed.

Each value has a generator of its own, seeded by the run's seed and the value's key. So a key that is added, or a list
that grows at its end, changes no other value; and the same seed draws the same values on every machine.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

from testbed.errors import ScenarioError
from testbed.quantities import nearest_possible, split_quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from testbed.scenario.document import Document, Key

__all__ = ["DISTRIBUTIONS", "Draw", "draw_many", "draw_values"]

_FORM = re.compile(r"\s*([a-z]+)\((.*)\)\s*", re.DOTALL)
_FREE_TEXT = {"title", "format", "seed"}  # at the top: these say what the scenario is, and are never drawn
_NOTE = "about"  # free text wherever it stands
_NS_PER_MS, _NS_PER_S = 1_000_000, 1_000_000_000
_MOST_REDRAWS = 1000
_WIDEST_SIGMA = 10  # two thirds of the draws then lie within nine decades, wider than anything in a network


@dataclass(frozen=True, slots=True)
class Draw:
    """A value that was drawn.

    Attributes:
        key: Dotted, as in errors.
        written: The distribution, as it stands in the scenario.
        value: What came of it, as it could have stood there.
    """

    key: str
    written: str
    value: str | int | float | bool


@dataclass(frozen=True, slots=True)
class _Numbers:
    """The arguments of a distribution: amounts in one unit, and how a draw is written down again."""

    amounts: tuple[float, ...]
    unit: str
    is_whole: bool

    def write(self, amount: float) -> str | int | float:
        match self.unit:
            case "bit/s" | "B":
                return f"{nearest_possible(Decimal(amount), self.unit):f} {self.unit}"
            # Six digits: a microsecond of an hour, and short enough to be read in a manifest.
            case "ns":
                if amount >= _NS_PER_S:
                    return f"{amount / _NS_PER_S:.6f} s"
                return f"{amount / _NS_PER_MS:.6f} ms"
            case "%":
                return f"{amount:.6f} %"
        return round(amount) if self.is_whole else float(f"{amount:.9g}")


def draw_values(document: Document, seed: int) -> list[Draw]:
    """Draw every value of a document that is written as a distribution, and put what was drawn in its place.

    Args:
        document: Changed in place; its keys keep their lines.
        seed: Of the run.

    Returns:
        What was drawn, in the order of the document.

    Raises:
        ScenarioError: All that cannot be drawn, each with file, line and key.
    """
    draws: list[Draw] = []
    problems: list[str] = []
    # All are tried before any error is told: a scenario with ten draws is mended in one go.
    for key, text, put in _places(document.data, ()):
        match = _FORM.fullmatch(text)
        if match is None or key[0] in _FREE_TEXT or key[-1] == _NOTE or _is_drawn_later(key):
            continue
        dotted = ".".join(map(str, key))
        try:
            value = _draw(match[1], match[2], Random(_seed_of(seed, dotted)))  # noqa: S311 - reproducible by design
        except ValueError as error:
            problems.append(document.describe(key, str(error)))
            continue
        put(value)
        draws.append(Draw(dotted, text.strip(), value))
    if problems:
        raise ScenarioError("\n".join(dict.fromkeys(problems)))
    return draws


def draw_many(written: str, seed: int, key: str, count: int) -> list[str | int | float | bool]:
    """Return so many draws from one distribution; of a plain value, the value again and again.

    Args:
        written: As it stands in a scenario.
        seed: Of the run.
        key: Dotted; it has draws of its own.
        count: How many.

    Raises:
        ValueError: It is no distribution, with what was expected.
    """
    match = _FORM.fullmatch(written)
    if match is None:
        return [written] * count
    random = Random(_seed_of(seed, key))  # noqa: S311 - reproducible by design
    return [_draw(match[1], match[2], random) for _ in range(count)]


def _is_drawn_later(key: Key) -> bool:
    """Return whether a value is drawn for each object anew, by `draw_many`."""
    return key[0] == "background" and key[-1] in {"size", "pause"}


def _places(value: object, key: Key) -> Iterator[tuple[Key, str, Callable[[object], None]]]:
    """Yield every text in plain data, with its key and a function that puts something in its place."""
    items: Iterator[tuple[str | int, object]]
    if isinstance(value, dict):
        items = iter(value.items())
    elif isinstance(value, list):
        items = iter(enumerate(value))
    else:
        return
    for name, each in list(items):  # a copy: what is drawn is put into what is walked through
        if isinstance(each, str):
            yield (*key, name), each, lambda new, name=name: value.__setitem__(name, new)  # type: ignore[misc]
        else:
            yield from _places(each, (*key, name))


def _seed_of(seed: int, key: str) -> int:
    return int.from_bytes(hashlib.sha256(f"draw {seed} {key}".encode()).digest()[:8], "big")


def _draw(name: str, arguments: str, random: Random) -> str | int | float | bool:
    if name == "choice":
        return _chosen(arguments, random)
    if name not in DISTRIBUTIONS:
        raise ValueError(f"unknown distribution {name!r}; expected one of choice, {', '.join(DISTRIBUTIONS)}")
    form, draw = DISTRIBUTIONS[name]
    words = [word.strip() for word in arguments.split(",")]
    if len(words) != form.count(",") + 1:
        raise ValueError(f"expected {name}({form}), got {name}({arguments})")
    numbers = _numbers(words, is_scale_plain=name == "lognormal")
    try:
        return numbers.write(draw(random, *numbers.amounts))
    except ValueError as error:
        raise ValueError(f"{name}({arguments}): {error}") from None
    except OverflowError:
        raise ValueError(f"{name}({arguments}): this draws numbers that are too large") from None


def _chosen(arguments: str, random: Random) -> str | int | float | bool:
    words = [word.strip() for word in arguments.split(",")]
    if not all(words):
        raise ValueError(f"expected values with commas between them, got choice({arguments})")
    if any(set(word) & set("()") for word in words):
        raise ValueError(f"expected plain values, and no distribution within another, got choice({arguments})")
    chosen = random.choice(words)
    if chosen in {"true", "false"}:
        return chosen == "true"
    try:
        return int(chosen)
    except ValueError:
        return chosen


def _numbers(words: list[str], *, is_scale_plain: bool) -> _Numbers:
    """Arguments in one unit, which zero need not have; the second one of a lognormal distribution has none."""
    split = [split_quantity(word) for word in words]
    scale = split[:1] if is_scale_plain else split
    unit = next((each for _, each in scale if each), "")
    for number, (word, (amount, own)) in enumerate(zip(words, split, strict=True)):
        if is_scale_plain and number and own:
            raise ValueError(f"expected a number without a unit, got {word!r}")
        if number < len(scale) and own != unit and (own or amount):
            like = next(each for each, (_, its) in zip(words, split, strict=True) if its == unit)
            raise ValueError(f"expected a number with a unit, as {like!r} has, got {word!r}")
    return _Numbers(tuple(float(amount) for amount, _ in split), unit, all("." not in word for word in words))


def _uniform(random: Random, least: float, most: float) -> float:
    if least > most:
        raise ValueError("the bounds are turned round")
    return random.uniform(least, most)


def _loguniform(random: Random, least: float, most: float) -> float:
    if not 0 < least <= most:
        raise ValueError("expected two bounds above zero, the smaller one first")
    return float(least * (most / least) ** random.random())


def _normal(random: Random, mean: float, deviation: float) -> float:
    """Never below zero: a draw that is, is drawn again."""
    for _ in range(_MOST_REDRAWS):
        # Cut by drawing again, not by taking zero: a lump of zeros would be another distribution.
        if (drawn := random.gauss(mean, deviation)) >= 0:
            return drawn
    raise ValueError("almost every draw is below zero")


def _lognormal(random: Random, median: float, sigma: float) -> float:
    if median <= 0:
        raise ValueError("expected a median above zero")
    if not 0 <= sigma <= _WIDEST_SIGMA:
        raise ValueError(f"expected a standard deviation of the logarithm from 0 to {_WIDEST_SIGMA}")
    return median * random.lognormvariate(0, sigma)


def _exponential(random: Random, mean: float) -> float:
    if mean <= 0:
        raise ValueError("expected a mean above zero")
    return random.expovariate(1 / mean)


DISTRIBUTIONS: dict[str, tuple[str, Callable[..., float]]] = {
    "uniform": ("least, most", _uniform),
    "loguniform": ("least, most", _loguniform),
    "normal": ("mean, standard deviation", _normal),
    "lognormal": ("median, standard deviation of the logarithm", _lognormal),
    "exponential": ("mean", _exponential),
}
"""What numbers can be drawn from, beside ``choice(a, b, …)``: the form of the arguments, and the draw."""
