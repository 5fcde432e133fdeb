"""No addresses: what is sent here is lost."""

urlpatterns: list[object] = []
