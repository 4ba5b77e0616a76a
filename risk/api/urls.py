"""Addresses of the risk app under /api/v1/."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from risk.api import views

router = SimpleRouter()
router.register("stops", views.StopViewSet, basename="stop")
router.register("incidents", views.IncidentViewSet, basename="incident")
urlpatterns = [
    *router.urls,
    path("resume/", views.ResumeView.as_view(), name="resume"),
    path("limits/", views.LimitView.as_view(), name="limits"),
    path("breakers/", views.BreakerView.as_view(), name="breakers"),
    path("refusals/", views.RefusalView.as_view(), name="refusals"),
]
