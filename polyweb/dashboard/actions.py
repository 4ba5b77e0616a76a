"""What an operator can do from a page: stop, resume, edit parameters, switch markets, acknowledge.

Law: every write is a POST with a permission, calls one service, and says what it did. A browser with our module
asks for JSON and stays on its page; without it the same form leads to a page.
"""

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views import View

from markets import services as markets
from markets.models import Market
from markets.selectors import UnknownMarket, change_counter
from polyweb.access import PageAccess
from polyweb.accounts import next_address
from polyweb.dashboard import market_page, preview, selectors, stop_report
from polyweb.dashboard.forms import ApprovalForm, ArbForm, ParamsForm, ReasonForm, StopForm, SwitchForm, sentences
from polyweb.dashboard.views import MarketView, Page, filtered
from risk import services as risk
from risk.models import Incident, Stop
from strategies import services as strategies
from strategies.domain.definitions import ParamError

PAGE = "page"


def author_of(request: HttpRequest) -> User:
    return cast(User, request.user)


def _wants_json(request: HttpRequest) -> bool:
    return "application/json" in request.headers.get("Accept", "")


def back_to(request: HttpRequest, fallback: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(next_address(request, fallback))


class StopView(Page):
    """The stop form as a page of its own, and where every stop form is sent."""

    template_name = "polyweb/stop.html"
    permission_required = ("risk.add_stop",)
    section = "stop"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        asked = self.request.GET
        initial = {"market": asked.get("market", ""), "event": asked.get("event", "")}
        context["stop_form"] = kwargs.get("form") or StopForm(initial=initial)
        context["next"] = next_address(self.request)
        return context

    def post(self, request: HttpRequest) -> HttpResponse:
        form = StopForm(request.POST)
        if not form.is_valid():
            if _wants_json(request):
                return JsonResponse({"errors": form.errors}, status=400)
            return self.render_to_response(self.get_context_data(form=form), status=400)
        asked = form.cleaned_data
        row = risk.stop(
            level=asked["level"], scope=asked["scope"], reason=asked["reason"] or "stop button",
            author=author_of(request), source=PAGE, expires_at=asked["expires_at"], slippage=asked["slippage"],
            **asked["target"],
        )  # fmt: skip
        address = reverse("dashboard:stop-report", args=[row.pk])
        if _wants_json(request):
            return JsonResponse({"stop": row.pk, "report": address}, status=201)
        return HttpResponseRedirect(f"{address}?next={next_address(request)}")


class StopReportView(Page):
    """What a stop did, counted from the orders' own events."""

    template_name = "polyweb/stop_report.html"
    permission_required = ("risk.view_stop",)
    section = "stop"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        row = get_object_or_404(Stop.objects.select_related("market", "event", "author"), pk=kwargs["pk"])
        report = stop_report.report(row)
        if _wants_json(request):
            return JsonResponse({"done": report.done, "text": report.text})
        context = self.get_context_data(stop=row, report=report, next=next_address(request), **kwargs)
        return self.render_to_response(context)


class ReleaseView(PageAccess, View):
    """Resume: release one stop."""

    permission_required = ("risk.change_stop",)
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        form = ReasonForm(request.POST)
        if not form.is_valid():
            messages.error(request, "reason: at most 500 characters")
        elif not Stop.objects.filter(pk=pk).exists():
            messages.info(request, f"There is no stop {pk}.")
        elif risk.resume(stop=pk, author=author_of(request), source=PAGE, reason=form.cleaned_data["reason"]):
            messages.success(request, f"Stop {pk} is released. Quotes come back as books and limits allow.")
        else:
            messages.info(request, f"Stop {pk} was not in force any more.")
        return back_to(request, reverse("dashboard:incidents"))


class ParamsView(PageAccess, View):
    """Parameters of one market. All or nothing; the engine takes them up within a second."""

    permission_required = ("strategies.change_strategyconfig",)
    http_method_names = ["post"]

    def post(self, request: HttpRequest, condition_id: str) -> HttpResponse:
        market = get_object_or_404(Market.objects.select_related("event"), condition_id=condition_id)
        form = ParamsForm(request.POST)
        if not form.errors:
            try:
                revision = strategies.set_params(
                    scope="market", market=market, values=form.values, author=author_of(request), source=PAGE,
                    reason=form.reason, expected_revision=form.expected_revision,
                )  # fmt: skip
            except ParamError as error:
                form.errors[error.field] = str(error)
            except strategies.RevisionConflict as error:
                form.errors["revision"] = str(error)
            else:
                return self._applied(request, market, revision.number)
        return self._refused(request, market, form)

    def _applied(self, request: HttpRequest, market: Market, number: int) -> HttpResponse:
        if _wants_json(request):
            lines = [
                {"name": line.definition.name, "value": line.value, "source": line.source, "own": line.own}
                for line in market_page.parameters(market)
            ]
            return JsonResponse({"revision": number, "change": change_counter(), "parameters": lines})
        messages.success(request, f"Revision {number} applied; the engine follows within a second.")
        return HttpResponseRedirect(reverse("dashboard:market", args=[market.condition_id]))

    def _refused(self, request: HttpRequest, market: Market, form: ParamsForm) -> HttpResponse:
        status = 409 if "revision" in form.errors else 400
        if _wants_json(request):
            return JsonResponse({"errors": form.errors}, status=status)
        page = MarketView()
        page.setup(request, condition_id=market.condition_id)
        context = page.get_context_data(condition_id=market.condition_id)
        lines = market_page.parameters(market, entered=form.entered, errors=form.errors)
        context["parameters"] = market_page.parameter_groups(lines)
        context["param_errors"] = form.errors
        return render(request, "polyweb/market.html", context, status=status)


class PreviewView(PageAccess, View):
    """What the entered parameters would quote, and what applying them would cost. Changes nothing."""

    permission_required = ("strategies.change_strategyconfig",)
    http_method_names = ["post"]

    def post(self, request: HttpRequest, condition_id: str) -> HttpResponse:
        market = get_object_or_404(Market.objects.select_related("event"), condition_id=condition_id)
        form = ParamsForm(request.POST)
        if form.errors:
            return JsonResponse({"errors": form.errors}, status=400)
        view = selectors.stored_view(condition_id) or {}
        try:
            return JsonResponse(preview.preview(market, view, form.values))
        except preview.NothingToPreview as error:
            return JsonResponse({"before": {}, "after": {}, "cancels": 0, "places": 0, "text": str(error)})


class SwitchView(PageAccess, View):
    """Trading and watching of the chosen markets, or of everything a filter shows."""

    permission_required = ("markets.change_market",)
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        form = SwitchForm(request.POST)
        back = reverse("dashboard:markets")
        if not form.is_valid():
            for field, texts in form.errors.items():
                messages.error(request, f"{field}: {' '.join(map(str, texts))}")
            return back_to(request, back)
        action, chosen = form.cleaned_data["action"], form.cleaned_data["markets"]
        who: dict[str, Any] = {
            "author": author_of(request), "source": PAGE, "reason": form.cleaned_data["reason"],
        }  # fmt: skip
        try:
            if request.POST.get("matching"):
                changed = self._switch_where(request, action, who)
            else:
                changed = self._switch(action, chosen, who)
        except UnknownMarket as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _told(action, changed))
        return back_to(request, back)

    @staticmethod
    def _switch(action: str, chosen: list[str], who: dict[str, Any]) -> int:
        service = markets.set_trading if action in ("trade", "pause") else markets.set_watched
        return service(condition_ids=chosen, on=action in ("trade", "watch"), **who)

    @staticmethod
    def _switch_where(request: HttpRequest, action: str, who: dict[str, Any]) -> int:
        everything = request.POST.get("show") == "all"
        base = Market.objects.filter(closed=False) if everything else selectors.followed()
        rows = filtered(base.select_related(None), request.POST)
        service = markets.set_trading_where if action in ("trade", "pause") else markets.set_watched_where
        return service(markets=rows, on=action in ("trade", "watch"), **who)


