"""What to do to the engine, and what came of it, as values.

Law: a result is well only when everything that was asked for really happened and nothing was lost.
"""

from dataclasses import asdict, dataclass, field

DEFAULT_KILLS, DEFAULT_ORDERS, DEFAULT_DROP_RATE, DEFAULT_SEED, DEFAULT_OUTAGE_S = 50, 10_000, 0.1, 7, 30.0
FAILED_RATE = 0.05
DEFAULT_JOBS = 40
# So many orders beyond what was asked for, while something that was asked for has not happened yet.
MORE_ORDERS = 500


@dataclass(frozen=True, slots=True)
class Plan:
    """How often the engine is killed, over how many orders, and how often the venue's answer gets lost.

    `drop_rate` is the share of order requests whose answer is lost after they were carried out, `failed_rate` the
    share of transactions that fail on chain. `outage_s` is how long database and Redis are away, each in turn;
    0 leaves that out. `jobs` is how many splits and conversions the chain must have done; 0 leaves baskets out.
    """

    kills: int = DEFAULT_KILLS
    orders: int = DEFAULT_ORDERS
    drop_rate: float = DEFAULT_DROP_RATE
    failed_rate: float = FAILED_RATE
    seed: int = DEFAULT_SEED
    outage_s: float = DEFAULT_OUTAGE_S
    jobs: int = DEFAULT_JOBS

    def enough(self, orders: int, drops: int, failed: int) -> bool:
        """A short trial goes on until its dice have brought at least one of each fault, but not for ever."""
        happened = (drops or not self.drop_rate) and (failed or not self.failed_rate)
        return orders >= self.orders and (bool(happened) or orders >= self.orders + MORE_ORDERS)


@dataclass(frozen=True, slots=True)
class Outage:
    """One server taken away. `placed` counts orders the venue took while it was gone, once there was time to notice;
    `resting` how many orders rested at the end of it.
    """

    what: str
    seconds: float
    placed: int
    resting: int
    recovery_s: float


@dataclass(slots=True)
class Result:
    """What `chaos --json` prints. Times in seconds. `baskets` are counted by how they ended, `baskets_taken_up` are
    those that went on after a kill, `baskets_to_look_at` how those ended that an operator is told of.
    """

    kills: int = 0
    orders: int = 0
    fills: int = 0
    duplicates: int = 0
    forgotten: int = 0
    ledger_mismatches: int = 0
    unknown_resolved: int = 0
    recovery_s_p95: float = 0.0
    drops_injected: int = 0
    kills_between_commit_and_ack: int = 0
    failed_settlements: int = 0
    outages: list[Outage] = field(default_factory=list)
    seconds: float = 0.0
    seed: int = 0
    jobs: int = 0
    jobs_failed: int = 0
    job_answers_lost: int = 0
    kills_with_a_job_under_way: int = 0
    baskets: dict[str, int] = field(default_factory=dict)
    baskets_taken_up: int = 0
    baskets_to_look_at: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def document(self) -> dict[str, object]:
        return asdict(self)

    def must_hit(self, plan: Plan) -> bool:
        """The next kill is the last one, and none has yet met an order that was not answered."""
        return self.kills + 1 == plan.kills and not self.kills_between_commit_and_ack

    def must_meet_a_job(self, plan: Plan) -> bool:
        """The same for a job on chain; the last kill but one, so that both can be met."""
        return bool(plan.jobs) and self.kills + 2 >= plan.kills and not self.kills_with_a_job_under_way

    def judge(self, plan: Plan) -> None:
        """Add what was asked for and did not happen: a test of nothing proves nothing."""
        wanted = (
            ("kills", plan.kills, self.kills),
            ("orders", plan.orders, self.orders),
            ("drops_injected", int(plan.drop_rate > 0), self.drops_injected),
            ("failed_settlements", int(plan.failed_rate > 0), self.failed_settlements),
            ("kills_between_commit_and_ack", int(plan.kills > 0), self.kills_between_commit_and_ack),
            ("jobs", plan.jobs, self.jobs),
            ("kills_with_a_job_under_way", int(plan.kills > 0 and plan.jobs > 0), self.kills_with_a_job_under_way),
        )
        self.problems += [f"{name}: {want} wanted, {got} happened" for name, want, got in wanted if got < want]


def p95(values: list[float]) -> float:
    """The 95th percentile by nearest rank; 0 for none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, -(-len(ordered) * 95 // 100) - 1)]
