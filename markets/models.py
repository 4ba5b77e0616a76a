"""Rows for what the venue shows us, and the journal of what people change.

Law: metadata is upserted, never deleted; every operator write adds a `Change` and bumps the `ChangeCounter`
in the same transaction.
"""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from markets.domain.market import Generation

PRICE: dict[str, Any] = {"max_digits": 6, "decimal_places": 4}
SHARES: dict[str, Any] = {"max_digits": 18, "decimal_places": 6}
CASH: dict[str, Any] = {"max_digits": 20, "decimal_places": 6}


class Event(models.Model):
    """A Gamma event: one or several markets that resolve together."""

    gamma_id = models.CharField(max_length=32, unique=True)
    slug = models.CharField(max_length=255, blank=True)
    title = models.CharField(max_length=1024, blank=True)
    category = models.CharField(max_length=128, blank=True, db_index=True)
    neg_risk = models.BooleanField(default=False)
    augmented = models.BooleanField(default=False)
    complete = models.BooleanField(default=False, help_text="Every outcome of this neg-risk set is known and stored.")
    convert_fee_bps = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="What the neg-risk adapter keeps of a conversion; empty when not told."
    )
    closed = models.BooleanField(default=False)
    vanished_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.title or self.gamma_id


class Market(models.Model):
    """A binary market. Trading is off until an operator switches it on."""

    condition_id = models.CharField(max_length=80, unique=True)
    gamma_id = models.CharField(max_length=32, blank=True, db_index=True)
    event = models.ForeignKey(Event, null=True, blank=True, on_delete=models.PROTECT, related_name="markets")
    slug = models.CharField(max_length=255, blank=True)
    question = models.CharField(max_length=2048)
    group_title = models.CharField(max_length=512, blank=True)
    generation = models.CharField(
        max_length=2, blank=True, default="", choices=[(g.value, g.value or "unknown") for g in Generation]
    )
    tick_size = models.DecimalField(**PRICE, default="0.01")
    min_size = models.DecimalField(**SHARES, default="5")
    neg_risk = models.BooleanField(default=False)
    other = models.BooleanField(default=False, help_text="The catch-all outcome, or an unnamed placeholder.")
    active = models.BooleanField(default=False)
    closed = models.BooleanField(default=False)
    accepting_orders = models.BooleanField(default=False)
    delayed = models.BooleanField(default=False, help_text="The venue holds takers back before it matches them.")
    fee_rate = models.DecimalField(max_digits=6, decimal_places=4, default=0)
    fee_exponent = models.PositiveSmallIntegerField(default=1)
    fee_rebate = models.DecimalField(max_digits=6, decimal_places=4, default=0)
    fees_known = models.BooleanField(
        default=True, help_text="Off while fees are charged by a schedule the venue does not state."
    )
    rewards_min_size = models.DecimalField(**SHARES, default=0)
    rewards_max_spread = models.DecimalField(**PRICE, default=0, help_text="In pUSD per share.")
    rewards_daily = models.DecimalField(**CASH, default=0)
    volume_24h = models.DecimalField(**CASH, default=0)
    liquidity = models.DecimalField(**CASH, default=0)
    best_bid = models.DecimalField(**PRICE, null=True, blank=True)
    best_ask = models.DecimalField(**PRICE, null=True, blank=True)
    game_start = models.DateTimeField(null=True, blank=True)
    end_date = models.DateTimeField(null=True, blank=True)
    resolution_status = models.CharField(max_length=64, blank=True)
    rule_hash = models.CharField(max_length=64, blank=True)
    question_id = models.CharField(max_length=66, blank=True, help_text="Names the question on chain.")
    rules_pending = models.BooleanField(
        default=False, db_index=True, help_text="The rules changed and nobody has approved them yet: not quoted."
    )
    allow_other = models.BooleanField(
        default=False, help_text="An operator allows trading although this is a catch-all or placeholder outcome."
    )
    clob_terms = models.JSONField(null=True, blank=True, help_text="What the CLOB itself says of its terms.")
    clob_checked_at = models.DateTimeField(null=True, blank=True, help_text="When that last changed.")
    trading = models.BooleanField(default=False, db_index=True, help_text="The engine may quote this market.")
    watched = models.BooleanField(
        default=False, db_index=True, help_text="Subscribed and shown, but not quoted unless trading is on."
    )
    vanished_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [
            models.Index(fields=["closed", "-volume_24h"], name="market_open_by_volume"),
            models.Index(
                fields=["trading", "watched"],
                name="market_subscribed",
                condition=models.Q(trading=True) | models.Q(watched=True),
            ),
        ]

    def __str__(self) -> str:
        return self.question


