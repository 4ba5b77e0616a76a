"""Which markets the sandbox lists: ids, ticks, fees, events, from a seed.

Its one law: a listing is a value; the same seed and count give the same listing on every machine.
"""

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from execution.sandbox.ladder import PRICE_ONE


class Generation(StrEnum):
    """The protocol generation, spelled as Gamma's `version`."""

    V1 = "v1"
    V2 = "v2"


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    kind: str
    rate: float
    rebate_rate: float


@dataclass(frozen=True, slots=True)
class MarketSpec:
    """What never changes about one market."""

    number: int
    condition_id: str
    asset_ids: tuple[str, str]
    question: str
    slug: str
    group_title: str
    question_id: str
    generation: Generation
    tick: int
    fair: int
    fees: FeeSchedule
    neg_risk: bool = False
    is_other: bool = False
    is_open: bool = True
    min_size: int = 5

    @property
    def market_id(self) -> str:
        return str(7_000_000 + self.number)

    @property
    def gamma_condition_id(self) -> str:
        """Gamma writes a v2 condition as 31 bytes, the CLOB pads it to 32."""
        return self.condition_id[:-2] if self.generation is Generation.V2 else self.condition_id


@dataclass(frozen=True, slots=True)
class EventSpec:
    """One event and its markets; a lone binary market is an event of one."""

    number: int
    title: str
    slug: str
    category: str
    markets: tuple[MarketSpec, ...]
    neg_risk_id: str = ""
    augmented: bool = False
    onchain_id: str = ""
    fee_bips: int = 0

    @property
    def event_id(self) -> str:
        return str(800_000 + self.number)

    @property
    def neg_risk(self) -> bool:
        return bool(self.neg_risk_id)

    @property
    def open_markets(self) -> tuple[MarketSpec, ...]:
        return tuple(market for market in self.markets if market.is_open)


CATEGORIES = {
    "Crypto": FeeSchedule("crypto", 0.07, 0.20),
    "Sports": FeeSchedule("sports", 0.05, 0.15),
    "Politics": FeeSchedule("politics", 0.04, 0.25),
    "Culture": FeeSchedule("culture", 0.05, 0.25),
}
BINARY_QUESTIONS = (
    ("Culture", "Will the lighthouse film win best picture?"),
    ("Crypto", "Will the reference coin close the month higher?"),
    ("Sports", "Will Harbour City win the cup final?"),
    ("Politics", "Will the harbour bill pass this session?"),
    ("Culture", "Will the observatory announce a new comet?"),
    ("Sports", "Will the sprint record fall this season?"),
)
CONTESTS = (
    ("Politics", "mayoral election", ("Ada North", "Bram South", "Cleo East", "Dion West")),
    ("Sports", "sailing league", ("Albatross", "Barnacle", "Cormorant", "Dolphin")),
    ("Culture", "song contest", ("Amber", "Birch", "Cedar", "Dogwood")),
)
GROUPS = ("binary", "contest", "binary_v2", "augmented", "fine", "fine_v2", "binary", "contest_v2")
FAIRS = {1: (5200,), 2: (6000, 4000), 3: (5000, 3100, 1900), 4: (4200, 2700, 1900, 1200)}


def hex_id(rng: Random, n_bytes: int = 32) -> str:
    return "0x" + rng.getrandbits(8 * n_bytes).to_bytes(n_bytes, "big").hex()


def token_pair(rng: Random) -> tuple[str, str]:
    """Two 77-digit CTF token ids: opaque, with no relation between them."""
    yes, no = (str(rng.randrange(10**76, 10**77)) for _ in range(2))
    return yes, no


def position_pair(module: int, base: int, arity: int, index: int) -> tuple[str, str, str]:
    """Condition id (padded to 32 bytes) and the two position ids of a v2 market."""
    condition = (module << 248) | (base << 120) | (arity << 104) | (index << 8)
    return f"0x{condition:064x}", str(condition), str(condition | 1)


