"""What was measured, and the bars it is held to."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median

from overhead_load import Sample
from overhead_peers import BARE, DIRECT, LITELLM, PENSTOCK, PORTKEY, ROUTER
from overhead_streams import Streams

KB = 1024
HIT, MISS = "hit", "miss"


@dataclass(frozen=True, order=True)
class Scene:
    """One kind of load: cache `hit` or `miss`, the body's size in bytes, the connections."""

    kind: str
    size: int
    connections: int

    def __str__(self) -> str:
        """`miss 1 KB x 64`."""
        return f"{self.kind} {self.size // KB} KB x {self.connections}"


MISSES = tuple(Scene(MISS, size * KB, c) for size in (1, 10, 100) for c in (1, 64))
HITS = (Scene(HIT, 10 * KB, 64), Scene(HIT, 10 * KB, 1))


@dataclass
class Report:
    """Everything measured in one run; parts that were not asked for are empty.

    `loads` holds, by scene and target, one sample per round. Memory is MB of 10^6 bytes.
    """

    loads: dict[Scene, dict[str, list[Sample]]] = field(default_factory=dict)
    streams: dict[str, Streams] = field(default_factory=dict)
    flights: dict[str, int] = field(default_factory=dict)
    crowd: int = 0
    idle: dict[str, float] = field(default_factory=dict)
    start: dict[str, float] = field(default_factory=dict)
    soak: tuple[float, float, int, int] | None = None

    def typical(self, scene: Scene, target: str, figure: str) -> float | None:
        """The median over rounds of one figure of a sample, or None if it was not measured."""
        rounds = self.loads.get(scene, {}).get(target)
        return median(getattr(sample, figure) for sample in rounds) if rounds else None

    def ratio(self, scene: Scene, peer: str, peer_scene: Scene | None = None) -> float | None:
        """Penstock's throughput over a peer's: the median of the rounds' own ratios."""
        ours = self.loads.get(scene, {}).get(PENSTOCK)
        theirs = self.loads.get(peer_scene or scene, {}).get(peer)
        if not ours or not theirs:
            return None
        return median(a.rate / b.rate for a, b in zip(ours, theirs, strict=False))

    def later(self, scene: Scene, peer: str) -> float | None:
        """Penstock's p50 less a peer's, in microseconds: the median of the rounds' differences."""
        ours = self.loads.get(scene, {}).get(PENSTOCK)
        theirs = self.loads.get(scene, {}).get(peer)
        if not ours or not theirs:
            return None
        return median(a.p50 - b.p50 for a, b in zip(ours, theirs, strict=False))


@dataclass(frozen=True)
class Bar:
    """One requirement: `value` must be at least (`>=`) or at most (`<=`) `bound`, in `unit`."""

    what: str
    value: float
    sign: str
    bound: float
    unit: str
    aim: bool = False

    @property
    def met(self) -> bool:
        """Whether the value is on the right side of the bound."""
        return self.value >= self.bound if self.sign == ">=" else self.value <= self.bound


def bars(report: Report) -> list[Bar]:
    """The bars for which the report holds figures, in the order of the issue that set them."""
    return [*_throughput(report), *_latency(report), *_streams(report), *_footprint(report)]


def _throughput(report: Report) -> Iterator[Bar]:
    small = Scene(MISS, KB, 64)
    wanted = [
        (small, BARE, 1.2, False),
        (small, LITELLM, 100, False),
        (small, PORTKEY, 5, False),
        (small, ROUTER, 0.8, False),
        (small, ROUTER, 1.0, True),
        (Scene(HIT, 10 * KB, 64), BARE, 2, False),
        (Scene(MISS, 100 * KB, 64), BARE, 0.8, False),
        (Scene(MISS, 100 * KB, 1), BARE, 0.8, False),
    ]
    for scene, peer, bound, aim in wanted:
        ratio = report.ratio(scene, peer, Scene(MISS, scene.size, scene.connections))
        if ratio is not None:
            yield Bar(f"throughput, {scene}, over {peer}", ratio, ">=", bound, "x", aim)


def _latency(report: Report) -> Iterator[Bar]:
    alone = Scene(MISS, 10 * KB, 1)
    for peer, room, aim in ((BARE, 50, False), (ROUTER, 0, True)):
        later = report.later(alone, peer)
        if later is not None:
            yield Bar(f"p50, {alone}, less that of {peer}", later, "<=", room, "µs", aim)


def _streams(report: Report) -> Iterator[Bar]:
    if PENSTOCK not in report.streams or DIRECT not in report.streams:
        return
    ours, direct = report.streams[PENSTOCK], report.streams[DIRECT]
    yield Bar("stream, added per chunk", ours.burst - direct.burst, "<=", 20, "µs")
    yield Bar("stream, added to the first chunk", ours.first - direct.first, "<=", 300, "µs")


def _footprint(report: Report) -> Iterator[Bar]:
    for name, calls in report.flights.items():
        yield Bar(f"upstream calls, {report.crowd} identical {name}", calls, "<=", 1, "")
    if PENSTOCK in report.idle:
        yield Bar("idle memory", report.idle[PENSTOCK], "<=", 90, "MB")
    for name, bound in (("import proxy.app", 0.5), ("start to first answer", 1.5)):
        if name in report.start:
            yield Bar(name, report.start[name], "<=", bound, "s")
    if report.soak:
        before, after, early, late = report.soak
        what = f"memory after {late:,} requests over that after {early:,}"
        yield Bar(what, after / before, "<=", 1.15, "x", early < 20_000)
