# mypy: disable-error-code="type-arg"
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BundleRequest(_message.Message):
    __slots__ = ("CertificateChain", "Policy")
    CERTIFICATECHAIN_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    CertificateChain: str
    Policy: int
    def __init__(self, CertificateChain: _Optional[str] = ..., Policy: _Optional[int] = ...) -> None: ...

class BundleResponse(_message.Message):
    __slots__ = ("GuestOwnerPublicKey", "LaunchBlob", "LaunchId")
    GUESTOWNERPUBLICKEY_FIELD_NUMBER: _ClassVar[int]
    LAUNCHBLOB_FIELD_NUMBER: _ClassVar[int]
    LAUNCHID_FIELD_NUMBER: _ClassVar[int]
    GuestOwnerPublicKey: str
    LaunchBlob: str
    LaunchId: str
    def __init__(self, GuestOwnerPublicKey: _Optional[str] = ..., LaunchBlob: _Optional[str] = ..., LaunchId: _Optional[str] = ...) -> None: ...

class RequestDetails(_message.Message):
    __slots__ = ("Guid", "Format", "SecretType", "Id")
    GUID_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    SECRETTYPE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    Guid: str
    Format: str
    SecretType: str
    Id: str
    def __init__(self, Guid: _Optional[str] = ..., Format: _Optional[str] = ..., SecretType: _Optional[str] = ..., Id: _Optional[str] = ...) -> None: ...

class SecretRequest(_message.Message):
    __slots__ = ("LaunchMeasurement", "LaunchId", "Policy", "ApiMajor", "ApiMinor", "BuildId", "FwDigest", "LaunchDescription", "SecretRequests")
    LAUNCHMEASUREMENT_FIELD_NUMBER: _ClassVar[int]
    LAUNCHID_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    APIMAJOR_FIELD_NUMBER: _ClassVar[int]
    APIMINOR_FIELD_NUMBER: _ClassVar[int]
    BUILDID_FIELD_NUMBER: _ClassVar[int]
    FWDIGEST_FIELD_NUMBER: _ClassVar[int]
    LAUNCHDESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    SECRETREQUESTS_FIELD_NUMBER: _ClassVar[int]
    LaunchMeasurement: str
    LaunchId: str
    Policy: int
    ApiMajor: int
    ApiMinor: int
    BuildId: int
    FwDigest: str
    LaunchDescription: str
    SecretRequests: _containers.RepeatedCompositeFieldContainer[RequestDetails]
    def __init__(self, LaunchMeasurement: _Optional[str] = ..., LaunchId: _Optional[str] = ..., Policy: _Optional[int] = ..., ApiMajor: _Optional[int] = ..., ApiMinor: _Optional[int] = ..., BuildId: _Optional[int] = ..., FwDigest: _Optional[str] = ..., LaunchDescription: _Optional[str] = ..., SecretRequests: _Optional[_Iterable[_Union[RequestDetails, _Mapping]]] = ...) -> None: ...

class SecretResponse(_message.Message):
    __slots__ = ("LaunchSecretHeader", "LaunchSecretData")
    LAUNCHSECRETHEADER_FIELD_NUMBER: _ClassVar[int]
    LAUNCHSECRETDATA_FIELD_NUMBER: _ClassVar[int]
    LaunchSecretHeader: str
    LaunchSecretData: str
    def __init__(self, LaunchSecretHeader: _Optional[str] = ..., LaunchSecretData: _Optional[str] = ...) -> None: ...

class OnlineSecretRequest(_message.Message):
    __slots__ = ("ClientId", "SecretRequests")
    CLIENTID_FIELD_NUMBER: _ClassVar[int]
    SECRETREQUESTS_FIELD_NUMBER: _ClassVar[int]
    ClientId: str
    SecretRequests: _containers.RepeatedCompositeFieldContainer[RequestDetails]
    def __init__(self, ClientId: _Optional[str] = ..., SecretRequests: _Optional[_Iterable[_Union[RequestDetails, _Mapping]]] = ...) -> None: ...

class OnlineSecretResponse(_message.Message):
    __slots__ = ("Payload", "IV")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    IV_FIELD_NUMBER: _ClassVar[int]
    Payload: str
    IV: str
    def __init__(self, Payload: _Optional[str] = ..., IV: _Optional[str] = ...) -> None: ...
