"""Query parameters of the API's lists: what a list does not know is refused, not ignored.

Law: a misspelt filter must not pass for an unfiltered answer.
"""

from typing import Any

from django.db.models import QuerySet
from django_filters import BooleanFilter
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.settings import api_settings

PAGING = ("limit_query_param", "offset_query_param", "cursor_query_param", "page_size_query_param")
TRUTHS = ("true", "false")


class StrictFilters(DjangoFilterBackend):  # type: ignore[misc]  # django-filter is untyped
    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        filters = self._filters(queryset, view)
        known = {*filters, *_paging(view)}
        wrong: dict[str, list[str]] = {}
        for name in request.query_params:
            value = request.query_params.get(name, "")
            if name not in known and name != api_settings.URL_FORMAT_OVERRIDE:
                wrong[name] = [f"is not a parameter of this list; known are {', '.join(sorted(known)) or 'none'}"]
            elif isinstance(filters.get(name), BooleanFilter) and value and value.lower() not in TRUTHS:
                wrong[name] = [f"{value:.40} is neither true nor false"]
        if wrong:
            raise ValidationError(wrong)
        filtered: QuerySet[Any] = super().filter_queryset(request, queryset, view)
        return filtered

    def _filters(self, queryset: QuerySet[Any], view: Any) -> dict[str, Any]:
        filterset = self.get_filterset_class(view, queryset)
        return dict(filterset.base_filters) if filterset is not None else {}


def _paging(view: Any) -> set[str]:
    paginator = getattr(view, "paginator", None)
    return {name for setting in PAGING if (name := getattr(paginator, setting, None))}
