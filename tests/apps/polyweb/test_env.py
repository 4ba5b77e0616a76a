"""The environment: typed, frozen, and a wrong value is a named problem with the default in its place."""

from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from execution.signing import sandbox_key
from execution.signing.wallets import safe_wallet
from polyweb.env import Profile, Reading, read_env

pytestmark = pytest.mark.usefixtures("bare_environment")


def reading(monkeypatch: pytest.MonkeyPatch, profile: Profile = Profile.DEV, **variables: str) -> Reading:
    for name, value in variables.items():
        monkeypatch.setenv(f"POLYWEB_{name.upper()}", value)
    return read_env(profile)


def test_nothing_set_means_the_fake_relayer_and_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    found = reading(monkeypatch)
    assert (found.env.relayer, found.env.dry_run, found.problems) == ("fake", True, ())


def test_profile_changes_defaults_but_never_what_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reading(monkeypatch, Profile.DEMO).env.relayer == "real"
    assert reading(monkeypatch, Profile.DEMO, relayer="fake").env.relayer == "fake"


def test_only_the_demo_sends_orders_unasked_and_only_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    envs = {profile: reading(monkeypatch, profile).env for profile in Profile}
    assert [profile for profile, env in envs.items() if env.relayer == "real"] == [Profile.DEMO]
    assert [profile for profile, env in envs.items() if env.at_sandbox or not env.dry_run] == [Profile.DEMO]


def test_the_feed_is_set_up_by_words_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    found = reading(monkeypatch, feed_redundancy="2", audit_s="0", record="true")
    assert (found.env.feed_redundancy, found.env.audit_s, found.env.record, found.problems) == (2, 0, True, ())


def test_environment_cannot_be_changed_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    env = reading(monkeypatch).env
    with pytest.raises(ValidationError):
        env.relayer = "real"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("relayer", "reel"),
        ("client", "web3"),
        ("dry_run", "perhaps"),
        ("paper_cash", "-1"),
        ("paper_cash", "nan"),
        ("chain_id", "0"),
        ("database_url", "mysql://u:pw@host/db"),
        ("database_url", "postgresql://host:port/db"),
        ("database_url", "postgresql://host/"),
        ("database_url", "sqlite://file"),
        ("redis_url", "127.0.0.1"),
        ("channel_layer", "carrier-pigeon"),
        ("broker", "memory"),
        ("feed_url", "https://example.org/ws"),
        ("gamma_url", "ws://example.org"),
        ("clob_url", "https://"),
        ("feed_redundancy", "3"),
        ("audit_s", "nan"),
        ("record", "perhaps"),
        ("metrics_port", "70000"),
        ("secret_key_file", "no/such/file"),
        ("log_level", "loud"),
    ],
)
def test_wrong_value_is_one_problem_naming_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    (problem,) = reading(monkeypatch, Profile.DEV, **{name: value}).problems
    assert problem.variable == f"POLYWEB_{name.upper()}"
    assert problem.variable in problem.hint


def test_all_wrong_values_are_found_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    found = reading(monkeypatch, relayer="reel", metrics_port="x", paper_cash="lots")
    assert {p.variable for p in found.problems} == {
        "POLYWEB_RELAYER",
        "POLYWEB_METRICS_PORT",
        "POLYWEB_PAPER_CASH",
    }
    assert found.env.paper_cash == Decimal(1000)


def test_problem_never_repeats_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    found = reading(monkeypatch, database_url="postgresql://u:hunter2@host:bad/db")
    assert "hunter2" not in repr(found)


def test_secrets_do_not_print(monkeypatch: pytest.MonkeyPatch) -> None:
    found = reading(monkeypatch, secret_key="hunter2", database_url="postgresql://u:hunter2@host/db")
    assert found.problems == ()
    assert "hunter2" not in f"{found!r} {found.env} {found.env.database}"


def test_misspelt_variable_is_found_with_a_suggestion(monkeypatch: pytest.MonkeyPatch) -> None:
    (problem,) = reading(monkeypatch, relayr="paper").unknown
    assert problem.hint == "Did you mean POLYWEB_RELAYER?"


def test_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    found = reading(monkeypatch, relayer="", redis_url="")
    assert (found.env.relayer, found.env.redis_url, found.problems) == ("fake", None, ())


def test_secret_key_is_read_from_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from the file\n")
    key = reading(monkeypatch, secret_key="inline", secret_key_file=str(tmp_path / "key")).env.secret_key
    assert key is not None
    assert key.get_secret_value() == "from the file"


def test_secrets_folder_fills_what_the_environment_leaves_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "polyweb_database_url").write_text("postgresql://u:pw@host/name")
    assert reading(monkeypatch, secrets_dir=str(tmp_path)).env.database.vendor == "postgresql"


def test_host_names_are_comma_separated(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reading(monkeypatch, allowed_hosts="a.example, b.example,").env.allowed_hosts == (
        "a.example",
        "b.example",
    )


def test_tests_do_not_see_the_developers_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    found = reading(monkeypatch, Profile.TEST, relayer="real", relayr="x")
    assert (found.env.relayer, found.problems, found.unknown) == ("fake", (), ())


def test_the_demo_s_wallet_is_the_safe_of_its_public_key_unless_another_kind_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    demo = reading(monkeypatch, Profile.DEMO).env
    assert (demo.funder, demo.on_chain) == (safe_wallet(sandbox_key().address), True)
    plain = reading(monkeypatch, Profile.DEMO, signature_type="eoa").env
    assert (plain.funder, plain.on_chain) == (None, False)
