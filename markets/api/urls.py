"""Addresses of the markets app under /api/v1/."""

from rest_framework.routers import SimpleRouter

from markets.api.views import ChangeViewSet, MarketViewSet

router = SimpleRouter()
router.register("markets", MarketViewSet, basename="market")
router.register("changes", ChangeViewSet, basename="change")
urlpatterns = router.urls
