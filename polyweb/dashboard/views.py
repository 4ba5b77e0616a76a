"""The pages. Each is whole in its first response; its module then keeps it fresh over a socket.

Law: a page reads and never writes; writes are in `actions.py`.
"""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.generic import TemplateView

from execution import selectors as execution
from execution.domain.orders import OrderState
from execution.models import MarketState, Order, Plan
from markets import selectors as markets
from markets.models import Change, Market
from polyweb import on_chain
from polyweb.access import PageAccess
from polyweb.dashboard import (
    arb_page,
    breakers_page,
    charts,
    decisions,
    figures,
    incidents_page,
    market_page,
    reasons,
    risk_page,
    rules_page,
    selectors,
    system_page,
)
from polyweb.dashboard.forms import StopForm
from risk import selectors as risk
from risk.models import Refusal, Stop
from strategies import selectors as strategies

PAGE_ROWS = 500
FOUND_ROWS = 200
MOST_CHIPS = 8


class Page(PageAccess, TemplateView):
    """What every page has: the engine's sign of life, the stops in force, and the stop dialogue."""

    socket = "/ws/status/"
    section = ""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        seen = selectors.engine()
        context.update(
            engine=seen,
            summary=seen.summary,
            mode=seen.summary.get("mode") or {},
            stops=selectors.stops_in_force(),
            stop_form=StopForm(),
            section=self.section,
            socket=self.socket,
        )
        return context


class OverviewView(Page):
    template_name = "polyweb/overview.html"
    permission_required = ("markets.view_market",)
    socket, section = "/ws/dashboard/", "overview"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        context["needs"] = selectors.needs(context["engine"])
        context["rows"] = selectors.most_active()
        context["chart"] = charts.pnl(None)
        risk_now = context["summary"].get("risk") or {}
        context["risk_share"] = figures.share_of(risk_now.get("worst_total"), risk_now.get("cap_total"))
        return context


SORTS: dict[str, tuple[str, ...]] = {
    "market": ("question",),
    "event": ("event__title", "question"),
    "volume": ("-volume_24h",),
    "pnl": ("-position__realised",),
    "state": ("-trading", "state__state", "state__reason"),
    "ends": ("end_date",),
}


class MarketsView(Page):
    """Followed markets, or with `show=all` whatever the venue lists, to find what to follow."""

    template_name = "polyweb/markets.html"
    permission_required = ("markets.view_market",)
    socket, section = "/ws/dashboard/", "markets"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        asked = self.request.GET
        everything = asked.get("show") == "all"
        base = Market.objects.filter(closed=False) if everything else selectors.followed()
        rows = filtered(base, asked)
        limit = FOUND_ROWS if everything else PAGE_ROWS
        sort = asked.get("sort", "")
        ordered = rows.select_related("event", "state").order_by(*SORTS.get(sort, ("-trading", "-volume_24h")), "pk")
        context.update(
            rows=selectors.market_rows(list(ordered[:limit])),
            found=rows.count(),
            limit=limit,
            everything=everything,
            asked={key: asked.get(key, "") for key in ("q", "state", "reason", "category", "show", "sort")},
            chips=_chips(selectors.followed()),
            categories=_categories(base),
            may_switch=self.request.user.has_perm("markets.change_market"),
        )
        return context


def filtered(rows: QuerySet[Market], asked: Any) -> QuerySet[Market]:
    """The rows a filter selects; the same for the list and for switching everything it shows."""
    if asked.get("q"):
        rows = markets.search(asked["q"][:200], rows)
    match asked.get("state"):
        case "quoting":
            rows = rows.filter(trading=True, state__state="quoting")
        case "idle":
            rows = rows.filter(trading=True).exclude(state__state="quoting")
        case "watching":
            rows = rows.filter(trading=False, watched=True)
    if asked.get("reason"):
        rows = rows.filter(pk__in=reasons.markets_with(asked["reason"]))
    if asked.get("category"):
        rows = rows.filter(event__category=asked["category"])
    return rows


def _chips(rows: QuerySet[Market]) -> dict[str, Any]:
    counts = rows.aggregate(
        all=Count("pk"),
        quoting=Count("pk", filter=Q(trading=True, state__state="quoting")),
        traded=Count("pk", filter=Q(trading=True)),
    )
    idle, watching = counts["traded"] - counts["quoting"], counts["all"] - counts["traded"]
    return {**counts, "idle": idle, "watching": watching, "reasons": reasons.counts()[:MOST_CHIPS]}


def _categories(rows: QuerySet[Market]) -> list[str]:
    names = rows.exclude(event__category="").exclude(event=None).values_list("event__category", flat=True)
    return list(names.distinct().order_by("event__category")[:30])


class MarketView(Page):
    template_name = "polyweb/market.html"
    permission_required = ("markets.view_market",)
    section = "markets"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        found = get_object_or_404(Market.objects.select_related("event"), condition_id=kwargs["condition_id"])
        context.update(market_context(found))
        context["socket"] = f"/ws/markets/{found.condition_id}/"
        context["stop_form"] = StopForm(
            initial={"market": found.condition_id, "event": found.event.gamma_id if found.event else ""}
        )
        context["may_edit"] = self.request.user.has_perm("strategies.change_strategyconfig")
        context["may_switch"] = self.request.user.has_perm("markets.change_market")
        return context


