"""Pages of lists: limit and offset with a bound, or a cursor where nobody should count."""

from rest_framework.pagination import CursorPagination, LimitOffsetPagination


class Pages(LimitOffsetPagination):
    default_limit = 100
    max_limit = 1000


class HistoryPages(CursorPagination):
    """For tables too long to count: newest first, a cursor to what is older."""

    ordering = ("-at", "-id")
    page_size = 500
    page_size_query_param = "limit"
    max_page_size = 5000