def _told(action: str, changed: int) -> str:
    words = {"trade": "traded now", "pause": "paused", "watch": "watched", "unwatch": "no longer watched"}
    if changed == 0:
        return "Nothing changed: closed and catch-all markets are never traded, the others were so already."
    return f"{changed} market is {words[action]}." if changed == 1 else f"{changed} markets are {words[action]}."


class RulesView(PageAccess, View):
    """Approve the rules an operator has just read; those that changed again meanwhile stay unapproved."""

    permission_required = ("markets.change_market",)
    http_method_names = ["post"]

    def post(self, request: HttpRequest, condition_id: str) -> HttpResponse:
        market = get_object_or_404(Market, condition_id=condition_id)
        form = ApprovalForm(request.POST)
        if not form.is_valid():
            messages.error(request, "reason: say who read the new rules and why they are fine, in 500 characters")
            return _to_market(market)
        try:
            markets.approve_rules(
                market=market, author=author_of(request), source=PAGE, reason=form.cleaned_data["reason"],
                rule_hash=form.cleaned_data["rule_hash"],
            )  # fmt: skip
        except markets.RulesMoved as error:
            messages.error(request, str(error))
        else:
            messages.success(request, "Rules approved; the engine may quote here again within a second.")
        return _to_market(market)


class OtherView(PageAccess, View):
    """Allow, or forbid again, trading of a catch-all outcome."""

    permission_required = ("markets.change_market",)
    http_method_names = ["post"]

    def post(self, request: HttpRequest, condition_id: str) -> HttpResponse:
        market = get_object_or_404(Market, condition_id=condition_id)
        form = ReasonForm(request.POST)
        on = request.POST.get("on") == "yes"
        reason = form.cleaned_data["reason"] if form.is_valid() else ""
        try:
            changed = markets.allow_other(market=market, on=on, author=author_of(request), source=PAGE, reason=reason)
        except ValueError as error:
            messages.error(request, f"reason: {error}")
        else:
            word = "allowed" if on else "forbidden"
            messages.success(request, f"Trading this catch-all outcome is {word}{'' if changed else ' already'}.")
        return _to_market(market)


