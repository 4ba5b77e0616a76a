"""The benches by name."""

from polyweb.benches.bench import Bench
from polyweb.benches.ingest import Ingest

BENCHES: dict[str, Bench] = {"ingest": Ingest()}
