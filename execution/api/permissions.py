"""Who may read: model permissions count for GET too, which Django REST framework leaves open by default.

Law: no view permission on the model, no rows.
"""

from rest_framework.permissions import DjangoModelPermissions


class MayView(DjangoModelPermissions):
    """The model's own view permission, for every way of asking."""

    perms_map = {
        "GET": ["%(app_label)s.view_%(model_name)s"],
        "HEAD": ["%(app_label)s.view_%(model_name)s"],
        "OPTIONS": ["%(app_label)s.view_%(model_name)s"],
        "POST": ["%(app_label)s.add_%(model_name)s"],
        "PUT": ["%(app_label)s.change_%(model_name)s"],
        "PATCH": ["%(app_label)s.change_%(model_name)s"],
        "DELETE": ["%(app_label)s.delete_%(model_name)s"],
    }
