"""The addresses: pages, the API, accounts, and the admin site."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth import views as accounts
from django.urls import include, path

from transfers.views.login import Login

handler500 = "project.errors.server_error"

urlpatterns = [
    path("account/login/", Login.as_view(), name="login"),
    path("account/logout/", accounts.LogoutView.as_view(), name="logout"),
    path("account/password/", accounts.PasswordChangeView.as_view(), name="password_change"),
    path("account/password/changed/", accounts.PasswordChangeDoneView.as_view(), name="password_change_done"),
    path("api/", include("transfers.api.urls")),
    path("admin/", admin.site.urls),
    path("", include("transfers.urls")),
]
