"""Logging in: passwords, lock-out, one-time codes."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.control_builders import a_user

pytestmark = pytest.mark.django_db
GOOD = {"username": "ana", "password": "correct horse battery"}


@pytest.fixture
def codes_required() -> Iterator[None]:
    with override_settings(POLYWEB=settings.POLYWEB.model_copy(update={"require_totp": True})):
        yield


def a_device(user: User) -> TOTPDevice:
    device: TOTPDevice = TOTPDevice.objects.create(user=user, name="app", confirmed=True)
    return device


def code(device: TOTPDevice) -> str:
    return f"{totp(device.bin_key, device.step, device.t0, device.digits, device.drift):06d}"


def logged_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_a_password_opens_the_door_and_leads_where_one_wanted_to_go(client: Client) -> None:
    a_user("markets.view_market")
    answer = client.post("/login/", {**GOOD, "next": "/markets/"})
    assert answer["Location"] == "/markets/"


def test_a_wrong_password_is_said_without_saying_which_part_was_wrong(client: Client) -> None:
    a_user()
    html = client.post("/login/", {**GOOD, "password": "wrong"}).content.decode()
    assert "correct username and password" in html
    assert not logged_in(client)


@override_settings(AXES_ENABLED=True)
def test_five_wrong_passwords_lock_the_name(client: Client) -> None:
    a_user()
    for _ in range(5):
        answer = client.post("/login/", {**GOOD, "password": "wrong"})
    assert answer.status_code == 429
    assert "Too many wrong passwords" in answer.content.decode()
    assert client.post("/login/", GOOD).status_code == 429


def test_logging_out_needs_a_post_and_ends_at_the_door(client: Client) -> None:
    client.force_login(a_user())
    assert client.get("/logout/").status_code == 405
    assert client.post("/logout/")["Location"] == "/login/"
    assert not logged_in(client)


def test_whoever_has_a_device_must_give_its_code(client: Client) -> None:
    device = a_device(a_user())
    assert "one-time code" in client.post("/login/", GOOD).content.decode()
    assert not logged_in(client)
    client.post("/login/", {**GOOD, "otp_token": code(device)})
    assert logged_in(client)


def test_with_codes_required_a_session_without_one_reaches_the_set_up_page_only(
    client: Client, codes_required: None
) -> None:
    client.force_login(a_user("markets.view_market"))
    assert client.get("/markets/")["Location"] == "/account/totp/?next=%2Fmarkets%2F"
    assert client.post("/stop/")["Location"] == "/account/totp/"
    assert client.get("/api/v1/markets/").status_code == 403
    assert client.get("/admin/")["Location"].startswith("/account/totp/")


def test_a_device_is_set_up_with_the_code_it_shows(client: Client, codes_required: None) -> None:
    client.force_login(a_user("markets.view_market"))
    assert "data:image/svg+xml" in client.get("/account/totp/").content.decode()
    device = TOTPDevice.objects.get()
    assert "does not fit" in client.post("/account/totp/", {"token": "000000"}).content.decode()
    TOTPDevice.objects.update(throttling_failure_count=0)
    assert client.post("/account/totp/?next=/markets/", {"token": code(device)})["Location"] == "/markets/"
    assert client.get("/markets/").status_code == 200


def test_a_known_device_is_never_shown_again(client: Client) -> None:
    user = a_user()
    a_device(user)
    client.force_login(user)
    assert "data:image" not in client.get("/account/totp/").content.decode()


def test_a_token_for_the_api_needs_the_password(client: Client) -> None:
    a_user("markets.view_market")
    assert client.post("/api/v1/auth/login/", {**GOOD, "password": "no"}, "application/json").status_code == 400
    token = client.post("/api/v1/auth/login/", GOOD, "application/json").json()["token"]
    headers = {"Authorization": f"Token {token}"}
    assert client.get("/api/v1/markets/", headers=headers).status_code == 200
    assert client.post("/api/v1/auth/logout/", headers=headers).status_code == 204
    assert client.get("/api/v1/markets/", headers=headers).status_code == 401


def test_with_codes_required_a_token_needs_the_code_too(client: Client, codes_required: None) -> None:
    device = a_device(a_user())
    answer = client.post("/api/v1/auth/login/", GOOD, "application/json")
    assert "one-time code" in str(answer.json())
    good = client.post("/api/v1/auth/login/", {**GOOD, "otp_token": code(device)}, "application/json")
    assert good.status_code == 200


def test_the_openapi_page_and_document_are_there(client: Client) -> None:
    client.force_login(a_user())
    assert client.get("/api/v1/docs/").status_code == 200
    schema = client.get("/api/v1/schema/", headers={"Accept": "application/json"}).json()
    assert "/api/v1/auth/login/" in schema["paths"]


def test_the_login_page_is_named_in_the_settings() -> None:
    assert settings.LOGIN_URL == "/login/"
