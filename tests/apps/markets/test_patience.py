"""The connections of threads that live as long as their process."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import override_settings

from markets.services.patience import settle_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]


def kept_of_a_statement() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    kept = len(connection.queries_log)
    connection.close()
    return kept


@override_settings(DEBUG=True)
def test_a_thread_that_has_settled_in_keeps_no_statements_even_in_debug() -> None:
    with ThreadPoolExecutor(1) as passing, ThreadPoolExecutor(1, initializer=settle_in, initargs=(1.0,)) as staying:
        assert passing.submit(kept_of_a_statement).result() == 1
        assert staying.submit(kept_of_a_statement).result() == 0
