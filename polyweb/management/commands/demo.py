"""`demo`: everything on this machine in one command, play money, live dashboard."""

import asyncio
import json
import os
import sys
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django_celery_results.models import TaskResult

from execution.domain.lease import LeaseHeld
from execution.management.commands.sandbox import above_zero, some_markets
from markets.feed.frames import read_recording, require_market_frames
from markets.feed.recorder import RecordingError
from markets.gamma import UnreadableFile
from polyweb.demo import prepare, probes, stage
from polyweb.demo.prepare import Login
from polyweb.demo.serve import Ended, serve
from polyweb.devtools.children import BIN, Child, first_line, manage, started
from polyweb.devtools.machine import Missing, port_number
from polyweb.runtime import views
from polyweb.runtime.bootstrap import Source
from polyweb.runtime.engine import Engine
from polyweb.runtime.venue_link import RelayerUnavailable
from polyweb.runtime.views import Json

PROBE_BEFORE_END_S = 3.0
RECORDING_FOLDER = "demo-recording"


class Command(BaseCommand):
    help = (
        "Start web, engine, Celery and a sandbox exchange on 127.0.0.1, print the address and a login, and trade there"
        " with play money until Ctrl-C. With --recording a recorded market takes its place, and the money is paper."
    )
    requires_system_checks = "__all__"
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=port_number, default=8000, help="port on 127.0.0.1 (default 8000)")
        parser.add_argument("--reset", action="store_true", help="forget what earlier demos left")
        parser.add_argument("--recording", type=Path, metavar="FILE", help="play this recording instead of the sandbox")
        parser.add_argument("--metadata", type=Path, metavar="FILE", help="Gamma markets of the recording")
        parser.add_argument("--speed", type=float, default=1.0, help="times recorded time; 0 is as fast as can be")
        parser.add_argument("--for", type=above_zero, dest="seconds", metavar="SECONDS", help="stop after that long")
        parser.add_argument("--json", action="store_true", help="with --for: one JSON summary on stdout, nothing else")
        parser.add_argument("--markets", type=some_markets, default=12, help="markets of the sandbox (default 12)")
        parser.add_argument("--seed", type=int, default=7, help="seed of the sandbox's markets (default 7)")

    def handle(self, *_: object, **options: Any) -> None:
        recording: Path | None = options["recording"]
        if options["json"] and options["seconds"] is None:
            raise CommandError("--json needs --for SECONDS: the summary is printed when the demo stops")
        if options["speed"] < 0:
            raise CommandError("--speed must be 0 (as fast as possible) or more")
        if recording is not None:
            _own_stage()
        try:
            self._run(options, recording)
        except (RecordingError, UnreadableFile, LeaseHeld, RelayerUnavailable, Missing, Ended) as error:
            raise CommandError(str(error)) from error
        except ExceptionGroup as group:
            raise CommandError("; ".join(f"{type(error).__name__}: {error}" for error in _leaves(group))) from group

    def _run(self, options: dict[str, Any], recording: Path | None) -> None:
        var, port = settings.POLYWEB.var_dir, options["port"]
        prepare.require_free_port(port)
        with ExitStack() as stack:
            stack.enter_context(prepare.hold_lock(var))
            if recording is not None:
                require_market_frames(recording)  # an unusable file is said before anything is reset
            if options["reset"] or recording is not None:
                prepare.forget(var)
            prepare.database(self.stderr)
            login = prepare.operator(var)
            env = dict(os.environ)
            children: list[Child] = []
            source = self._stage(options, recording, stack, env, children)
            celery = [str(BIN / "celery"), "-q", "-A", "polyweb", "worker", "-B", "-P", "threads", "-c", "2"]
            quiet = ["--without-mingle", "--without-gossip", "-l", "WARNING"]
            # A demo in a container runs as root; Celery's page of warning would bury the address and the login.
            env["PYTHONWARNINGS"] = "ignore:You're running the worker with superuser"
            children.append(stack.enter_context(started("Celery worker", [*celery, *quiet], env)))
            connections.close_all()
            demo = _Demo(options, login, recording)
            asyncio.run(serve(settings.POLYWEB, source, port, demo.on_ready, lambda: _all_alive(children)))
        if options["json"]:
            self.stdout.write(json.dumps(demo.summary))

    def _stage(
        self,
        options: dict[str, Any],
        recording: Path | None,
        stack: ExitStack,
        env: dict[str, str],
        children: list[Child],
    ) -> Source:
        if recording is not None:
            stage.stage_recording(recording, options["metadata"])
            # Nobody: a recording has no listing to refresh and no exchange to compare it with.
            env["POLYWEB_GAMMA_URL"] = env["POLYWEB_CLOB_URL"] = "http://127.0.0.1:9"
            return Source(recording=recording, frames=read_recording(recording), speed=options["speed"])
        words = ["--port", "0", "--markets", str(options["markets"]), "--seed", str(options["seed"])]
        child = stack.enter_context(started("sandbox", manage("sandbox", *words), env, speaks=True))
        children.append(child)
        where = first_line(child)
        env["POLYWEB_GAMMA_URL"] = env["POLYWEB_CLOB_URL"] = where["http"]
        env["POLYWEB_FEED_URL"], env["POLYWEB_USER_URL"] = where["ws"], where["user_ws"]
        stage.stage_sandbox(where["http"])
        return Source(url=where["ws"], clob_url=where["http"], user_url=where["user_ws"])


