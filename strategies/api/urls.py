"""Addresses of the strategies app under /api/v1/."""

from django.urls import path

from strategies.api import arb_views, views

urlpatterns = [
    path("params/global/", views.GlobalParamsView.as_view(), name="params-global"),
    path("params/global/revisions/", views.RevisionsView.as_view(), name="params-global-revisions"),
    path("params/events/<str:gamma_id>/", views.EventParamsView.as_view(), name="params-event"),
    path("params/events/<str:gamma_id>/revisions/", views.RevisionsView.as_view(), name="params-event-revisions"),
    path("params/markets/<str:condition_id>/", views.MarketParamsView.as_view(), name="params-market"),
    path(
        "params/markets/<str:condition_id>/revisions/",
        views.RevisionsView.as_view(),
        name="params-market-revisions",
    ),
    path("params/export/", views.ExportView.as_view(), name="params-export"),
    path("params/import/", views.ImportView.as_view(), name="params-import"),
    path("fair-values/<str:condition_id>/", views.ExternalFairValueView.as_view(), name="external-fair-value"),
    path("arb/", views.ArbView.as_view(), name="arb"),
    path("arb/baskets/", arb_views.BasketsView.as_view(), name="arb-baskets"),
    path("arb/opportunities/", arb_views.OpportunitiesView.as_view(), name="arb-opportunities"),
]
