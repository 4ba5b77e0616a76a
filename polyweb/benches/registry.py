"""The benches by name."""

from polyweb.benches.bench import Bench
from polyweb.benches.dutch import Dutch
from polyweb.benches.ingest import Ingest
from polyweb.benches.pipeline import Pipeline
from polyweb.benches.quote import Quote
from polyweb.benches.risk import Risk
from polyweb.benches.sign import Sign
from polyweb.benches.stop import StopBench

BENCHES: dict[str, Bench] = {
    "dutch": Dutch(),
    "ingest": Ingest(),
    "pipeline": Pipeline(),
    "quote": Quote(),
    "risk": Risk(),
    "sign": Sign(),
    "stop": StopBench(),
}