class _Demo:
    """What happens between the start and the end: the greeting, the wait, the probes, the summary."""

    def __init__(self, options: dict[str, Any], login: Login, recording: Path | None) -> None:
        self._seconds: float | None = options["seconds"]
        self._port: int = options["port"]
        self._login = login
        self._recording = recording
        self.summary: Json = {}

    async def on_ready(self, engine: Engine) -> None:
        self._greet(engine)
        if self._seconds is None:
            await asyncio.Event().wait()
            return
        await asyncio.sleep(max(0.0, self._seconds - PROBE_BEFORE_END_S))
        asking = asyncio.get_running_loop().time()
        verdict = await probes.probe(f"http://127.0.0.1:{self._port}", self._login)
        asked_s = asyncio.get_running_loop().time() - asking
        await asyncio.sleep(max(0.0, min(PROBE_BEFORE_END_S, self._seconds) - asked_s))
        tasks = await asyncio.to_thread(_tasks_completed)
        self.summary = _summary(engine, self._recording, verdict, tasks)

    def _greet(self, engine: Engine) -> None:
        mode = engine.overview()["mode"]
        lines = (
            f"polyweb demo   http://127.0.0.1:{self._port}/",
            f"login          {self._login.name} / {self._login.password}",
            f"market data    {mode['recording'] or mode['feed']}",
            f"money          {_money(mode)} (nothing leaves this machine)",
            f"stands on      {mode['database']}, {mode['broker']} broker, {mode['channel_layer']} channel layer",
            "Ctrl-C cancels every order and stops everything.",
        )
        print("\n".join(lines), file=sys.stderr, flush=True)


def _money(mode: Json) -> str:
    if mode["venue"] is None:
        return str(mode["relayer"])
    return f"play money, {'a dry run' if mode['dry_run'] else 'real orders'} at the {mode['venue']}"


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """The errors inside nested task groups."""
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def _own_stage() -> None:
    """A recording gets a database of its own, made anew, and paper money, for it has no exchange: start again with both
    unless they were chosen.
    """
    wanted = {}
    if "POLYWEB_VAR_DIR" not in os.environ:
        wanted["POLYWEB_VAR_DIR"] = str(settings.POLYWEB.var_dir.parent / RECORDING_FOLDER)
    if settings.POLYWEB.relayer == "real":
        wanted["POLYWEB_RELAYER"] = "paper"
    if wanted:
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | wanted)


def _all_alive(children: list[Child]) -> None:
    for child in children:
        code = child.process.poll()
        if code is not None:
            raise Ended(f"the {child.role} ended with exit code {code}")


def _tasks_completed() -> int:
    try:
        return int(TaskResult.objects.filter(status="SUCCESS").count())
    finally:
        connections.close_all()


def _summary(engine: Engine, recording: Path | None, verdict: probes.Verdict, tasks: int) -> Json:
    seen = engine.overview()
    return {
        "recording": recording.name if recording else None,
        "markets": seen["markets"]["trading"],
        "frames": seen["feed"]["frames"],
        "malformed": seen["feed"]["malformed"],
        "resyncs": seen["feed"]["resyncs"],
        "orders_placed": seen["orders"]["placed"],
        "orders_cancelled": seen["orders"]["cancelled"],
        "fills": seen["fills"],
        "inventory": views.inventory(engine.trader),
        "pnl_pusd": seen["pnl"]["total"],
        "refusals": seen["refusals"],
        "tasks_completed": tasks,
        "url_ok": verdict.url_ok,
        "api_ok": verdict.api_ok,
        "socket_ok": verdict.socket_ok,
        "engine": seen["state"],
        "relayer": seen["mode"]["relayer"],
        "database": seen["mode"]["database"],
        "broker": seen["mode"]["broker"],
        "channel_layer": seen["mode"]["channel_layer"],
    }
