"""Addresses of the live sockets; one per kind of page."""

from django.urls import URLPattern, path

from polyweb.dashboard import consumers

websocket_urlpatterns: list[URLPattern] = [
    path("ws/status/", consumers.StatusConsumer.as_asgi()),
    path("ws/dashboard/", consumers.DashboardConsumer.as_asgi()),
    path("ws/orders/", consumers.OrdersConsumer.as_asgi()),
    path("ws/incidents/", consumers.IncidentsConsumer.as_asgi()),
    path("ws/risk/", consumers.RiskConsumer.as_asgi()),
    path("ws/markets/<str:condition_id>/", consumers.MarketConsumer.as_asgi()),
]