class ListingBuilder:
    """Hands out market numbers while events are added one by one."""

    def __init__(self, seed: int, fee_bips: int = 0) -> None:
        self._rng = Random(f"listing:{seed}")
        self._fee_bips = fee_bips
        self._markets = 0
        self._used: dict[str, int] = {}
        self.events: list[EventSpec] = []

    def add(self, group: str, room: int) -> int:
        """Add the next event of a kind if it fits; returns how many tradable markets it brought."""
        generation = Generation.V2 if group.endswith("_v2") else Generation.V1
        kind = group.removesuffix("_v2")
        if kind in ("contest", "augmented"):
            if room < 3:
                return 0
            size = min(4, room) if kind == "contest" else 3
            self.events.append(self._contest(size, generation, augmented=kind == "augmented"))
        else:
            self.events.append(self._binary(generation, tick=10 if kind == "fine" else 100))
        return len(self.events[-1].open_markets)

    def _edition(self, text: str) -> tuple[int, str]:
        """The second time a text is used it is about the next round, so that no two questions are equal."""
        number = self._used[text] = self._used.get(text, 0) + 1
        return number, "" if number == 1 else f", round {number}"

    def _binary(self, generation: Generation, tick: int) -> EventSpec:
        rng = self._rng
        category, question = BINARY_QUESTIONS[self._used.get("binary", 0) % len(BINARY_QUESTIONS)]
        self._edition("binary")
        _, edition = self._edition(question)
        question = question.removesuffix("?") + edition + "?"
        fair = rng.randrange(3600, 6400, 100)
        fair_base = rng.getrandbits(128)
        market = self._market(question, "", generation, tick, fair, CATEGORIES[category], (1, fair_base, 0, 0))
        return EventSpec(len(self.events), question, slug_of(question), category, (market,))

    def _contest(self, size: int, generation: Generation, *, augmented: bool) -> EventSpec:
        rng = self._rng
        category, contest, names = CONTESTS[self._used.get("contest", 0) % len(CONTESTS)]
        self._edition("contest")
        _, edition = self._edition(contest)
        title = f"Winner of the {contest}{edition}"
        base = rng.getrandbits(128)
        prefix = hex_id(rng, 31)
        titles = [*names[: size - 1], "Other"] if augmented else list(names[:size])
        markets = [
            self._market(
                f"Will {name} win the {contest}{edition}?",
                name,
                generation,
                100,
                fair,
                CATEGORIES[category],
                (2, base, size, index),
                question_id=f"{prefix}{index:02x}",
                is_other=name == "Other",
            )
            for index, (name, fair) in enumerate(zip(titles, FAIRS[size], strict=True))
        ]
        if augmented:
            # A placeholder that may be named later: listed, but closed for trading.
            markets.append(
                self._market(
                    f"Will Person A win the {contest}{edition}?",
                    "Person A",
                    generation,
                    100,
                    PRICE_ONE // 100,
                    CATEGORIES[category],
                    (2, base, size, size),
                    question_id=f"{prefix}{size:02x}",
                    is_open=False,
                )
            )
        onchain = markets[0].condition_id[:60] + "000000" if generation is Generation.V2 else ""
        return EventSpec(
            len(self.events),
            title,
            slug_of(title),
            category,
            tuple(markets),
            f"{prefix}00",
            augmented,
            onchain,
            self._fee_bips if generation is Generation.V1 else 0,
        )

    def _market(
        self,
        question: str,
        group_title: str,
        generation: Generation,
        tick: int,
        fair: int,
        fees: FeeSchedule,
        position: tuple[int, int, int, int],
        *,
        question_id: str = "",
        is_other: bool = False,
        is_open: bool = True,
    ) -> MarketSpec:
        number, self._markets = self._markets, self._markets + 1
        if generation is Generation.V2:
            condition_id, *pair = position_pair(*position)
            asset_ids = (pair[0], pair[1])
        else:
            condition_id, asset_ids = hex_id(self._rng), token_pair(self._rng)
        return MarketSpec(
            number,
            condition_id,
            asset_ids,
            question,
            slug_of(question),
            group_title,
            question_id or hex_id(self._rng),
            generation,
            tick,
            fair,
            fees,
            neg_risk=bool(group_title),
            is_other=is_other,
            is_open=is_open,
        )


def slug_of(text: str) -> str:
    kept = "".join(letter if letter.isalnum() else " " for letter in text.lower())
    return "-".join(kept.split())


def build_listing(seed: int, markets: int, fee_bips: int = 0) -> tuple[EventSpec, ...]:
    """List events until the asked number of tradable markets is reached; `fee_bips` is the fee of a conversion."""
    if markets < 1:
        raise ValueError("a sandbox needs at least one market")
    builder, listed, turn = ListingBuilder(seed, fee_bips), 0, 0
    while listed < markets:
        listed += builder.add(GROUPS[turn % len(GROUPS)], markets - listed)
        turn += 1
    return tuple(builder.events)