def _to_market(market: Market) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("dashboard:market", args=[market.condition_id]))


class AcknowledgeView(PageAccess, View):
    permission_required = ("risk.change_incident",)
    http_method_names = ["post"]
    done = "acknowledged"
    settle = staticmethod(risk.acknowledge_incident)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        incident = get_object_or_404(Incident, pk=pk)
        form = ReasonForm(request.POST)
        reason = form.cleaned_data["reason"] if form.is_valid() else ""
        if self.settle(incident=incident, author=author_of(request), source=PAGE, reason=reason):
            messages.success(request, f"Incident {pk} {self.done}.")
        return back_to(request, reverse("dashboard:incidents"))


class CloseView(AcknowledgeView):
    """For what does not end by itself: somebody has seen to it."""

    done = "closed"
    settle = staticmethod(risk.close_incident)


class ArbView(PageAccess, View):
    permission_required = ("strategies.change_arbsettings",)
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        form = ArbForm(request.POST)
        problems = [] if form.is_valid() else form.messages()
        if not problems:
            try:
                strategies.set_arb(
                    values=form.values, author=author_of(request), source=PAGE, reason=form.cleaned_data["reason"]
                )
            except ValidationError as error:
                problems = sentences(error)
        for problem in problems:
            messages.error(request, problem)
        if not problems:
            messages.success(request, "Arbitrage settings applied.")
        return back_to(request, reverse("dashboard:arbitrage"))
