"""Who may call what: Django's model permissions, reading included.

Law: every view of the API names one of these; being signed in is not enough.
"""

from django.contrib.auth.models import User
from rest_framework import exceptions
from rest_framework.permissions import DjangoModelPermissions
from rest_framework.request import Request

VIEW = ["%(app_label)s.view_%(model_name)s"]
CHANGE = ["%(app_label)s.change_%(model_name)s"]


class ModelPermissions(DjangoModelPermissions):
    """GET needs the view permission too; Django REST framework's own class lets every user read."""

    perms_map = {**DjangoModelPermissions.perms_map, "GET": VIEW, "HEAD": VIEW, "OPTIONS": []}


class ChangePermissions(ModelPermissions):
    """For endpoints whose POST changes existing rows instead of adding one."""

    perms_map = {**ModelPermissions.perms_map, "POST": CHANGE, "PUT": CHANGE}


def author_of(request: Request) -> User:
    if not isinstance(request.user, User):
        raise exceptions.NotAuthenticated
    return request.user
