"""Addresses of the operator's pages."""

from django.urls import URLPattern, path

from polyweb.dashboard import actions, breaker_actions, views

app_name = "dashboard"
urlpatterns: list[URLPattern] = [
    path("", views.OverviewView.as_view(), name="overview"),
    path("markets/", views.MarketsView.as_view(), name="markets"),
    path("markets/switch/", actions.SwitchView.as_view(), name="switch"),
    path("markets/<str:condition_id>/", views.MarketView.as_view(), name="market"),
    path("markets/<str:condition_id>/params/", actions.ParamsView.as_view(), name="params"),
    path("markets/<str:condition_id>/preview/", actions.PreviewView.as_view(), name="preview"),
    path("markets/<str:condition_id>/rules/", actions.RulesView.as_view(), name="rules"),
    path("markets/<str:condition_id>/other/", actions.OtherView.as_view(), name="other"),
    path("orders/", views.OrdersView.as_view(), name="orders"),
    path("orders/<str:order_id>/", views.OrderView.as_view(), name="order"),
    path("arbitrage/", views.ArbitrageView.as_view(), name="arbitrage"),
    path("arbitrage/settings/", actions.ArbView.as_view(), name="arb-settings"),
    path("incidents/", views.IncidentsView.as_view(), name="incidents"),
    path("incidents/<int:pk>/acknowledge/", actions.AcknowledgeView.as_view(), name="acknowledge"),
    path("incidents/<int:pk>/close/", actions.CloseView.as_view(), name="close-incident"),
    path("breakers/thresholds/", breaker_actions.ThresholdsView.as_view(), name="thresholds"),
    path("breakers/<str:kind>/release/", breaker_actions.ReleaseBreakerView.as_view(), name="release-breaker"),
    path("risk/", views.RiskView.as_view(), name="risk"),
    path("system/", views.SystemView.as_view(), name="system"),
    path("stop/", actions.StopView.as_view(), name="stop"),
    path("stop/<int:pk>/", actions.StopReportView.as_view(), name="stop-report"),
    path("stop/<int:pk>/release/", actions.ReleaseView.as_view(), name="release"),
]