class Outcome(models.Model):
    """One token of a market. `asset_id` is an opaque decimal string: token id (v1) or position id (v2)."""

    market = models.ForeignKey(Market, on_delete=models.CASCADE, related_name="outcomes")
    index = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=255)
    asset_id = models.CharField(max_length=80, unique=True)
    price = models.DecimalField(**PRICE, null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["market", "index"], name="outcome_once_per_market")]

    def __str__(self) -> str:
        return f"{self.name} ({self.asset_id[:8]}…)"


class RuleRevision(models.Model):
    """Append-only: the rules of a market at one time. Written when they change, and once for a subscribed market.

    `text` is the canonical JSON whose SHA-256 is `rule_hash`; `previous` is empty for a first sight.
    """

    market = models.ForeignKey(Market, on_delete=models.PROTECT, related_name="rule_revisions")
    at = models.DateTimeField(db_default=Now(), db_index=True)
    previous = models.CharField(max_length=64, blank=True)
    rule_hash = models.CharField(max_length=64)
    text = models.JSONField()

    class Meta:
        indexes = [models.Index(fields=["market", "-id"], name="rule_revision_newest")]

    def __str__(self) -> str:
        return f"{self.pk}: rules of {self.market_id}"


class MarketHistory(models.Model):
    """One thing seen of a market at a time. On PostgreSQL these tables are partitioned by day (migration 0005).

    The key is (id, at) there, which a partitioned table wants; to Django it is `id`, which never repeats either.
    No foreign key is enforced: rows come in by COPY, and markets are never deleted.
    """

    market = models.ForeignKey(
        Market, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    at = models.DateTimeField(help_text="When we learned of it.")

    class Meta:
        abstract = True
        indexes = [
            models.Index(fields=["market", "at"], name="%(class)s_market"),
            models.Index(fields=["at"], name="%(class)s_at"),  # BRIN on PostgreSQL
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"


class BookEvent(MarketHistory):
    """New best prices of YES in a trusted book, with the sizes there at that moment; empty where a side is."""

    bid = models.DecimalField(**PRICE, null=True)
    bid_size = models.DecimalField(**SHARES, default=0)
    ask = models.DecimalField(**PRICE, null=True)
    ask_size = models.DecimalField(**SHARES, default=0)


class TradePrint(MarketHistory):
    """A trade the venue announced: price of the traded token, side of the taker."""

    venue_at = models.DateTimeField()
    yes = models.BooleanField(help_text="The YES token was traded.")
    price = models.DecimalField(**PRICE)
    size = models.DecimalField(**SHARES)
    side = models.CharField(max_length=4)


class TrustChange(MarketHistory):
    """A book earned or lost its trust, and why."""

    trust = models.CharField(max_length=16)
    reason = models.CharField(max_length=32, blank=True)


class ResyncEvent(MarketHistory):
    """A request for a fresh snapshot was sent, because of a doubt."""

    reason = models.CharField(max_length=64)
    request_id = models.PositiveBigIntegerField(default=0)


class Recording(models.Model):
    """A file the recorder wrote; retention removes file and row together."""

    class Kind(models.TextChoices):
        MARKET = "market", "market frames"
        SESSION = "session", "everything that entered the engine"

    kind = models.CharField(max_length=16, choices=Kind.choices)
    path = models.CharField(max_length=1024, unique=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    frames = models.PositiveBigIntegerField(default=0)
    bytes = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return self.path


class Change(models.Model):
    """Append-only: who changed what, from what, to what, and why."""

    at = models.DateTimeField(db_default=Now(), db_index=True)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT)
    source = models.CharField(max_length=16, help_text="admin, api, page, cli or system")
    action = models.CharField(max_length=64, db_index=True)
    subject = models.CharField(max_length=255, db_index=True)
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)
    reason = models.CharField(max_length=500, blank=True)

    def __str__(self) -> str:
        return f"{self.pk}: {self.action} {self.subject}"


class ChangeCounter(models.Model):
    """One row, bumped by `F() + 1` inside each writing transaction: a value becomes visible with its change.

    The engine polls it: a nudge may be lost, a committed number may not.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    value = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_change_counter")]

    def __str__(self) -> str:
        return f"change {self.value}"
