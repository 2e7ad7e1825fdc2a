"""What tokens cost, and by which prompt-cache rule: `config/prices.yaml` by model pattern."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from fnmatch import translate
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self

import msgspec
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from policies.base.policy import Strict
from policies.base.terms import Terms
from policies.base.units import Duration, seconds
from policies.base.usage import Usage
from proxy.config.read import read
from proxy.errors import ConfigError
from proxy.simulation.rules import RuleName

_HERE = Path(__file__).parent
_MILLION = 1_000_000
_REMEMBERED = 1024  # models whose price is kept at hand


def shipped() -> Path:
    """The price file that comes with Penstock, installed or in a checkout."""
    installed = _HERE / "_config" / "prices.yaml"
    return installed if installed.exists() else _HERE.parent / "config" / "prices.yaml"


class Rates(msgspec.Struct, frozen=True, gc=False):
    """USD per million input and output tokens."""

    input: float
    output: float


class Price(msgspec.Struct, frozen=True):
    """One model's price and cache rule. `rates` None: the price is unknown.

    `read` and `write` multiply the input rate; `writes` has the write multiplier of each
    lifetime in seconds, of which `write` is the default one's. `minimum` and `granularity`
    in tokens, `lifetime` in seconds (None: not published). Requests whose prompt is longer
    than `longer_than` tokens pay `long_rates` throughout.
    """

    rule: RuleName = "none"
    rates: Rates | None = None
    read: float = 1.0
    write: float = 1.0
    writes: Mapping[float, float] = {}
    minimum: int = 0
    granularity: int = 1
    lifetime: float | None = None
    longer_than: int | None = None
    long_rates: Rates | None = None
    source: str = ""
    date: str = ""

    def rates_for(self, prompt: int) -> Rates | None:
        """The rates that a prompt of so many tokens pays."""
        if self.longer_than is not None and prompt > self.longer_than:
            return self.long_rates
        return self.rates

    def terms(self, backend: str = "", host: str = "") -> Terms:
        """What policies are told of it."""
        rates = self.rates
        return Terms(
            rule=self.rule,
            input=rates.input / _MILLION if rates else None,
            output=rates.output / _MILLION if rates else None,
            read=self.read,
            write=self.write,
            minimum=self.minimum,
            granularity=self.granularity,
            lifetime=self.lifetime,
            backend=backend,
            host=host,
        )

    def cost(self, usage: Usage) -> float | None:
        """USD for one exchange; None when the price is unknown."""
        rates = self.rates_for(usage.uncached + usage.read + usage.write)
        if rates is None:
            return None
        paid = usage.uncached + usage.read * self.read + usage.write * self.write
        return (paid * rates.input + usage.output * rates.output) / _MILLION

    def cost_parts(self, usage: Usage) -> tuple[float, float, float, float] | None:
        """USD by kind of token: uncached, read, write, output; None when unknown."""
        rates = self.rates_for(usage.uncached + usage.read + usage.write)
        if rates is None:
            return None
        token = rates.input / _MILLION
        return (
            usage.uncached * token,
            usage.read * self.read * token,
            usage.write * self.write * token,
            usage.output * rates.output / _MILLION,
        )

    def input_token(self, usage: Usage) -> float | None:
        """USD that one input token of this exchange cost on average, its cache mix included.

        What an edit took away is priced with this and not at the list price, since part of
        it would have been read from the provider's cache.
        """
        rates = self.rates_for(usage.input)
        if rates is None:
            return None
        if usage.input == 0:
            return rates.input / _MILLION
        paid = usage.uncached + usage.read * self.read + usage.write * self.write
        return paid / usage.input * rates.input / _MILLION


UNKNOWN = Price()


def _positive(writes: dict[str, float]) -> dict[str, float]:
    for lifetime, factor in writes.items():
        if not isinstance(seconds(lifetime), float) or factor < 0:
            raise ValueError(f"{lifetime}: {factor} is not a lifetime with a multiplier")
    return writes


def _day(value: Any) -> Any:
    return dt.date.fromisoformat(value) if isinstance(value, str) else value


Day = Annotated[dt.date, BeforeValidator(_day)]
Factor = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Writes = Annotated[dict[str, Factor], AfterValidator(_positive)]


class _Rule(Strict):
    minimum: Annotated[int, Field(ge=0)] = 0
    granularity: Annotated[int, Field(ge=1)] = 1
    lifetime: Duration | None = None
    write: Writes = Field(default_factory=dict)


class _Above(Strict):
    tokens: int = Field(gt=0)
    input: Factor
    output: Factor


class _Entry(Strict):
    match: Annotated[list[str], Field(min_length=1)]
    rule: RuleName
    input: Factor | None = None
    output: Factor | None = None
    read: Factor = 1.0
    above: _Above | None = None
    minimum: Annotated[int | None, Field(ge=0)] = None
    granularity: Annotated[int | None, Field(ge=1)] = None
    lifetime: Duration | None = None
    write: Writes | None = None
    until: Day | None = None
    source: Annotated[str, Field(min_length=1)]
    date: Day

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.input is None) != (self.output is None):
            raise ValueError("input and output stand together, or neither")
        if self.above is not None and self.input is None:
            raise ValueError("above needs input and output")
        return self

    def price(self, rule: _Rule) -> Price:
        """The entry over the defaults of its rule."""
        lifetime = rule.lifetime if self.lifetime is None else self.lifetime
        named = rule.write if self.write is None else self.write
        writes = {seconds(name): factor for name, factor in named.items()}
        first = next(iter(writes.values()), 1.0)
        base = None
        if self.input is not None and self.output is not None:
            base = Rates(self.input, self.output)
        return Price(
            rule=self.rule,
            rates=base,
            read=self.read,
            write=first if lifetime is None else writes.get(lifetime, first),
            writes=writes,
            minimum=rule.minimum if self.minimum is None else self.minimum,
            granularity=rule.granularity if self.granularity is None else self.granularity,
            lifetime=lifetime,
            longer_than=self.above.tokens if self.above else None,
            long_rates=Rates(self.above.input, self.above.output) if self.above else None,
            source=self.source,
            date=self.date.isoformat(),
        )


class _File(Strict):
    rules: dict[RuleName, _Rule] = Field(default_factory=dict)
    prices: list[_Entry] = Field(default_factory=list)


class Prices:
    """Prices by model name; the first pattern that matches wins."""

    def __init__(self, entries: Iterable[tuple[str, Price]]) -> None:
        """`entries`: `(glob in lower case, price)`, the special before the general."""
        self._entries = list(entries)
        self._known: dict[str, Price] = {}

    @classmethod
    def load(cls, *own: Path, today: dt.date | None = None) -> Prices:
        """The shipped prices, with those of the user's own files before them.

        Raises `ConfigError` with every problem of every file.
        """
        files: list[_File] = []
        problems: list[str] = []
        for path in (*own, shipped()):
            try:
                files.append(_read(path))
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(problems)
        rules: dict[RuleName, _Rule] = {}
        for file in reversed(files):
            rules.update(file.rules)
        day = today or dt.datetime.now(dt.UTC).date()
        return cls(
            (pattern.lower(), entry.price(rules.get(entry.rule, _Rule())))
            for file in files
            for entry in file.prices
            if entry.until is None or day <= entry.until
            for pattern in entry.match
        )

    @cached_property
    def _patterns(self) -> re.Pattern[str]:
        """All globs at once, each a group that captures nothing but says its number."""
        return re.compile("|".join(f"({translate(pattern)})" for pattern, _ in self._entries))

    def of(self, model: str) -> Price:
        """The price of a model, provider prefixes allowed; `UNKNOWN` when none matches."""
        price = self._known.get(model)
        if price is None:
            if len(self._known) >= _REMEMBERED:  # names come from clients: never without bound
                self._known.clear()
            price = self._known[model] = self._find(model)
        return price

    def _find(self, model: str) -> Price:
        if not self._entries:
            return UNKNOWN
        name = model.lower()[:256]
        tails = [name, *(name[at + 1 :] for at, char in enumerate(name) if char == "/")]
        found = [hit.lastindex for tail in tails if (hit := self._patterns.match(tail))]
        return self._entries[min(index for index in found if index) - 1][1] if found else UNKNOWN


def _read(path: Path) -> _File:
    """Parse and validate one file. Raises `ConfigError`."""
    try:
        document = read(path.read_bytes(), str(path), {})
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    problems = document.problems
    try:
        file = _File.model_validate(document.tree)
        if not problems:
            return file
    except ValidationError as error:
        problems += [
            document.source.problem(problem["loc"], _said(problem)) for problem in error.errors()
        ]
    raise ConfigError(document.source.lines(problems))


def _said(problem: Any) -> str:
    if problem["type"] == "missing":
        return f"'{problem['loc'][-1]}' is required"
    return str(problem["msg"]).removeprefix("Value error, ")
