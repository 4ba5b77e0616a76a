"""Rows for what we did: plans, orders, their events, fills, audits, jobs on chain, positions, lease, heartbeat.

Law: the order row with its signed payload is committed before the request leaves; event and audit tables are
append-only.
"""

from django.db import models
from django.db.models.functions import Now

from execution.domain.chain import ChainState, ChainVerb
from execution.domain.orders import OrderState
from execution.domain.postings import PostingKind
from markets.models import CASH, PRICE, SHARES, Market

ORDER_STATES = [(state.value, state.value) for state in OrderState]
CHAIN_STATES = [(state.value, state.value) for state in ChainState]


class Plan(models.Model):
    """One decision that was carried out. A repeated `plan_id` places nothing twice."""

    plan_id = models.CharField(max_length=64, unique=True)
    strategy = models.CharField(max_length=16, db_index=True)
    market = models.ForeignKey(Market, null=True, blank=True, on_delete=models.PROTECT, related_name="plans")
    trace = models.TextField(blank=True, help_text="Steps of the decision, as JSON.")
    decided_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.plan_id


class Order(models.Model):
    """One order for its whole life. `order_id` is the EIP-712 hash, which is the venue's own id."""

    client_order_id = models.BigIntegerField(unique=True)
    order_id = models.CharField(max_length=66, unique=True)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="orders")
    market = models.ForeignKey(Market, on_delete=models.PROTECT, related_name="orders")
    asset_id = models.CharField(max_length=80)
    outcome = models.CharField(max_length=8, help_text="YES or NO")
    side = models.CharField(max_length=4)
    price = models.DecimalField(**PRICE)
    size = models.DecimalField(**SHARES)
    filled = models.DecimalField(**SHARES, default=0)
    order_type = models.CharField(max_length=4)
    post_only = models.BooleanField()
    state = models.CharField(max_length=16, choices=ORDER_STATES)
    relayer = models.CharField(max_length=16)
    dry_run = models.BooleanField(default=False)
    payload = models.TextField(help_text="The signed request body, exactly as sent.")
    fencing_token = models.BigIntegerField()
    detail = models.CharField(max_length=500, blank=True, help_text="Newest answer or reason.")
    decided_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [
            models.Index(fields=["market", "state"], name="order_by_market_state"),
            models.Index(fields=["state", "updated_at"], name="order_by_state_updated"),
            models.Index(fields=["-created_at"], name="order_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.size} @ {self.price} {self.order_id[:10]}"


class OrderEvent(models.Model):
    """Append-only: one transition of one order."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="events")
    event = models.CharField(max_length=24)
    before = models.CharField(max_length=16, blank=True)
    after = models.CharField(max_length=16)
    detail = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.pk}: {self.before} -> {self.after}"


class Fill(models.Model):
    """One execution of one of our orders; (trade, order, bucket) makes it idempotent."""

    trade_id = models.CharField(max_length=80)
    bucket = models.PositiveIntegerField(default=0)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="fills")
    market = models.ForeignKey(Market, on_delete=models.PROTECT, related_name="fills")
    asset_id = models.CharField(max_length=80)
    outcome = models.CharField(max_length=8)
    side = models.CharField(max_length=4)
    price = models.DecimalField(**PRICE)
    size = models.DecimalField(**SHARES)
    fee = models.DecimalField(**CASH, default=0)
    maker = models.BooleanField()
    status = models.CharField(max_length=12)
    relayer = models.CharField(max_length=16)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["trade_id", "order", "bucket"], name="fill_once_per_trade_order_bucket")
        ]
        indexes = [
            models.Index(fields=["market", "at"], name="fill_by_market_at"),
            models.Index(fields=["-at"], name="fill_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.trade_id}/{self.bucket}"


class Posting(models.Model):
    """Append-only: one leg of what moved the money and was no fill. Legs of one posting share its id and reason.

    A leg without a token is cash alone; `kind` says whose.
    """

    posting_id = models.CharField(max_length=80)
    leg = models.PositiveSmallIntegerField(default=0)
    kind = models.CharField(max_length=32, choices=[(kind.value, kind.value) for kind in PostingKind])
    relayer = models.CharField(max_length=16)
    market = models.ForeignKey(Market, null=True, blank=True, on_delete=models.PROTECT, related_name="postings")
    asset_id = models.CharField(max_length=80, blank=True)
    shares = models.DecimalField(**SHARES, default=0, help_text="Shares that came in; negative left.")
    cash = models.DecimalField(**CASH, default=0, help_text="pUSD that came in; negative left.")
    reason = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["relayer", "posting_id", "leg"], name="posting_once_per_relayer_and_leg")
        ]
        indexes = [models.Index(fields=["relayer", "at"], name="posting_by_relayer_at")]

    def __str__(self) -> str:
        return f"{self.kind} {self.posting_id}/{self.leg}"


class ExecAudit(models.Model):
    """Append-only: one request to the relayer and what came of it. Durations in microseconds."""

    request_id = models.CharField(max_length=64, unique=True)
    plan = models.ForeignKey(Plan, null=True, blank=True, on_delete=models.PROTECT, related_name="audits")
    action = models.CharField(max_length=16, help_text="place, resend, cancel, cancel_all or chain")
    relayer = models.CharField(max_length=16)
    dry_run = models.BooleanField(default=False)
    orders = models.PositiveIntegerField()
    accepted = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    unknown = models.PositiveIntegerField(default=0)
    decision_us = models.PositiveIntegerField(default=0, help_text="Newest input to decision.")
    gate_us = models.PositiveIntegerField(default=0, help_text="The gate's judgement, part of what follows.")
    queue_us = models.PositiveIntegerField(
        default=0, help_text="Decision to the hands picking it up, the gate included."
    )
    sign_us = models.PositiveIntegerField(default=0)
    journal_us = models.PositiveIntegerField(default=0)
    call_us = models.PositiveIntegerField(default=0, help_text="Request out to its acknowledgement in.")
    answer = models.TextField(blank=True)
    error = models.CharField(max_length=64, blank=True)
    reason = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.action} {self.request_id}"


class PositionSnapshot(models.Model):
    """Newest holdings of one market as the engine's ledger has them; the row is overwritten, fills are the history."""

    market = models.OneToOneField(Market, on_delete=models.CASCADE, related_name="position")
    yes = models.DecimalField(**SHARES, default=0)
    no = models.DecimalField(**SHARES, default=0)
    yes_cost = models.DecimalField(**CASH, default=0)
    no_cost = models.DecimalField(**CASH, default=0)
    realised = models.DecimalField(**CASH, default=0)
    unrealised = models.DecimalField(**CASH, default=0)
    fees = models.DecimalField(**CASH, default=0)
    mark = models.DecimalField(**PRICE, null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"position of {self.market_id}"


class MarketState(models.Model):
    """What the engine last showed of one market: book top, our quotes, position, trust, and why it quotes or not.

    Overwritten about once a second while it changes; pages and commands in other processes read it.
    """

    market = models.OneToOneField(Market, on_delete=models.CASCADE, related_name="state")
    at = models.DateTimeField()
    state = models.CharField(max_length=16, help_text="quoting, idle or watching")
    reason = models.CharField(max_length=200, blank=True)
    trust = models.CharField(max_length=16)
    view = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"{self.market_id}: {self.state}"


class PnlPoint(models.Model):
    """Append-only: profit and inventory every few seconds, for the charts. `market` empty is the whole account."""

    market = models.ForeignKey(Market, null=True, blank=True, on_delete=models.CASCADE, related_name="pnl_points")
    at = models.DateTimeField()
    pnl = models.DecimalField(**CASH)
    net_yes = models.DecimalField(**SHARES, default=0)

    class Meta:
        indexes = [models.Index(fields=["market", "at"], name="pnl_by_market_at")]

    def __str__(self) -> str:
        return f"{self.market_id or 'all'} {self.at:%F %T}"


class ReconcileReport(models.Model):
    """One comparison of our open orders and positions with the venue's."""

    at = models.DateTimeField(db_default=Now(), db_index=True)
    source = models.CharField(max_length=16, help_text="start, engine, task or cli")
    relayer = models.CharField(max_length=16)
    available = models.BooleanField(help_text="False: the venue could not be read, nothing was concluded.")

    def __str__(self) -> str:
        return f"reconcile {self.at:%F %T}"


class ReconcileCorrection(models.Model):
    """Append-only: one thing a comparison found, and why it is one."""

    report = models.ForeignKey(ReconcileReport, on_delete=models.CASCADE, related_name="corrections")
    kind = models.CharField(max_length=64)
    client_order_id = models.BigIntegerField(default=0, help_text="Our order it is about; 0: none of ours.")
    subject = models.CharField(max_length=100, help_text="Order id, trade id or token; or cash.")
    detail = models.CharField(max_length=500, help_text="The reason: what is there and what is here.")

    class Meta:
        indexes = [models.Index(fields=["subject"], name="correction_by_subject")]

    def __str__(self) -> str:
        return f"{self.pk}: {self.subject} {self.kind}"


class AllowanceReport(models.Model):
    """What the wallet has approved, against what trading needs. Reported, never sent."""

    at = models.DateTimeField(db_default=Now(), db_index=True)
    wallet = models.CharField(max_length=42, blank=True)
    available = models.BooleanField()
    missing = models.PositiveSmallIntegerField(default=0)
    rows = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"allowances {self.at:%F %T}"


class AccountOpening(models.Model):
    """What an account held when an engine first traded it: the ledger counts from here, and fills from `at` on."""

    relayer = models.CharField(max_length=16)
    wallet = models.CharField(max_length=42, help_text="Holds the money; checksummed.")
    venue = models.CharField(max_length=200, help_text="The address of its CLOB.")
    cash = models.DecimalField(**CASH)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["relayer", "wallet", "venue"], name="account_opened_once"),
        ]

    def __str__(self) -> str:
        return f"opening of {self.wallet} at {self.venue}"


class EngineLease(models.Model):
    """Who may sign for this wallet. `token` only ever grows: a holder with an older one is refused by the signer."""

    name = models.CharField(max_length=64, primary_key=True)
    token = models.BigIntegerField(default=0)
    holder = models.CharField(max_length=128, blank=True)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"lease {self.name} #{self.token}"


class EngineStatus(models.Model):
    """The engine's heartbeat: one row per lease, overwritten about once a second, read by every face."""

    name = models.CharField(max_length=64, primary_key=True)
    token = models.BigIntegerField()
    state = models.CharField(max_length=16)
    relayer = models.CharField(max_length=16)
    dry_run = models.BooleanField(default=False)
    started_at = models.DateTimeField()
    beat_at = models.DateTimeField()
    change_seen = models.PositiveBigIntegerField(default=0, help_text="Newest change counter in force.")
    summary = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = "engine status"

    def __str__(self) -> str:
        return f"engine {self.name}: {self.state}"


class ChainJob(models.Model):
    """One split, merge or conversion for its whole life. (plan, step) is done once, whatever is asked how often."""

    job_id = models.CharField(max_length=80, unique=True)
    plan_id = models.CharField(max_length=64, help_text="The basket it belongs to.")
    step = models.PositiveSmallIntegerField()
    verb = models.CharField(max_length=16, choices=[(verb.value, verb.value) for verb in ChainVerb])
    event_id = models.CharField(max_length=80)
    condition_ids = models.JSONField(default=list, help_text="The markets it names, in the order of the call.")
    amount = models.DecimalField(**SHARES)
    effects = models.JSONField(help_text="The posting that is booked when it is confirmed, in 1e-6.")
    why = models.CharField(max_length=200, blank=True)
    trace = models.TextField(blank=True, help_text="The basket that asked for it, with its first job, as JSON.")
    state = models.CharField(max_length=16, choices=CHAIN_STATES)
    relayer = models.CharField(max_length=16)
    dry_run = models.BooleanField(default=False)
    nonce = models.CharField(max_length=32, blank=True)
    payload = models.TextField(blank=True, help_text="The signed request body, exactly as sent.")
    transaction_id = models.CharField(max_length=80, blank=True, help_text="The relayer's own.")
    transaction_hash = models.CharField(max_length=66, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="How often it was sent.")
    detail = models.CharField(max_length=500, blank=True, help_text="Newest answer or reason.")
    fencing_token = models.BigIntegerField()
    decided_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["plan_id", "step"], name="chain_job_once_per_plan_and_step")]
        indexes = [
            models.Index(fields=["relayer", "state"], name="chain_job_by_relayer_state"),
            models.Index(fields=["-created_at"], name="chain_job_newest"),
        ]

    def __str__(self) -> str:
        return self.job_id


class ChainJobEvent(models.Model):
    """Append-only: one step of one job on chain."""

    job = models.ForeignKey(ChainJob, on_delete=models.PROTECT, related_name="events")
    before = models.CharField(max_length=16)
    after = models.CharField(max_length=16)
    detail = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.pk}: {self.before} -> {self.after}"
