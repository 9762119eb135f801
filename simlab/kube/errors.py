"""Errors of the API, as the `Status` objects that clients of a real kube-apiserver get.

Reasons, codes and texts: Kubernetes apimachinery v0.24, `pkg/api/errors/errors.go` and
`pkg/util/validation/field/errors.go`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


class ApiError(Exception):
    """A refusal of a request; `status()` is what the client sees."""

    def __init__(self, code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def status(self) -> dict[str, Any]:
        """Return the error as a `v1` Status object."""
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details:
            status["details"] = self.details
        status["code"] = self.code
        return status


@dataclass(frozen=True)
class FieldError:
    """One thing that validation found wrong: which field, and why in the API's own words."""

    reason: str
    field: str
    message: str

    @property
    def text(self) -> str:
        """Return the field and its message as one line."""
        return f"{self.field}: {self.message}"


def quote(value: object) -> str:
    """Return a value as the API shows it in a message (strings quoted as Go's %q does)."""
    return json.dumps(value, ensure_ascii=False)


def required(field: str, detail: str = "") -> FieldError:
    """Return the error of a field that is missing."""
    return FieldError("FieldValueRequired", field, "Required value" + (f": {detail}" if detail else ""))


def invalid_value(field: str, value: object, detail: str) -> FieldError:
    """Return the error of a field whose value breaks a rule."""
    return FieldError("FieldValueInvalid", field, f"Invalid value: {quote(value)}: {detail}")


def unsupported_value(field: str, value: object, supported: tuple[str, ...]) -> FieldError:
    """Return the error of a field whose value is not one of those allowed."""
    allowed = ", ".join(quote(item) for item in supported)
    message = f"Unsupported value: {quote(value)}: supported values: {allowed}"
    return FieldError("FieldValueNotSupported", field, message)


def duplicate_value(field: str, value: object) -> FieldError:
    """Return the error of a value that must be unique and is not."""
    return FieldError("FieldValueDuplicate", field, f"Duplicate value: {quote(value)}")


def not_found_value(field: str, value: object) -> FieldError:
    """Return the error of a reference to something that the object does not have."""
    return FieldError("FieldValueNotFound", field, f"Not found: {quote(value)}")


def forbidden_field(field: str, detail: str) -> FieldError:
    """Return the error of a field that may not be set or changed."""
    return FieldError("FieldValueForbidden", field, f"Forbidden: {detail}")


def _qualified(resource: str, group: str) -> str:
    return f"{resource}.{group}" if group else resource


def _details(resource: str, group: str, name: str) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    if resource:
        details["kind"] = resource
    return details


def not_found(resource: str, group: str, name: str) -> ApiError:
    """Return the 404 of an object that does not exist."""
    text = f'{_qualified(resource, group)} "{name}" not found'
    return ApiError(404, "NotFound", text, _details(resource, group, name))


def already_exists(resource: str, group: str, name: str) -> ApiError:
    """Return the 409 of a create whose name is taken."""
    text = f'{_qualified(resource, group)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", text, _details(resource, group, name))


STALE = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(resource: str, group: str, name: str, why: str = STALE) -> ApiError:
    """Return the 409 of a write that rests on something no longer true."""
    text = f'Operation cannot be fulfilled on {_qualified(resource, group)} "{name}": {why}'
    return ApiError(409, "Conflict", text, _details(resource, group, name))


def invalid(kind: str, group: str, name: str, errors: list[FieldError]) -> ApiError:
    """Return the 422 of an object that does not validate, with every cause."""
    texts: list[str] = []
    for error in errors:
        if error.text not in texts:
            texts.append(error.text)
    joined = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    details = _details(kind, group, name)
    details["causes"] = [
        {"reason": error.reason, "message": error.message, "field": error.field} for error in errors
    ]
    return ApiError(422, "Invalid", f'{_qualified(kind, group)} "{name}" is invalid: {joined}', details)


def forbidden(resource: str, group: str, name: str, why: str) -> ApiError:
    """Return the 403 of a request that authorisation or admission refuses."""
    subject = _qualified(resource, group)
    if name:
        subject += f' "{name}"'
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", _details(resource, group, name))


def bad_request(message: str) -> ApiError:
    """Return the 400 of a request that cannot be understood."""
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """Return the 401 of credentials that are not valid."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def unknown_path() -> ApiError:
    """Return the 404 of a path that is served by nothing."""
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def method_not_allowed(resource: str, group: str, action: str) -> ApiError:
    """Return the 405 of a verb that a resource does not have."""
    text = f"{action} is not supported on resources of kind {quote(_qualified(resource, group))}"
    return ApiError(405, "MethodNotAllowed", text, _details(resource, group, ""))


def not_acceptable(types: tuple[str, ...]) -> ApiError:
    """Return the 406 of a client that accepts none of the forms on offer."""
    text = f"only the following media types are accepted: {', '.join(types)}"
    return ApiError(406, "NotAcceptable", text)


def unsupported_media(types: tuple[str, ...]) -> ApiError:
    """Return the 415 of a body in a form that the server does not read."""
    text = (
        f"the body of the request was in an unknown format - accepted media types include: {', '.join(types)}"
    )
    return ApiError(415, "UnsupportedMediaType", text)


def expired(message: str) -> ApiError:
    """Return the 410 of a resource version or continue token that history no longer reaches."""
    return ApiError(410, "Expired", message)


def internal(message: str) -> ApiError:
    """Return the 500 of a failure that is not the client's."""
    text = f"Internal error occurred: {message}"
    return ApiError(500, "InternalError", text, {"causes": [{"message": message}]})