def market_context(market: Market) -> dict[str, Any]:
    state = MarketState.objects.filter(market=market).first()
    view = market_page.view_of(market, state)
    revision = market_page.newest_revision(market)
    drawn = charts.chart(market)
    return {
        "market": market,
        "state": state,
        "view": view,
        "ladder": market_page.ladder(view),
        "trace": decisions.trace(view.get("trace")),
        "decimals": figures.tick_decimals(market.tick_size),
        "chart": drawn,
        "chart_begins": charts.begins(drawn),
        "review": rules_page.review(market),
        "fills": execution.fills(market=market)[:10],
        "orders": execution.orders(market=market).prefetch_related("events")[:12],
        "refusals": arb_page.decided(list(risk.refusals().filter(market=market)[:5])),
        "parameters": market_page.parameter_groups(market_page.parameters(market)),
        "revision": revision,
        "revision_number": revision.number if revision else 0,
        "changes": Change.objects.filter(subject=market.condition_id).select_related("author").order_by("-at")[:8],
    }


class OrdersView(Page):
    template_name = "polyweb/orders.html"
    permission_required = ("execution.view_order",)
    socket, section = "/ws/orders/", "orders"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        asked = self.request.GET
        state = asked.get("state", "")
        rows = execution.orders(live=True) if state == "live" else execution.orders()
        if state in set(OrderState):
            rows = rows.filter(state=state)
        if asked.get("q"):
            word = asked["q"][:100]
            rows = rows.filter(Q(market__question__icontains=word) | Q(order_id__startswith=word))
        page = Paginator(rows, 100, allow_empty_first_page=True).get_page(asked.get("page"))
        counts = dict(Order.objects.values_list("state").annotate(count=Count("pk")))
        context.update(
            page=page,
            rows=[selectors.order_row(order) for order in page],
            asked={"state": state, "q": asked.get("q", "")},
            states=[(item.value, counts[item.value]) for item in OrderState if counts.get(item.value)],
            live=sum(count for name, count in counts.items() if name not in execution.ENDED_STATES),
            all=sum(counts.values()),
        )
        return context


class OrderView(Page):
    """One order's whole life: its decision, every transition, every request with timings, the signed payload."""

    template_name = "polyweb/order.html"
    permission_required = ("execution.view_order",)
    section = "orders"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        rows = Order.objects.select_related("market", "market__event", "plan")
        order = get_object_or_404(rows, order_id=kwargs["order_id"])
        context.update(
            order=order,
            decision=arb_page.decided([order.plan])[0][1],
            decimals=figures.tick_decimals(order.market.tick_size),
            events=order.events.order_by("at", "pk"),
            fills=order.fills.order_by("at", "pk"),
            audits=order.plan.audits.order_by("at", "pk"),
        )
        return context


class ArbitrageView(Page):
    template_name = "polyweb/arbitrage.html"
    permission_required = ("execution.view_plan",)
    section = "arbitrage"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        plans = (
            Plan.objects.filter(strategy=arb_page.DUTCH_BOOK).select_related("market__event").order_by("-decided_at")
        )
        context.update(
            plans=plans.prefetch_related("orders__market", "orders__fills")[:30],
            refusals=arb_page.refusals(),
            settings=strategies.arb_settings(),
            lines=arb_page.settings_lines(),
            baskets=arb_page.baskets(),
            gaps=arb_page.gaps(),
            open_gaps=arb_page.open_gaps(context["summary"]),
            jobs=arb_page.chain_jobs(),
            routes=on_chain.routes(settings.POLYWEB),
            sets=Market.objects.filter(markets.SUBSCRIBED, event__complete=True, event__augmented=False)
            .values("event").distinct().count(),
            may_edit=self.request.user.has_perm("strategies.change_arbsettings"),
        )  # fmt: skip
        return context


class IncidentsView(Page):
    template_name = "polyweb/incidents.html"
    permission_required = ("risk.view_incident",)
    socket, section = "/ws/incidents/", "incidents"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        since = timezone.now() - timedelta(hours=24)
        context.update(
            **incidents_page.context(),
            **breakers_page.context(),
            refusals=risk.refusals().filter(minute__gte=since)[:60],
            released=Stop.objects.exclude(released_at=None)
            .select_related("market", "event", "author", "released_by").order_by("-released_at")[:10],
            refused_today=Refusal.objects.filter(minute__gte=since).values("codes")
            .annotate(times=Count("pk")).order_by("-times", "codes")[:12],
        )  # fmt: skip
        return context


class RiskView(Page):
    template_name = "polyweb/risk.html"
    permission_required = ("risk.view_limit",)
    socket, section = "/ws/risk/", "risk"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        return {**context, **risk_page.context(context["summary"])}


class SystemView(Page):
    template_name = "polyweb/system.html"
    permission_required = ("execution.view_enginestatus",)
    section = "system"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), **system_page.context()}
