"""Addresses of the execution API, mounted under /api/v1/."""

from django.urls import URLPattern, URLResolver, path
from rest_framework.routers import SimpleRouter

from execution.api import views

router = SimpleRouter()
router.register("orders", views.OrderViewSet, basename="order")
router.register("fills", views.FillViewSet, basename="fill")
router.register("audits", views.AuditViewSet, basename="audit")
router.register("chain-jobs", views.ChainJobViewSet, basename="chain-job")
router.register("positions", views.PositionViewSet, basename="position")
router.register("engines", views.EngineViewSet, basename="engine")
router.register("reconcile-reports", views.ReconcileReportViewSet, basename="reconcile-report")
router.register("allowance-reports", views.AllowanceReportViewSet, basename="allowance-report")

urlpatterns: list[URLPattern | URLResolver] = [
    path("pnl/", views.PnlView.as_view(), name="pnl"),
    *router.urls,
]
