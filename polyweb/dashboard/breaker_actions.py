"""What an operator can do about breakers from the incidents page: release one, say where they trip.

Law: every write is a POST with a permission and calls one service; an error names its field.
"""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views import View

from markets.selectors import UnknownMarket
from polyweb.access import PageAccess
from polyweb.dashboard.actions import PAGE, author_of, back_to
from polyweb.dashboard.forms import ReasonForm
from risk import selectors, services
from risk.domain.thresholds import DEFINITIONS, ThresholdError


class ReleaseBreakerView(PageAccess, View):
    permission_required = ("risk.change_breaker",)
    http_method_names = ["post"]

    def post(self, request: HttpRequest, kind: str) -> HttpResponse:
        form = ReasonForm(request.POST)
        reason = form.cleaned_data["reason"] if form.is_valid() else ""
        if not reason:
            messages.error(request, "reason: say why it may trade again, in 500 characters")
            return back_to(request, reverse("dashboard:incidents"))
        try:
            services.release_breaker(
                kind=kind, market=request.POST.get("market") or None, author=author_of(request), source=PAGE,
                reason=reason,
            )  # fmt: skip
        except (UnknownMarket, ValueError) as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"Released {kind.replace('_', ' ')}; quotes come back once health has lasted.")
        return back_to(request, reverse("dashboard:incidents"))


class ThresholdsView(PageAccess, View):
    """All lines of the form at once; an empty one is its default again."""

    permission_required = ("risk.change_threshold",)
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        changed, back = 0, back_to(request, reverse("dashboard:incidents"))
        in_force = {line.definition.name: line for line in selectors.threshold_lines()}
        for known in DEFINITIONS:
            text = request.POST.get(known.name)
            line = in_force[known.name]
            if text is None or text.strip() == (str(line.value) if line.own else ""):
                continue
            try:
                services.set_threshold(
                    name=known.name, value=int(text) if text.strip() else None, author=author_of(request), source=PAGE,
                    reason=request.POST.get("reason", "")[:500],
                )  # fmt: skip
                changed += 1
            except ThresholdError as error:
                messages.error(request, str(error))
            except ValueError:
                messages.error(request, f"{known.name}: {text[:20]!r} is not a whole number ({known.unit})")
        if changed:
            messages.success(request, f"{changed} {'threshold' if changed == 1 else 'thresholds'} changed.")
        return back
