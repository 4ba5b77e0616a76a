"""Pages of lists: limit and offset with a bound, or a cursor where nobody should count.

Law: a number that is none is refused by name; one above the bound is the bound.
"""

from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.pagination import CursorPagination, LimitOffsetPagination
from rest_framework.request import Request


def _whole(request: Request, name: str, least: int) -> None:
    """An empty value counts as left out."""
    given = request.query_params.get(name, "")
    if given and not (given.isascii() and given.isdigit() and int(given[:18]) >= least):
        raise ValidationError({name: [f"{given:.40} is not a whole number of at least {least}"]})


class Pages(LimitOffsetPagination):
    default_limit = 100
    max_limit = 1000

    def get_limit(self, request: Request) -> int | None:
        _whole(request, self.limit_query_param, 1)
        return super().get_limit(request)

    def get_offset(self, request: Request) -> int:
        _whole(request, self.offset_query_param, 0)
        return super().get_offset(request)


class HistoryPages(CursorPagination):
    """For tables too long to count: newest first, a cursor to what is older."""

    ordering = ("-at", "-id")
    page_size = 500
    page_size_query_param = "limit"
    max_page_size = 5000

    def get_page_size(self, request: Any) -> int | None:
        _whole(request, "limit", 1)
        return super().get_page_size(request)
