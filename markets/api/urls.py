"""Addresses of the markets app under /api/v1/."""

from rest_framework.routers import SimpleRouter

from markets.api.history import BookEventViewSet, ResyncEventViewSet, TradePrintViewSet, TrustChangeViewSet
from markets.api.views import ChangeViewSet, MarketViewSet

router = SimpleRouter()
router.register("markets", MarketViewSet, basename="market")
router.register("changes", ChangeViewSet, basename="change")
router.register("book-events", BookEventViewSet, basename="book-event")
router.register("trade-prints", TradePrintViewSet, basename="trade-print")
router.register("trust-changes", TrustChangeViewSet, basename="trust-change")
router.register("resync-events", ResyncEventViewSet, basename="resync-event")
urlpatterns = router.urls
