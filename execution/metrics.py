"""What the hands tell Prometheus. Declared once; labels take few values: a market or an order is never one.

Law: measuring never changes what is measured; nothing here waits or raises.
"""

from prometheus_client import Counter, Gauge, Histogram

_STAGE_BUCKETS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10)
_ACK_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

ORDERS = Counter("polyweb_orders_total", "Orders by how they were answered.", ["relayer", "outcome"])
REJECTIONS = Counter("polyweb_order_rejections_total", "Rejected orders by code.", ["relayer", "code"])
CANCELS = Counter("polyweb_cancels_total", "Cancels by how they were answered.", ["relayer", "outcome"])
FILLS = Counter("polyweb_fills_total", "Fills journaled, by status.", ["relayer", "status"])
ACK_LATENCY = Histogram(
    "polyweb_ack_latency_seconds",
    "Request to the relayer out, answer in.",
    ["relayer", "action"],
    buckets=_ACK_BUCKETS,
)
STAGES = Histogram(
    "polyweb_stage_seconds",
    "Time an order spends in one stage: decision, queue, sign or journal.",
    ["stage"],
    buckets=_STAGE_BUCKETS,
)
QUEUED = Gauge("polyweb_hands_queued", "Commands waiting for the hands.", ["lane"])
OPEN_ORDERS = Gauge("polyweb_open_orders", "Orders of ours without a final state.", ["relayer"])
UNKNOWN_ORDERS = Gauge("polyweb_unknown_orders", "Orders whose fate the venue has not told.", ["relayer"])
CHAIN_JOBS = Counter(
    "polyweb_chain_jobs_total", "Steps of jobs on chain, by verb and state.", ["relayer", "verb", "state"]
)
CHAIN_OPEN = Gauge("polyweb_chain_jobs_open", "Jobs on chain that have not ended.", ["relayer"])
JOURNAL_WAITING = Gauge("polyweb_journal_waiting", "Writes waiting for the journal's thread.")
JOURNAL_FAILURES = Counter("polyweb_journal_failures_total", "Journal calls that failed, by verb.", ["verb"])
