"""The customer's addresses."""

from django.contrib.auth.views import LogoutView
from django.urls import path
from django.views.i18n import set_language

from checkout.views import (
    account,
    cart,
    checkout,
    confirm,
    devices,
    orders,
    passkeys,
    payment,
    saved_methods,
    shop,
)

app_name = "checkout"

urlpatterns = [
    path("", shop.shop, name="shop"),
    path("cart/", cart.cart, name="cart"),
    path("cart/add", cart.add, name="add"),
    path("cart/update", cart.update, name="update"),
    path("cart/coupon", cart.coupon, name="coupon"),
    path("checkout/", checkout.checkout, name="checkout"),
    path("checkout/summary", checkout.summary, name="summary"),
    path("pay/<str:order_id>/", payment.pay, name="pay"),
    path("pay/<str:order_id>/status", payment.status, name="status"),
    path("pay/<str:order_id>/confirm", confirm.confirm, name="confirm"),
    path("pay/<str:order_id>/return", payment.come_back, name="return"),
    path("pay/<str:order_id>/result", payment.result, name="result"),
    path("orders/", orders.orders, name="orders"),
    path("orders/<str:order_id>/", orders.order, name="order"),
    path("orders/<str:order_id>/cancel", orders.cancel, name="cancel"),
    path("orders/<str:order_id>/refund", orders.refund, name="refund"),
    path("orders/<str:order_id>/again", orders.again, name="again"),
    path("payment-methods/", saved_methods.saved_methods, name="saved-methods"),
    path("payment-methods/<str:method_id>/", saved_methods.saved_method, name="saved-method"),
    path("payment-methods/<str:method_id>/default", saved_methods.make_default, name="default-method"),
    path("payment-methods/<str:method_id>/delete", saved_methods.delete, name="delete-method"),
    path("passkeys/", passkeys.passkeys, name="passkeys"),
    path("devices/", devices.devices, name="devices"),
    path("sign-in/", account.SignIn.as_view(), name="sign-in"),
    path("sign-out/", LogoutView.as_view(next_page="checkout:shop"), name="sign-out"),
    path("language/", set_language, name="language"),
]
