"""An order rate of nothing is a stop, and stops are made elsewhere: an engine cannot run at zero orders a second."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from risk import services
from risk.models import Limit


@pytest.mark.django_db
def test_an_order_rate_of_zero_is_refused_and_changes_nothing() -> None:
    with pytest.raises(ValidationError, match="at least 1"):
        services.set_limit(kind="order_rate", scope="total", value=Decimal("0"), author=None, source="api")
    assert not Limit.objects.exists()
