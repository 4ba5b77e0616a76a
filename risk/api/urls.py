"""Addresses of the risk app under /api/v1/."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from risk.api import breakers, views

router = SimpleRouter()
router.register("stops", views.StopViewSet, basename="stop")
router.register("incidents", views.IncidentViewSet, basename="incident")
urlpatterns = [
    *router.urls,
    path("resume/", views.ResumeView.as_view(), name="resume"),
    path("limits/", views.LimitView.as_view(), name="limits"),
    path("limits/history/", views.LimitHistoryView.as_view(), name="limit-history"),
    path("breakers/", breakers.BreakerView.as_view(), name="breakers"),
    path("breakers/release/", breakers.BreakerReleaseView.as_view(), name="release-breaker"),
    path("breaker-events/", breakers.BreakerEventView.as_view(), name="breaker-events"),
    path("thresholds/", breakers.ThresholdView.as_view(), name="thresholds"),
    path("refusals/", views.RefusalView.as_view(), name="refusals"),
]
